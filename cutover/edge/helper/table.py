"""Removes a table of nftables without libnftables: nfnetlink, by hand (linux/netfilter/nf_tables.h).

The library reads all there is before it removes one table, and where others change the rules meanwhile it now and then
crashes (1.0.6: "corrupted double-linked list"). This asks for one name and removes it, and reads nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct

from cutover.edge.helper.netlink import ACK, Netlink, attribute

NETLINK_NETFILTER = 12
INET = 1
"""NFPROTO_INET: IPv4 and IPv6 in one table."""
_SUBSYSTEM = 10
_GET, _DELETE = _SUBSYSTEM << 8 | 1, _SUBSYSTEM << 8 | 2
_BEGIN, _END = 0x10, 0x11
_NAME = 1
_FAMILY = struct.Struct("!BBH")
_HEADER = struct.Struct("=IHHII")
_REQUEST = 1
_ERROR = 2
_DELETE_NUMBER = 2


def remove(table: str) -> bool:
    """Remove a table of the family inet and say whether it was there.

    Raises:
        OSError: the kernel refuses; EPERM where it belongs to a process that lives.

    """
    if not is_there(table):
        return False
    try:
        _remove(table)
    except FileNotFoundError:  # its owner ended just then
        return False
    return True


def is_there(table: str) -> bool:
    """Say whether there is a table of this name."""
    with contextlib.closing(Netlink(NETLINK_NETFILTER)) as netlink:
        try:
            return next(netlink.ask(_GET, 0, _named(table)), None) is not None
        except OSError as error:
            if error.errno == errno.ENOENT:
                return False
            raise


def _remove(table: str) -> None:
    """Delete it in a transaction of its own: nothing changes in nftables outside of one."""
    subsystem = _FAMILY.pack(socket.AF_UNSPEC, 0, _SUBSYSTEM)
    parts = (
        _message(_BEGIN, _REQUEST, 1, subsystem),
        _message(_DELETE, _REQUEST | ACK, _DELETE_NUMBER, _named(table)),
        _message(_END, _REQUEST, 3, subsystem),
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        kernel.settimeout(2.0)
        kernel.send(b"".join(parts))
        data, at = kernel.recv(1 << 16), 0
        while at + _HEADER.size <= len(data):
            length, kind, _, _, _ = _HEADER.unpack_from(data, at)
            if kind == _ERROR:
                code = -struct.unpack_from("=i", data, at + _HEADER.size)[0]
                if code:
                    raise OSError(code, f"nftables table {table}: {errno.errorcode.get(code, code)}")
            at += (length + 3) & ~3


def _named(table: str) -> bytes:
    return _FAMILY.pack(INET, 0, 0) + attribute(_NAME, table.encode() + b"\0")


def _message(kind: int, flags: int, number: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, number, 0) + body + bytes(-len(body) % 4)
