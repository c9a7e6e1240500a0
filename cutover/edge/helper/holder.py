"""Closing a socket in the name of the process that holds it: an orderly end instead of a RST.

`pidfd_getfd` gives a second descriptor of another process's socket (Linux 5.6), and `shutdown` on it ends the
connection for both: what comes in afterwards is refused by the kernel, and the process reads the end of its input, as
if the client had hung up. It takes the right to trace that process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from termios import FIONREAD

PIDFD_GETFD = 438
"""The same number on every architecture (syscall(2) since Linux 5.1)."""
PROC = Path("/proc")
_PREFIX = "socket:["
_DATA_SEGMENTS_AT = 152
"""Where `tcpi_data_segs_in` is in `struct tcp_info` (linux/tcp.h, Linux 4.6)."""


class Holders:
    """Which process holds which socket, as far as this one may see: socket inode -> process, descriptor."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._held: dict[int, tuple[int, int]] = {}

    def borrow(self, inode: int) -> socket.socket | None:
        """Return another process's socket, None where that process cannot be reached."""
        if inode not in self._held:
            self._held = dict(_sockets())
        pid, number = self._held.get(inode, (0, 0))
        copy = self._copy(pid, number) if pid else -1
        if copy < 0:
            return None
        if os.fstat(copy).st_ino != inode:  # closed meanwhile, and the number given to another
            os.close(copy)
            return None
        return socket.socket(fileno=copy)

    def _copy(self, pid: int, number: int) -> int:
        try:
            process = os.pidfd_open(pid)
        except OSError:
            return -1
        try:
            return int(self._libc.syscall(PIDFD_GETFD, process, number, 0))
        finally:
            os.close(process)


def unread(sock: socket.socket) -> int:
    """Return how many bytes have come in that nobody has read.

    Raises:
        OSError: it is no socket any more.

    """
    return int(struct.unpack("i", ioctl(sock, FIONREAD, b"\0\0\0\0"))[0])


def questions(sock: socket.socket) -> int:
    """Return how many segments with data have come in on a TCP connection, those that the kernel refused included.

    Raises:
        OSError: it is no TCP socket any more.

    """
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _DATA_SEGMENTS_AT + 4)
    return int(struct.unpack_from("=I", info.ljust(_DATA_SEGMENTS_AT + 4, b"\0"), _DATA_SEGMENTS_AT)[0])


class Ended:
    """A connection that is about to be shut down, kept to see whether a question comes afterwards all the same.

    `SO_ERROR` would not do: the process that holds the socket, too, may read the RST of a refused question, and who
    reads it takes it away.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock.dup()
        self.raced = False
        """A question came just before the end, and was read by the one that cannot answer it any more."""
        self._segments = questions(self.sock)

    def was_asked(self) -> bool:
        """Say whether something came since: unread, or refused by the kernel."""
        try:
            return self.raced or unread(self.sock) > 0 or questions(self.sock) > self._segments
        except OSError:
            return False

    def close(self) -> None:
        """Let go of it."""
        self.sock.close()


def _sockets() -> Iterator[tuple[int, tuple[int, int]]]:
    for process in PROC.iterdir():
        if process.name.isdigit():
            for number, name in _descriptors(process):
                if name.startswith(_PREFIX):
                    yield int(name[len(_PREFIX) : -1]), (int(process.name), number)


def _descriptors(process: Path) -> Iterator[tuple[int, str]]:
    with contextlib.suppress(OSError):  # the process ended, or may not be looked at
        for entry in (process / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                yield int(entry.name), str(entry.readlink())
