"""The kernel's socket tables, `/proc/net/{tcp,tcp6,udp,udp6}`, read as values.

Format: Linux `Documentation/networking/proc_net_tcp.rst`. Addresses are hexadecimal, 32 bits at a time, in the byte
order of the machine; ports are hexadecimal numbers.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cutover.model import Listener, Protocol

TABLES = ("net/tcp", "net/tcp6", "net/udp", "net/udp6")
DOCKER_DNS = "127.0.0.11"
_MAPPED = bytes(10) + b"\xff\xff"
_FIELDS = 10
_HIGHEST_PORT = 0xFFFF
_TIME_WAIT = " 06 "  # no other field can read so


class State(StrEnum):
    """What a TCP socket is at; a UDP socket without a peer is CLOSE (source: Linux `include/net/tcp_states.h`)."""

    ESTABLISHED = "01"
    SYN_SENT = "02"
    SYN_RECV = "03"
    FIN_WAIT1 = "04"
    FIN_WAIT2 = "05"
    CLOSE = "07"
    CLOSE_WAIT = "08"
    LAST_ACK = "09"
    LISTEN = "0A"
    CLOSING = "0B"
    NEW_SYN_RECV = "0C"


@dataclass(frozen=True, slots=True)
class Socket:
    """One line of a socket table. Queues are bytes; of a TCP listener, `receive_queue` is connections not accepted.

    An IPv4-mapped IPv6 address is given as the IPv4 address that it is.
    """

    protocol: Protocol
    address: str
    port: int
    peer: str
    peer_port: int
    state: State
    send_queue: int
    receive_queue: int
    inode: int

    @property
    def listening(self) -> bool:
        """Say whether it waits for anybody: a TCP listener, or a UDP socket without a peer."""
        waiting = State.LISTEN if self.protocol is Protocol.TCP else State.CLOSE
        return self.state is waiting and self.peer_port == 0 and self.port > 0


def parse_tables(text: str, byteorder: str = sys.byteorder) -> tuple[Socket, ...]:
    """Return the sockets of one table or of several, one after the other as `cat` gives them; junk lines are skipped.

    A table's heading tells TCP from UDP, the width of an address IPv4 from IPv6. Sockets in TIME_WAIT are left out:
    nobody owns them, and a busy host has tens of thousands (seen: 18,954 of 18,961 lines, 150 ms to parse).
    """
    return tuple(_sockets(text, byteorder))


def listeners(sockets: Iterable[Socket]) -> list[Listener]:
    """Return who waits for connections or datagrams, Docker's own DNS server left out."""
    return [
        Listener(s.address, s.port, s.protocol, inode=s.inode)
        for s in sockets
        if s.listening and s.address != DOCKER_DNS
    ]


def connections(sockets: Iterable[Socket]) -> list[Socket]:
    """Return the established TCP connections."""
    return [s for s in sockets if s.protocol is Protocol.TCP and s.state is State.ESTABLISHED]


def _sockets(text: str, byteorder: str) -> Iterator[Socket]:
    protocol = Protocol.TCP
    for line in text.splitlines():
        if _TIME_WAIT in line:
            continue
        fields = line.split()
        if fields[:1] == ["sl"]:
            protocol = Protocol.UDP if "drops" in fields else Protocol.TCP
        elif len(fields) >= _FIELDS:
            try:
                yield _socket(protocol, fields, byteorder)
            except ValueError:
                continue


def _socket(protocol: Protocol, fields: list[str], byteorder: str) -> Socket:
    address, port = _endpoint(fields[1], byteorder)
    peer, peer_port = _endpoint(fields[2], byteorder)
    send, receive = fields[4].split(":")
    state = State(fields[3])
    queues = int(send, 16), int(receive, 16)
    return Socket(protocol, address, port, peer, peer_port, state, *queues, int(fields[9]))


def _endpoint(text: str, byteorder: str) -> tuple[str, int]:
    address, port = text.split(":")
    raw = bytes.fromhex(address)
    if byteorder == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    raw = raw.removeprefix(_MAPPED)
    family = {4: socket.AF_INET, 16: socket.AF_INET6}.get(len(raw))
    if family is None:
        raise ValueError("neither an IPv4 nor an IPv6 address")
    return socket.inet_ntop(family, raw), _port(port)


def _port(text: str) -> int:
    number = int(text, 16)
    if not 0 <= number <= _HIGHEST_PORT:
        raise ValueError("no port")
    return number
