"""The beginning of a ZMTP connection, asked by hand: who is there, without becoming anybody's peer.

A ZeroMQ socket that completes the handshake with us would deal us its messages, and what a PUSH socket deals us is
lost. So nothing is completed: the peer's READY names its socket type, and libzmq sends it without waiting for ours
(ZMTP 3.1, RFC 37; libzmq, `null_mechanism.cpp`). From a peer of ZMTP 2.0 we read the type that its greeting has.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from cutover.clock import Deadline

SIGNATURE = b"\xff\0\0\0\0\0\0\0\x01\x7f"
MAJOR = b"\x03"
MECHANISM = b"\0" + b"NULL".ljust(20, b"\0") + b"\0" * 32
"""What follows signature and major version: minor version, mechanism, no server, filler."""
NAME = re.compile(r"[A-Z0-9_.+-]+")
GREETING_2 = ("PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH")
"""Socket types of ZMTP 2.0 (RFC 15), in the order of their numbers."""
COMMAND, LONG_COMMAND = 0x04, 0x06
MAX_COMMAND_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Peer:
    """Who speaks ZMTP there. What it did not tell within the time is None.

    `mechanism` is NULL, PLAIN, CURVE or GSSAPI; `socket_type` as in RFC 37: REP, ROUTER, XPUB and so on.
    """

    version: tuple[int, int]
    mechanism: str | None = None
    socket_type: str | None = None

    def __str__(self) -> str:
        told = [self.socket_type or "", "" if self.mechanism in {None, "NULL"} else str(self.mechanism)]
        return " ".join(["ZMTP {}.{}".format(*self.version), *filter(None, told)])


def greet(host: str, port: int, timeout_s: float = 2.0) -> Peer | None:
    """Return who speaks ZMTP at `host:port`, None where nobody does or nobody answers."""
    deadline = Deadline(timeout_s)
    try:
        with socket.create_connection((host, port), timeout_s) as sock:
            return handshake(sock, deadline)
    except OSError:
        return None


def handshake(sock: socket.socket, deadline: Deadline, already: bytes = b"") -> Peer | None:
    """Return who speaks ZMTP on a fresh connection of which `already` was read, None where nobody does.

    Afterwards the connection can only be closed.
    """
    wire = _Wire(sock, deadline, already)
    try:
        return _peer(wire)
    except OSError:  # the deadline too
        return None


def begins(said: bytes) -> bool:
    """Say whether this may be how a ZMTP peer begins: all that is there of its signature fits."""
    return bool(said) and said[0] == SIGNATURE[0] and (len(said) < len(SIGNATURE) or said[9] & 1 == 1)


class _Wire:
    """Reads exactly as much as is asked for, until the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline, already: bytes) -> None:
        self._sock, self._deadline, self._read = sock, deadline, already

    def take(self, size: int) -> bytes:
        while len(self._read) < size:
            self._wait()
            more = self._sock.recv(4096)
            if not more:
                raise ConnectionResetError("closed")
            self._read += more
        taken, self._read = self._read[:size], self._read[size:]
        return taken

    def send(self, data: bytes) -> None:
        self._wait()
        self._sock.sendall(data)

    def _wait(self) -> None:
        if self._deadline.passed:
            raise TimeoutError
        self._sock.settimeout(self._deadline.left_s)


def _peer(wire: _Wire) -> Peer | None:
    # No more than this before we know the version: a peer of ZMTP 2.0 deals messages to whoever greeted to the end.
    wire.send(SIGNATURE)
    if not begins(wire.take(len(SIGNATURE))):
        return None
    major = wire.take(1)[0]
    if major < 3:  # noqa: PLR2004
        return _old_peer(wire)
    wire.send(MAJOR)
    minor, mechanism = wire.take(1)[0], wire.take(20).rstrip(b"\0").decode("ascii", "replace")
    if not NAME.fullmatch(mechanism):
        return None
    wire.take(32)
    if mechanism != "NULL":  # told before ours: it hangs up on a mechanism that is not its own
        return Peer((major, minor), mechanism)
    return Peer((major, minor), mechanism, _socket_type(wire))


def _old_peer(wire: _Wire) -> Peer:
    """Return a peer of ZMTP 2.0: it calls that revision 1 and names no mechanism."""
    try:
        number = wire.take(1)[0]
    except OSError:
        return Peer((2, 0))
    return Peer((2, 0), None, GREETING_2[number] if number < len(GREETING_2) else None)


def _socket_type(wire: _Wire) -> str | None:
    """Return the Socket-Type of the peer's READY; None where it says ERROR, or waits for ours."""
    try:
        wire.send(MECHANISM)
        command = _command(wire)
    except OSError:
        return None
    if not command.startswith(b"\x05READY"):
        return None
    return dict(_metadata(command[6:])).get("socket-type")


def _command(wire: _Wire) -> bytes:
    flags = wire.take(1)[0]
    size = int.from_bytes(wire.take(8 if flags == LONG_COMMAND else 1), "big")
    if flags not in {COMMAND, LONG_COMMAND} or size > MAX_COMMAND_BYTES:
        raise ConnectionAbortedError("not a command")
    return wire.take(size)


def _metadata(body: bytes) -> Iterator[tuple[str, str]]:
    """Yield names (in lower case: they are the same in either) and values of a READY; ends where one is cut off."""
    while body:
        name, body = body[1 : 1 + body[0]], body[1 + body[0] :]
        size = int.from_bytes(body[:4], "big")
        value, body = body[4 : 4 + size], body[4 + size :]
        yield name.decode("ascii", "replace").lower(), value.decode("ascii", "replace")
