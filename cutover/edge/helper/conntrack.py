"""Makes the kernel forget IPv6 connections of a redirect: ctnetlink, by hand (linux/netfilter/nfnetlink_conntrack.h).

IPv6 is often tracked only while the redirect stands. What is remembered then goes stale: nobody sees these connections
end. Once a client uses such a port again and the next redirect stands, the kernel takes the new connection for the old
one: not redirected though it should be, or redirected in the middle. Seen: 8 of 13,000 connections in 10 take-overs
within a minute. IPv4 is tracked wherever Docker publishes ports.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cutover.edge.helper.netlink import ACK, DUMP, Netlink, attribute, attributes

NETLINK_NETFILTER = 12
_GET, _DELETE = 0x101, 0x102
_FAMILY = struct.Struct("=BBH")
_ORIGINAL, _REPLY, _ZONE = 1, 2, 18
_ADDRESSES, _PROTOCOL = 1, 2
_NUMBER, _SOURCE_PORT, _TARGET_PORT = 1, 2, 3
_SOURCES, _TARGETS = (1, 3), (2, 4)
_NESTED = 0x8000
_PORT = struct.Struct("!H")


@dataclass(frozen=True, slots=True)
class Tuple:
    """One direction of a connection, as the kernel remembers it."""

    protocol: int
    source: bytes
    target: bytes
    source_port: int
    target_port: int


def forget(legacy: Collection[int], temporary: Collection[int]) -> int:
    """Forget what was redirected and what was not translated at all; return how many that were.

    Connections that Docker translates are left alone. The others do not need to be remembered.
    """
    forgotten = 0
    with contextlib.suppress(OSError):  # a kernel without ctnetlink
        netlink = Netlink(NETLINK_NETFILTER)
        with contextlib.closing(netlink):
            for original, zone in list(_stale(netlink, legacy, temporary)):
                with contextlib.suppress(OSError):  # it is gone
                    _delete(netlink, original, zone)
                    forgotten += 1
    return forgotten


def _stale(
    netlink: Netlink, legacy: Collection[int], temporary: Collection[int]
) -> Iterator[tuple[bytes, bytes | None]]:
    for message in netlink.ask(_GET, DUMP, _FAMILY.pack(socket.AF_INET6, 0, 0)):
        found = attributes(message[_FAMILY.size :])
        original, reply = parsed(found.get(_ORIGINAL, b"")), parsed(found.get(_REPLY, b""))
        if original is None or reply is None or original.target_port not in legacy:
            continue
        redirected = reply.source_port in temporary
        plain = (reply.source, reply.source_port) == (original.target, original.target_port)
        if redirected or plain:
            yield found[_ORIGINAL], found.get(_ZONE)


def _delete(netlink: Netlink, original: bytes, zone: bytes | None) -> None:
    body = _FAMILY.pack(socket.AF_INET6, 0, 0) + attribute(_ORIGINAL | _NESTED, original)
    if zone is not None:
        body += attribute(_ZONE, zone)
    next(netlink.ask(_DELETE, ACK, body), None)


def parsed(data: bytes) -> Tuple | None:
    """Return a tuple from its attributes, None for what is not TCP, or not whole."""
    found = attributes(data)
    addresses, protocol = attributes(found.get(_ADDRESSES, b"")), attributes(found.get(_PROTOCOL, b""))
    if protocol.get(_NUMBER) != bytes([socket.IPPROTO_TCP]):
        return None
    ports = [protocol.get(p, b"") for p in (_SOURCE_PORT, _TARGET_PORT)]
    source = next((addresses[k] for k in _SOURCES if k in addresses), None)
    target = next((addresses[k] for k in _TARGETS if k in addresses), None)
    if source is None or target is None or any(len(port) != _PORT.size for port in ports):
        return None
    source_port, target_port = (_PORT.unpack(port)[0] for port in ports)
    return Tuple(socket.IPPROTO_TCP, source, target, source_port, target_port)
