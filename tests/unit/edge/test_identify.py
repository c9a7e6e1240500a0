"""What a port speaks: real servers of each kind, and services that say odd things."""

from __future__ import annotations

import http.server
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq

from cutover.edge.identify import Identified, identify
from cutover.edge.shape import Mode
from tests.unit.edge.talkers import HOST, answering, bound, saying, serving

QUICK_S = 0.4


@contextmanager
def http_server(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Give the port of Python's own HTTP server."""
    server = http.server.ThreadingHTTPServer((HOST, 0), _Quiet)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


class _Quiet(http.server.BaseHTTPRequestHandler):
    timeout = 5

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def tls() -> ssl.SSLContext:
    """Give a server's side of TLS; it has no certificate, so its answer to a hello is an alert."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("REP", Mode.REP),
        ("ROUTER", Mode.ROUTER),
        ("PUB", Mode.PUB),
        ("XPUB", Mode.PUB),
        ("PULL", Mode.PULL),
        ("PUSH", Mode.PUSH),
        ("SUB", Mode.TCP),
        ("DEALER", Mode.TCP),
        ("PAIR", Mode.TCP),
    ],
)
@pytest.mark.parametrize("hint", [None, "zmq", "http"])
def test_zeromq_tells_itself(kind: str, mode: Mode, hint: str | None) -> None:
    """Whatever the hint says: the service knows better."""
    with bound(getattr(zmq, kind)) as (_, port):
        found = identify(HOST, port, hint)
    assert found.mode is mode
    assert re.match(rf"ZMTP 3\.\d, a {kind} socket", found.evidence)


def test_zeromq_with_curve_is_forwarded_as_bytes() -> None:
    """A broker has not the server's key."""
    public, secret = zmq.curve_keypair()
    with bound(zmq.REP, curve_server=True, curve_publickey=public, curve_secretkey=secret) as (_, port):
        found = identify(HOST, port)
    assert found.mode is Mode.TCP
    assert "CURVE" in found.evidence


def test_an_http_server_is_asked_once_it_is_silent() -> None:
    """Python's does not know the method, and its answer is HTTP all the same."""
    with http_server() as port:
        assert identify(HOST, port) == Identified(Mode.HTTP, "answers OPTIONS * with HTTP 501")


@pytest.mark.parametrize(
    ("hint", "mode"), [("http", Mode.HTTP), ("tcp", Mode.TCP), ("zmq", Mode.TCP)], ids=["http", "tcp", "zmq"]
)
def test_a_silent_service_with_a_hint_is_asked_nothing(hint: str, mode: Mode) -> None:
    """Not one byte comes to it."""
    heard: list[bytes] = []
    with serving(lambda connection: heard.append(connection.recv(99))) as port:
        assert identify(HOST, port, hint, QUICK_S).mode is mode
    assert heard == [b""]


def test_https_is_tcp(tls: ssl.SSLContext) -> None:
    """OpenSSL tells so by an alert, or by hanging up."""
    with http_server(tls) as port:
        assert identify(HOST, port).mode is Mode.TCP


def test_https_that_explains_itself_over_plain_http_is_tcp(tls: ssl.SSLContext) -> None:
    """As nginx and Go do: 400, while it wants TLS."""

    def serve(connection: socket.socket) -> None:
        if connection.recv(1, socket.MSG_PEEK) == b"\x16":
            tls.wrap_socket(connection, server_side=True).close()
        elif connection.recv(99):
            connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port")

    with serving(serve) as port:
        assert identify(HOST, port) == Identified(Mode.TCP, "TLS: the edge cannot read what is in it")


def test_a_plain_400_is_http() -> None:
    """As of nginx, which has no answer to the question."""
    with serving(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert identify(HOST, port) == Identified(Mode.HTTP, "answers OPTIONS * with HTTP 400")


def test_a_tls_alert_is_told() -> None:
    """The first bytes of one suffice."""
    with serving(answering(b"\x15\x03\x03\0\x02\x02\x46")) as port:
        assert "TLS" in identify(HOST, port).evidence


@pytest.mark.parametrize(
    "words",
    [
        b"220 mail ESMTP\r\n",
        b"J\0\0\0\n8.0.36",
        b"+OK\r\n",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xff",
        b"HTTP/1.1 200",
    ],
    ids=["mail", "mysql", "pop", "ff", "half a signature", "http unasked"],
)
def test_whoever_speaks_first_is_tcp(words: bytes) -> None:
    """But for ZMTP."""
    with serving(saying(words)) as port:
        found = identify(HOST, port, None, QUICK_S)
    assert found.mode is Mode.TCP


@pytest.mark.parametrize(
    "reply", [b"", b"-ERR unknown command\r\n", b"RTSP/1.0 200 OK\r\n\r\n", b"HTTP/2 what", b"HTTP/1.1"]
)
def test_another_answer_is_tcp(reply: bytes) -> None:
    """So is none."""
    with serving(answering(reply)) as port:
        assert identify(HOST, port, None, QUICK_S).mode is Mode.TCP


def test_an_answer_in_pieces_is_read_to_its_status() -> None:
    """A slow server is one as well."""

    def serve(connection: socket.socket) -> None:
        connection.recv(99)
        for byte in b"HTTP/1.1 204 No Content":
            connection.sendall(bytes([byte]))

    with serving(serve) as port:
        assert identify(HOST, port).mode is Mode.HTTP


def test_nobody_there() -> None:
    """Refused, or closed at once as Docker's proxy does."""
    with serving(lambda _: None) as port:
        assert identify(HOST, port).mode is None
    found = identify(HOST, port)
    assert (found.mode, found.evidence) == (None, "no connection: Connection refused")


def test_a_name_that_is_unknown() -> None:
    """Nobody either, in one clause."""
    found = identify("nobody.invalid", 1)
    assert found.mode is None
    assert found.evidence.startswith("no connection: ")
