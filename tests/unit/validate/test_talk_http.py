"""HTTP: one connection that is kept, one deadline for all of a question, no proxy, every failure told as what it is."""

from __future__ import annotations

import gzip
import socket
import threading
import time

import pytest

from cutover.validate.talk import ResponseKind

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n"


def answering(*replies: bytes, then_close: bool = False):
    """Return a handler that answers each request of a connection with the next reply."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        for reply in replies:
            if not connection.recv(65536):
                return
            connection.sendall(reply)
        if not then_close:
            over.wait(5)

    return handle


def test_get_and_post(http_server, ask_at):
    """What is asked without a request is a GET; JSON goes with its content type, headers and query as they are said."""
    seen = []

    def answer(request, body):
        seen.append((request.command, request.path, request.headers.get("Content-Type"), request.headers["X-A"], body))
        return 200, {"Content-Type": "application/json"}, b'{"a": 1}'

    port = http_server(answer)
    assert ask_at(port, "http", "/x%20y?q=a b&c=%26")(headers={"X-A": "1"}).value == {"a": 1}
    response = ask_at(port, "http", "/m")({"b": [2]}, method="put", headers={"X-A": "2"})
    assert (response.code, response.headers["content-type"]) == (200, "application/json")
    assert seen == [
        ("GET", "/x%20y?q=a%20b&c=%26", None, "1", b""),
        ("PUT", "/m", "application/json", "2", b'{"b": [2]}'),
    ]


def test_the_connection_is_kept(raw_server, ask_at):
    """Three answers come over one connection."""
    connections = []

    def handle(connection: socket.socket, over: threading.Event) -> None:
        connections.append(connection)
        answering(*[OK + b'{"n": 1}'] * 3)(connection, over)

    ask = ask_at(raw_server(handle), "http")
    assert [ask().value for _ in range(3)] == [{"n": 1}] * 3
    assert len(connections) == 1


def test_a_server_that_closes_after_each_answer_without_a_word(raw_server, ask_at):
    """Its hang-up is not taken for a failure of the next question."""
    ask = ask_at(raw_server(answering(OK + b'{"n": 1}', then_close=True)), "http")
    assert [ask().value for _ in range(10)] == [{"n": 1}] * 10


def test_a_server_that_dies_on_the_third_request(raw_server, ask_at):
    """A connection that answered twice and hangs up is news."""
    ask = ask_at(raw_server(third_kills()), "http")
    assert [ask().kind for _ in range(3)] == [ResponseKind.ANSWER, ResponseKind.ANSWER, ResponseKind.CLOSED]


def third_kills():
    """Return a handler that reads a third request and hangs up."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        answering(OK + b'{"n": 1}', OK + b'{"n": 1}', then_close=True)(connection, over)
        connection.recv(65536)

    return handle


@pytest.mark.parametrize(
    ("reply", "value", "kind"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", None, ResponseKind.ANSWER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None, ResponseKind.ANSWER),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", "nope", ResponseKind.ANSWER),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", None, ResponseKind.ANSWER),
        (OK + b"{garbage", "{garbage", ResponseKind.GARBLED),
        (b"220 smtp ready\r\n", None, ResponseKind.GARBLED),
        (b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\r\n\r\n", None, ResponseKind.GARBLED),
        (OK + b"{", None, ResponseKind.CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx", None, ResponseKind.GARBLED),
        (b"", None, ResponseKind.CLOSED),
    ],
)
def test_every_kind_of_reply(raw_server, ask_at, reply, value, kind):
    """Nothing raises; what it is, is told."""
    response = ask_at(raw_server(answering(reply, then_close=True)), "http")(timeout_s=2)
    assert (response.kind, response.value) == (kind, value)
    assert response.elapsed_s < 1.5
    assert response.detail or kind is ResponseKind.ANSWER


def test_a_body_that_is_packed_although_nobody_asked(raw_server, ask_at):
    """It is unpacked, also where it comes in two parts or there is none."""
    whole, parts = gzip.compress(b'{"a": 1}'), gzip.compress(b'{"a"') + gzip.compress(b": 1}")
    ask = ask_at(raw_server(answering(packed(whole), packed(parts), packed(b""))), "http")
    assert [ask().value for _ in range(3)] == [{"a": 1}, {"a": 1}, None]


def packed(body: bytes) -> bytes:
    """Return a reply that claims to be gzip."""
    return f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (gzip.compress(b"x" * ((16 << 20) + 1)), "the unpacked answer is above 16 MiB"),
        (gzip.compress(b"hello")[:-8], "connected, but the packed body is cut short"),
        (gzip.compress(b"[1, 2]" * 1000)[:-20], "connected, but the packed body is cut short"),
        (gzip.compress(b"hello") + b"junk", "connected, but the body does not unpack: "),
        (gzip.compress(b"hello")[:-8] + bytes(8), "connected, but the body does not unpack: "),
    ],
    # Named, as gzip writes the time into its header: two workers that collect in two seconds must find the same tests.
    ids=["too-large", "cut-short", "cut-in-the-data", "junk-after", "wrong-checksum"],
)
def test_a_packed_body_that_is_not_whole(raw_server, ask_at, body, told):
    """Nothing of it is dropped in silence: what is too large, cut short or damaged is garbled."""
    response = ask_at(raw_server(answering(packed(body))), "http")()
    assert response.kind is ResponseKind.GARBLED
    assert response.detail.startswith(told)


def test_a_packed_body_just_as_large_as_it_may_be(raw_server, ask_at):
    """The limit itself is taken whole."""
    response = ask_at(raw_server(answering(packed(gzip.compress(b"x" * (16 << 20))))), "http")()
    assert len(response.body) == 16 << 20


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX-A: ", OK])
def test_bytes_that_drip(raw_server, ask_at, start):
    """Every read succeeds, and still the question ends with its time."""

    def drip(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(start)
        while not over.wait(0.05):
            connection.sendall(b" ")

    started = time.monotonic()
    response = ask_at(raw_server(drip), "http")(timeout_s=0.3)
    assert response.kind in {ResponseKind.TIMEOUT, ResponseKind.GARBLED}
    assert time.monotonic() - started < 1.5


def test_an_answer_that_comes_too_late_is_never_taken_for_the_next(raw_server, ask_at):
    """The connection of a question that timed out is of no use any more."""
    release = threading.Event()
    count = []

    def handle(connection: socket.socket, over: threading.Event) -> None:
        count.append(1)
        number = len(count)
        connection.recv(65536)
        if number == 1:
            release.wait(5)
        connection.sendall(OK + b'{"n": %d}' % number)
        over.wait(5)

    ask = ask_at(raw_server(handle), "http")
    assert ask(timeout_s=0.2).kind is ResponseKind.TIMEOUT
    release.set()
    assert ask().value == {"n": 2}


def test_no_proxy_is_used(http_server, ask_at, monkeypatch):
    """The environment has no say."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert ask_at(http_server(lambda *_: (200, {}, b"{}")), "http")().code == 200


def test_nobody_listens(closed_port, ask_at):
    """Refused at once."""
    response = ask_at(closed_port, "http")(timeout_s=5)
    assert response.kind is ResponseKind.REFUSED
    assert response.elapsed_s < 1


def test_https_where_http_is_spoken(http_server, ask_at):
    """No TLS could be agreed on."""
    response = ask_at(http_server(lambda *_: (200, {}, b"{}")), "https")(timeout_s=2)
    assert response.kind in {ResponseKind.GARBLED, ResponseKind.CLOSED}
    assert "TLS" in response.detail
