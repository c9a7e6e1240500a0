"""What does a port speak? Told by how its service begins to speak, and asked mildly only where it says nothing.

ZeroMQ speaks first, as do most mail servers and databases; HTTP and TLS wait. What cannot be told apart from bytes is
TCP: to forward bytes is never wrong, only less able.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from dataclasses import dataclass

from cutover.clock import Deadline
from cutover.edge.shape import Mode
from cutover.edge.zmtp import Peer, begins, handshake

MODES = {
    "REP": Mode.REP,
    "ROUTER": Mode.ROUTER,
    "PUB": Mode.PUB,
    "XPUB": Mode.PUB,
    "PULL": Mode.PULL,
    "PUSH": Mode.PUSH,
}
"""ZMTP's Socket-Type of what is bound there -> what the broker stands in for."""
QUESTION = b"OPTIONS * HTTP/1.0\r\n\r\n"
"""Changes nothing at any HTTP server, and has no `Host:`, which Redis logs as an attack."""
ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3})")
TLS_RECORD = re.compile(rb"[\x15\x16]\x03")
"""An alert or a handshake record (RFC 8446, 5.1)."""
QUIET_SHARE = 0.25
"""Which part of the time a service has to say something of its own accord."""


@dataclass(frozen=True, slots=True)
class Identified:
    """What a port speaks, None where nobody is there, and from what that was told: a clause for a plan."""

    mode: Mode | None
    evidence: str


def identify(host: str, port: int, hint: str | None = None, timeout_s: float = 2.0) -> Identified:
    """Say what the service at `host:port` speaks.

    `hint` is what a probe of the user asks there, `http`, `zmq` or `tcp`: it decides where the service says nothing,
    and then nothing is asked. Without one a silent service is asked an HTTP question. A TCP connection that merely
    opens is no hint.
    """
    deadline = Deadline(timeout_s)
    try:
        with socket.create_connection((host, port), timeout_s) as sock:
            said = _first_words(sock, timeout_s if hint == "zmq" else timeout_s * QUIET_SHARE)
            if said is None:
                return _silent(sock, host, port, hint, deadline)
            if not said:
                return Identified(None, "closed at once: behind Docker's proxy nothing listens, or it turns us away")
            return _spoken(sock, said, deadline)
    except TimeoutError:
        return Identified(None, f"no connection within {timeout_s:g} s")
    except OSError as error:
        return Identified(None, f"no connection: {error.strerror or error}")


def _first_words(sock: socket.socket, patience_s: float) -> bytes | None:
    """Return what comes of its own accord, b"" where the service hangs up, None where it waits."""
    sock.settimeout(patience_s)
    try:
        return sock.recv(4096)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


def _spoken(sock: socket.socket, said: bytes, deadline: Deadline) -> Identified:
    peer = handshake(sock, deadline, said) if begins(said) else None
    if peer is not None:
        return _zeromq(peer)
    return Identified(Mode.TCP, f"speaks first, and not ZMTP: {said[:16]!r}")


def _zeromq(peer: Peer) -> Identified:
    version = "ZMTP {}.{}".format(*peer.version)
    if peer.mechanism not in {None, "NULL"}:
        return Identified(Mode.TCP, f"{version} with {peer.mechanism}: only the service itself can let clients in")
    if peer.socket_type is None:
        return Identified(Mode.TCP, f"{version}, but its socket does not tell its type")
    mode = MODES.get(peer.socket_type)
    if mode is None:
        return Identified(Mode.TCP, f"{version}, a {peer.socket_type} socket: the broker cannot stand in for one")
    return Identified(mode, f"{version}, a {peer.socket_type} socket")


def _silent(sock: socket.socket, host: str, port: int, hint: str | None, deadline: Deadline) -> Identified:
    match hint:
        case "http":
            return Identified(Mode.HTTP, "waits to be asked, and a probe asks it over HTTP")
        case "tcp":
            return Identified(Mode.TCP, "waits to be asked, and a probe asks it over TCP")
        case "zmq":
            return Identified(Mode.TCP, "a probe asks it over ZeroMQ, but it does not begin as ZMTP does")
        case _:
            return _asked(sock, host, port, deadline)


def _asked(sock: socket.socket, host: str, port: int, deadline: Deadline) -> Identified:
    said = _reply(sock, QUESTION, len(b"HTTP/1.1 200"), deadline)
    found = ANSWER.match(said)
    if TLS_RECORD.match(said) or (found and found[1] == b"400" and _speaks_tls(host, port, deadline)):
        return Identified(Mode.TCP, "TLS: the edge cannot read what is in it")
    if found:
        return Identified(Mode.HTTP, f"answers {QUESTION.split(b' HTTP')[0].decode()} with HTTP {found[1].decode()}")
    return Identified(Mode.TCP, f"no HTTP answer to {QUESTION[:10]!r}, but {said[:16]!r}" if said else "says nothing")


def _reply(sock: socket.socket, question: bytes, enough: int, deadline: Deadline) -> bytes:
    """Return what comes back until it is enough, the service hangs up, or the time is over."""
    said = b""
    with contextlib.suppress(OSError):
        sock.sendall(question)
        while len(said) < enough and not deadline.passed:
            sock.settimeout(deadline.left_s)
            more = sock.recv(4096)
            if not more:
                break
            said += more
    return said


def _speaks_tls(host: str, port: int, deadline: Deadline) -> bool:
    """Say whether what answers an HTTP question with 400 wants TLS: nginx and Go do so."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    hello = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), hello)
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    try:
        with socket.create_connection((host, port), max(0.1, deadline.left_s)) as sock:
            return TLS_RECORD.match(_reply(sock, hello.read(), 2, deadline)) is not None
    except OSError:
        return False
