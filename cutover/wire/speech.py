"""What does a port speak? Told by how its service begins to speak, and asked mildly only where it says nothing.

ZeroMQ, NATS, mail servers and some databases speak first; HTTP, TLS and Redis wait. The one question that is asked
changes nothing at any of them.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum

from cutover.clock import Deadline
from cutover.wire.zmtp import Peer, begins, handshake

QUESTION = b"OPTIONS * HTTP/1.0\r\n\r\n"
"""Changes nothing at any HTTP server, and has no `Host:`, which Redis logs as an attack."""
ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3})")
TLS_RECORD = re.compile(rb"[\x15\x16]\x03")
"""An alert or a handshake record (RFC 8446, 5.1)."""
HTTP2_SETTINGS = re.compile(rb"\0[\0-\xff]{2}\x04[\0-\xff]\0\0\0\0")
"""A SETTINGS frame on stream 0, with which every HTTP/2 server begins (RFC 9113, 3.4)."""
REDIS_ERROR = re.compile(rb"-(?:ERR unknown command|NOAUTH|DENIED|LOADING|ERR Protocol error|ERR wrong number)")
"""How Redis and its kin answer a question that is none (RESP)."""
FIRST_WORDS = ((re.compile(rb"INFO \{"), "nats"), (re.compile(rb"SSH-\d"), "ssh"), (HTTP2_SETTINGS, "http/2"))
"""Who speaks first, and how."""
QUIET_SHARE = 0.25
"""Which part of the time a service has to say something of its own accord."""
SHOWN = 16
"""How many bytes of what was said are shown."""


class Tongue(StrEnum):
    """What a port speaks. TCP is what cannot be told, SILENT says nothing; the last two are not there to be asked."""

    ZMTP = "zmtp"
    HTTP = "http"
    HTTP2 = "http/2"
    TLS = "tls"
    REDIS = "redis"
    NATS = "nats"
    SSH = "ssh"
    TCP = "tcp"
    SILENT = "silent"
    HUNG_UP = "hung up"
    NOBODY = "nobody"

    @property
    def there(self) -> bool:
        """Say whether somebody kept the connection."""
        return self not in {Tongue.HUNG_UP, Tongue.NOBODY}


@dataclass(frozen=True, slots=True)
class Speech:
    """What a port speaks, and from what that was told. `asked` says whether it was asked anything.

    `peer` is who speaks ZMTP; `status` the HTTP status of the answer; `said` the first bytes; `why` says why nobody is
    there.
    """

    tongue: Tongue
    asked: bool = False
    said: bytes = b""
    peer: Peer | None = None
    status: int | None = None
    why: str = ""

    def __str__(self) -> str:
        match self.tongue:
            case Tongue.ZMTP:
                return str(self.peer)
            case Tongue.HTTP:
                return "HTTP"
            case Tongue.TCP:
                return f"TCP, begins with {self.said[:SHOWN]!r}"
            case Tongue.SILENT:
                return "says nothing" if self.asked else "waits to be asked"
            case Tongue.NOBODY | Tongue.HUNG_UP:
                return self.why
        return {Tongue.REDIS: "Redis"}.get(self.tongue, self.tongue.upper())


def speech(
    host: str, port: int, *, ask: bool = True, timeout_s: float = 2.0, patience_s: float | None = None
) -> Speech:
    """Say what the service at `host:port` speaks.

    `patience_s` is how long it may take to say something of its own accord; one that does not is asked, if `ask`.
    """
    deadline = Deadline(timeout_s)
    try:
        with socket.create_connection((host, port), timeout_s) as sock:
            said = _first_words(sock, timeout_s * QUIET_SHARE if patience_s is None else patience_s)
            if said is None:
                return _asked(sock, host, port, deadline) if ask else Speech(Tongue.SILENT)
            if not said:
                return Speech(
                    Tongue.HUNG_UP, why="closed at once: behind Docker's proxy nothing listens, or it turns us away"
                )
            return _spoken(sock, said, deadline)
    except TimeoutError:
        return Speech(Tongue.NOBODY, why=f"no connection within {timeout_s:g} s")
    except OSError as error:
        return Speech(Tongue.NOBODY, why=f"no connection: {error.strerror or error}")


def _first_words(sock: socket.socket, patience_s: float) -> bytes | None:
    """Return what comes of its own accord, b"" where the service hangs up, None where it waits."""
    sock.settimeout(patience_s)
    try:
        return sock.recv(4096)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


def _spoken(sock: socket.socket, said: bytes, deadline: Deadline) -> Speech:
    peer = handshake(sock, deadline, said) if begins(said) else None
    if peer is not None:
        return Speech(Tongue.ZMTP, said=said, peer=peer)
    tongue = next((Tongue(name) for words, name in FIRST_WORDS if words.match(said)), Tongue.TCP)
    return Speech(tongue, said=said)


def _asked(sock: socket.socket, host: str, port: int, deadline: Deadline) -> Speech:
    said = _reply(sock, QUESTION, len(b"HTTP/1.1 200"), deadline)
    found = ANSWER.match(said)
    if TLS_RECORD.match(said) or (found and found[1] == b"400" and _speaks_tls(host, port, deadline)):
        return Speech(Tongue.TLS, asked=True, said=said)
    if found:
        return Speech(Tongue.HTTP, asked=True, said=said, status=int(found[1]))
    if REDIS_ERROR.match(said):
        return Speech(Tongue.REDIS, asked=True, said=said)
    if HTTP2_SETTINGS.match(said):
        return Speech(Tongue.HTTP2, asked=True, said=said)
    if (
        not said and not deadline.passed and _speaks_tls(host, port, deadline)
    ):  # some hang up on whatever is no TLS, without an alert
        return Speech(Tongue.TLS, asked=True)
    return Speech(Tongue.TCP if said else Tongue.SILENT, asked=True, said=said)


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
    """Say whether what answers an HTTP question with 400, or not at all, wants TLS: nginx and Go do the former."""
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
