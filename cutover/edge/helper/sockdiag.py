"""The kernel's own word on TCP sockets, and the end of one of them: sock_diag(7), by hand.

Layouts: linux/inet_diag.h (`inet_diag_req_v2`, `inet_diag_msg`), linux/tcp.h (`tcp_info`).
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from cutover.edge.helper.netlink import ACK, DUMP, Netlink, attributes

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY, SOCK_DESTROY = 20, 21
INET_DIAG_INFO = 2
FAMILIES = (socket.AF_INET, socket.AF_INET6)

_REQUEST = struct.Struct("=BBBBI48s")
_MESSAGE = struct.Struct("=BBBB48sIIIII")
_ID = struct.Struct("!HH16s16s")
_COUNTERS = struct.Struct("=QQ")
_AGES = struct.Struct("=I4xI")
_AGES_AT, _COUNTERS_AT = 44, 120


class TcpState(IntEnum):
    """States of a TCP socket (net/tcp_states.h)."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11
    NEW_SYN_RECV = 12


UNDER_WAY = frozenset(
    {
        TcpState.ESTABLISHED,
        TcpState.SYN_RECV,
        TcpState.NEW_SYN_RECV,
        TcpState.FIN_WAIT1,
        TcpState.CLOSE_WAIT,
        TcpState.LAST_ACK,
        TcpState.CLOSING,
    }
)
"""States in which bytes can still be on their way to the client."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One socket. `key` names it for ever; queues and totals are bytes, ages milliseconds to the tick of the kernel.

    `received` and `sent` count what the peer sent, and what was sent to the peer, acknowledged or not.
    """

    key: tuple[int, bytes]
    state: int
    port: int
    peer: str
    inode: int
    unread: int
    unacknowledged: int
    received: int
    sent: int
    sent_ago_ms: int
    received_ago_ms: int


class SockDiag:
    """A sock_diag connection to the kernel, in the network namespace where it was opened."""

    def __init__(self) -> None:
        self._netlink = Netlink(NETLINK_SOCK_DIAG)

    def close(self) -> None:
        """Close it."""
        self._netlink.close()

    def all(self, ports: Collection[int]) -> Iterator[Connection]:
        """Yield the connections whose own port is one of `ports`, in a state of UNDER_WAY."""
        states = sum(1 << state for state in UNDER_WAY)
        for family in FAMILIES:
            found = self._ask(SOCK_DIAG_BY_FAMILY, DUMP, family, bytes(48), states)
            yield from (c for c in map(_parsed, found) if c is not None and c.port in ports)

    def one(self, key: tuple[int, bytes]) -> Connection | None:
        """Return a connection as it is now, None where it is gone."""
        try:
            found = next(self._ask(SOCK_DIAG_BY_FAMILY, 0, *key, 0xFFFFFFFF), None)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESTALE):
                return None
            raise
        return _parsed(found) if found else None

    def destroy(self, key: tuple[int, bytes]) -> bool:
        """End a connection: the peer gets a RST, whoever holds it ECONNABORTED. False where it is gone."""
        try:
            next(self._ask(SOCK_DESTROY, ACK, *key, 0xFFFFFFFF), None)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESTALE):
                return False
            raise
        return True

    def _ask(self, kind: int, flags: int, family: int, ident: bytes, states: int) -> Iterator[bytes]:
        body = _REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0, states, ident)
        return self._netlink.ask(kind, flags, body)


def _parsed(payload: bytes) -> Connection | None:
    """Return a socket, None for a message that is cut short."""
    if len(payload) < _MESSAGE.size:
        return None
    family, state, _, _, ident, _, unread, unacknowledged, _, inode = _MESSAGE.unpack_from(payload)
    port, _, _, peer = _ID.unpack_from(ident)
    info = attributes(payload[_MESSAGE.size :]).get(INET_DIAG_INFO, b"")
    acknowledged = received = sent_ago = received_ago = 0
    if len(info) >= _COUNTERS_AT + _COUNTERS.size:
        acknowledged, received = _COUNTERS.unpack_from(info, _COUNTERS_AT)
        sent_ago, received_ago = _AGES.unpack_from(info, _AGES_AT)
    return Connection(
        (family, ident),
        state,
        port,
        _address(family, peer),
        inode,
        unread,
        unacknowledged,
        received,
        acknowledged + unacknowledged,
        sent_ago,
        received_ago,
    )


def _address(family: int, packed: bytes) -> str:
    if family == socket.AF_INET:
        return str(ipaddress.IPv4Address(packed[:4]))
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def within(address: str, networks: Iterable[str]) -> bool:
    """Say whether an address is in one of these networks (CIDR)."""
    found = ipaddress.ip_address(address)
    return any(found in ipaddress.ip_network(n, strict=False) for n in networks)
