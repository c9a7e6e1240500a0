"""Socket tables of real containers, and junk."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.model import Listener, Protocol
from cutover.ports.sockets import State, connections, listeners, parse_tables

RECORDED = Path(__file__).parents[2] / "recorded" / "proc"


def test_listeners_of_a_real_container() -> None:
    """TCP, TCP on IPv6, UDP and loopback are told apart; Docker's own DNS is no listener."""
    found = listeners(parse_tables((RECORDED / "echo-listening.txt").read_text(), "little"))
    assert found == [
        Listener("0.0.0.0", 7000, Protocol.TCP, inode=178536),
        Listener("127.0.0.1", 7002, Protocol.TCP, inode=178539),
        Listener("::", 7001, Protocol.TCP, inode=178538),
        Listener("0.0.0.0", 7000, Protocol.UDP, inode=178540),
    ]
    assert [listener.loopback_only for listener in found] == [False, True, False, False]


def test_connections_of_a_real_container() -> None:
    """A connection through DNAT shows the client's address, one through docker-proxy the gateway's."""
    found = connections(parse_tables((RECORDED / "echo-connected.tcp.txt").read_text(), "little"))
    assert [(s.address, s.port, s.peer, s.peer_port) for s in found] == [
        ("172.23.0.2", 7000, "192.0.2.2", 52622),
        ("172.23.0.2", 7000, "192.0.2.2", 52650),
        ("172.23.0.2", 7000, "172.23.0.1", 53788),
    ]


def test_mapped_addresses_are_ipv4_and_queues_are_read() -> None:
    """A dual-stack server shows IPv4 clients as IPv4; the receive queue tells who does not read."""
    line = (
        "   0: 0000000000000000FFFF00000200AC17:1F90 0000000000000000FFFF0000010011AC:8C5E 08 "
        "00000001:0000002A 00:00000000 00000000     0        0 77 1 0000 20 0 0 11 -1"
    )
    (found,) = parse_tables(line, "little")
    assert (found.address, found.peer, found.peer_port) == ("23.172.0.2", "172.17.0.1", 35934)
    assert (found.state, found.send_queue, found.receive_queue, found.inode) == (State.CLOSE_WAIT, 1, 42, 77)


def test_big_endian_machines_write_the_same_address_otherwise() -> None:
    """The kernel prints 32-bit words in its own byte order."""
    line = "0: 7F000001:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 5 1"
    assert listeners(parse_tables(line, "big")) == [Listener("127.0.0.1", 80, inode=5)]


@pytest.mark.parametrize(
    "line",
    [
        "0: 7F000001 00000000:0000 0A 0:0 00:0 0 0 0 5 1",
        "0: 7F0001:0050 00000000:0000 0A 0:0 00:0 0 0 0 5 1",
        "0: 7F000001:0050 00000000:0000 FF 0:0 00:0 0 0 0 5 1",
        "0: 7F000001:0050 00000000:0000 0A 0 00:0 0 0 0 5 1",
        "0: 7F000001:0050 00000000:0000 0A 0:0 00:0 0 0 0 x 1",
    ],
)
def test_a_broken_line_is_skipped(line: str) -> None:
    """The lines around it are still read."""
    good = "1: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 5 1"
    assert len(parse_tables(f"{good}\n{line}\n{good}\n", "little")) == 2


@given(st.text(max_size=300) | st.text("0123456789ABCDEF: \nsl", max_size=300))
def test_junk_never_crashes(text: str) -> None:
    """Whatever an `exec` returns is read as what it is: mostly nothing."""
    assert isinstance(parse_tables(text, "little"), tuple)
