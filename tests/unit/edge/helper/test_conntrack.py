"""What the kernel remembers of connections, as bytes."""

from __future__ import annotations

import socket
import struct

from cutover.edge.helper.conntrack import Tuple, forget, parsed
from cutover.edge.helper.netlink import attribute, attributes

ONE = socket.inet_pton(socket.AF_INET6, "::1")


def remembered(protocol: int) -> bytes:
    """Return a tuple as ctnetlink sends it."""
    addresses = attribute(3, ONE) + attribute(4, ONE)
    ports = attribute(1, bytes([protocol])) + attribute(2, struct.pack("!H", 40000)) + attribute(3, b"\x15\xc2")
    return attribute(1 | 0x8000, addresses) + attribute(2 | 0x8000, ports)


def test_a_tuple_is_read() -> None:
    """Both ports and both addresses."""
    assert parsed(remembered(socket.IPPROTO_TCP)) == Tuple(socket.IPPROTO_TCP, ONE, ONE, 40000, 5570)


def test_what_is_not_tcp_is_left_alone() -> None:
    """And so is what has no tuple."""
    assert parsed(remembered(socket.IPPROTO_UDP)) is None
    assert parsed(b"") is None


def test_attributes_survive_their_padding() -> None:
    """And flags in their types."""
    assert attributes(attribute(1, b"abc") + attribute(2 | 0x8000, b"") + attribute(3, b"12345")) == {
        1: b"abc",
        2: b"",
        3: b"12345",
    }


def test_a_cut_off_attribute_ends_the_reading() -> None:
    """It must not go round for ever."""
    assert attributes(b"\x00\x00\x01\x00rest") == {}
    assert attributes(b"\x01") == {}


def test_there_may_be_nothing_to_forget() -> None:
    """No right to ask is no error: what is remembered only matters to the next redirect."""
    assert forget(frozenset({1}), frozenset({2})) == 0
