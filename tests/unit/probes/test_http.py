"""HTTP and HTTPS probes against real servers, well-behaved and not."""

from __future__ import annotations

import http.server
import os
import socket
import statistics
import threading

import pytest

from cutover.probes import ask, parse
from tests.unit.probes.conftest import HttpServer, RawServer

OK = b'{"status":"ok","agent":"blue-1"}'


def _says(text: bytes, *, then_stay: bool = False) -> object:
    def handler(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(text)
        if then_stay:
            over.wait()

    return handler


def test_health_answers_with_its_identity(http_server: HttpServer) -> None:
    """A healthy endpoint is ok, and tells who it is."""
    port = http_server(lambda request, _: (200 if request.path == "/health" else 404, {}, OK))
    answer = ask(parse("http://:1/health?expect=status:ok&identity=agent"), "127.0.0.1", port, timeout_s=5)
    assert (answer.ok, answer.identity, answer.detail) == (True, "blue-1", "")
    wrong = ask(parse("http://:1/"), "127.0.0.1", port, timeout_s=5)
    assert wrong.detail.startswith("answered with HTTP status 404, not 2xx: ")


def test_everything_said_reaches_the_server(http_server: HttpServer) -> None:
    """Method, headers, query, user and body are sent; JSON says that it is JSON."""
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    def note(request: http.server.BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        seen.append((request.command, request.path, {k.lower(): v for k, v in request.headers.items()}, body))
        return 200, {}, b""

    port = http_server(note)
    text = 'http://u:p%40w@:1/a?send={"a":1}&header=X-A:b&header=Host:blue.example&query=k=v w'
    assert ask(parse(text), "127.0.0.1", port, timeout_s=5).ok
    assert ask(parse("http://:1/?method=PUT&send=x&header=User-Agent:me"), "127.0.0.1", port, timeout_s=5).ok
    (method, path, headers, body), (method_2, _, headers_2, body_2) = seen
    assert (method, path, body) == ("POST", "/a?k=v+w", b'{"a":1}')
    assert headers["x-a"] == "b"
    assert headers["host"] == "blue.example"
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == "Basic dTpwQHc="
    assert (method_2, body_2, headers_2["user-agent"]) == ("PUT", b"x", "me")


def test_no_proxy_is_ever_used(http_server: HttpServer, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment would answer for the service: it is not asked."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    assert ask(parse("http://:1/"), "127.0.0.1", http_server(lambda *_: (200, {}, OK)), timeout_s=5).ok


def test_redirects_are_followed_only_when_asked(http_server: HttpServer) -> None:
    """A redirect is an answer of its own, unless the spec says otherwise; a loop of them ends."""
    port = http_server(
        lambda request, _: (
            (200, {}, OK) if request.path == "/end" else (302, {"Location": request.path[1:] or "/end"}, b"")
        )
    )
    assert "status 302" in ask(parse("http://:1/"), "127.0.0.1", port, timeout_s=5).detail
    assert ask(parse("http://:1/?follow=yes"), "127.0.0.1", port, timeout_s=5).ok
    assert "redirects" in ask(parse("http://:1/loop?follow=yes"), "127.0.0.1", port, timeout_s=5).detail


def test_refused_is_said(closed_port: int) -> None:
    """Nobody listens: refused, at once."""
    answer = ask(parse("http://:1/"), "127.0.0.1", closed_port, timeout_s=5)
    assert (answer.ok, answer.detail) == (False, "refused")
    assert answer.elapsed_s < 1


def test_hanging_up_is_told(raw_server: RawServer) -> None:
    """docker-proxy accepts and closes when nobody listens inside."""
    answer = ask(parse("http://:1/"), "127.0.0.1", raw_server(_says(b"")), timeout_s=5)
    assert "closed without an answer" in answer.detail


def test_an_answer_that_is_no_http_is_told(raw_server: RawServer) -> None:
    """A ZMTP greeting on the HTTP port is not taken for silence."""
    answer = ask(parse("http://:1/"), "127.0.0.1", raw_server(_says(b"\xff\0\0\0\0\0\0\0\1\x7f\r\n\r\n")), timeout_s=5)
    assert "the answer is no HTTP" in answer.detail


def test_a_body_cut_short_is_told(raw_server: RawServer) -> None:
    """Half an answer is not an answer."""
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    answer = ask(parse("http://:1/"), "127.0.0.1", raw_server(_says(half)), timeout_s=5)
    assert not answer.ok
    assert "closed" in answer.detail


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_dripping_ends_with_the_deadline(raw_server: RawServer, start: bytes) -> None:
    """Silence, headers that never end and bodies that never end all fit in the time."""

    def drip(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(start)
        while not over.wait(0.02):
            connection.sendall(b"x" if start else b"")

    answer = ask(parse("http://:1/"), "127.0.0.1", raw_server(drip), timeout_s=0.3)
    assert answer.detail == "connected, but no answer within 0.3 s"
    assert 0.25 < answer.elapsed_s < 0.8


def test_an_endless_body_is_cut_at_a_mebibyte(raw_server: RawServer) -> None:
    """A flood neither fills memory nor outlasts the deadline."""

    def flood(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"x" * 65536)

    answer = ask(parse("http://:1/?expect=/y/"), "127.0.0.1", raw_server(flood), timeout_s=20)
    assert "nothing matches /y/" in answer.detail
    assert answer.elapsed_s < 10


def test_tls_that_nobody_speaks_ends(raw_server: RawServer) -> None:
    """HTTPS towards a plain or a silent port is told, and ends with the deadline."""
    plain = ask(parse("https://:1/?verify=no"), "127.0.0.1", raw_server(_says(b"HTTP/1.0 400 x\r\n\r\n")), timeout_s=5)
    silent = ask(parse("https://:1/?verify=no"), "127.0.0.1", raw_server(_says(b"", then_stay=True)), timeout_s=0.3)
    assert plain.detail.startswith("connected, but TLS failed: ")
    assert silent.detail == "connected, but no TLS handshake within 0.3 s"


def test_a_thousand_questions_are_quick_and_leave_nothing_behind(http_server: HttpServer) -> None:
    """The median question on loopback takes less than 10 ms, and no descriptor is left."""
    port = http_server(lambda *_: (200, {}, OK))
    spec = parse("http://:1/?expect=status:ok")
    ask(spec, "127.0.0.1", port, timeout_s=5)
    answers = [ask(spec, "127.0.0.1", port, timeout_s=5) for _ in range(20)]
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    answers += [ask(spec, "127.0.0.1", port, timeout_s=5) for _ in range(300)]
    assert all(answer.ok for answer in answers)
    assert statistics.median(answer.elapsed_s for answer in answers) < 0.010
    assert len(os.listdir("/proc/self/fd")) <= before + 2  # noqa: PTH208
