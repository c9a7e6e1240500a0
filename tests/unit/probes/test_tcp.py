"""Raw TCP probes against real sockets."""

from __future__ import annotations

import socket
import threading

import pytest

from cutover.probes import ask, parse, tcp
from tests.unit.probes.conftest import RawServer


def _stay(_: socket.socket, over: threading.Event) -> None:
    over.wait()


def _pong(connection: socket.socket, _: threading.Event) -> None:
    while data := connection.recv(100):
        connection.sendall(b"+PONG\r\n" if data == b"PING\r\n" else b"-ERR\r\n")


def _drip(connection: socket.socket, over: threading.Event) -> None:
    while not over.wait(0.02):
        connection.sendall(b"x")


def test_an_open_connection_is_enough_where_nothing_is_expected(raw_server: RawServer) -> None:
    """`tcp://:PORT` asks only whether somebody is there."""
    answer = ask(parse("tcp://:1"), "127.0.0.1", raw_server(_stay), timeout_s=5)
    assert (answer.ok, answer.detail) == (True, "connected, and the connection stays")


def test_a_connection_that_is_hung_up_at_once_is_not_enough(
    raw_server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docker-proxy accepts connections for a container in which nobody listens: that is no answer."""
    monkeypatch.setattr(tcp, "SETTLE_S", 2.0)  # a busy machine may take its time to hang up
    answer = ask(parse("tcp://:1"), "127.0.0.1", raw_server(lambda *_: None), timeout_s=5)
    assert not answer.ok
    assert "nothing listens inside" in answer.detail


def test_a_reset_is_told(raw_server: RawServer) -> None:
    """A connection that is reset is told from one that is closed."""

    def reset(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    answer = ask(parse("tcp://:1?send=abc"), "127.0.0.1", raw_server(reset), timeout_s=5)
    assert answer.detail == "connected, but cut off: Connection reset by peer"


def test_refused_is_said(closed_port: int) -> None:
    """Nobody listens: refused, at once."""
    answer = ask(parse("tcp://:1"), "127.0.0.1", closed_port, timeout_s=5)
    assert (answer.ok, answer.detail) == (False, "refused")


def test_question_and_answer(raw_server: RawServer) -> None:
    """Bytes are sent and looked for in what comes back."""
    port = raw_server(_pong)
    assert ask(parse("tcp://:1?send=PING%0D%0A&expect=+PONG"), "127.0.0.1", port, timeout_s=5).ok
    wrong = ask(parse("tcp://:1?send=PUNG%0D%0A&expect=+PONG"), "127.0.0.1", port, timeout_s=0.3)
    assert wrong.detail == "answered, but without '+PONG': '-ERR  '"


def test_an_answer_in_pieces_is_put_together(raw_server: RawServer) -> None:
    """Reading goes on until the expectation and the identity are there."""

    def pieces(connection: socket.socket, over: threading.Event) -> None:
        for piece in (b'{"agent":', b'"blue","status"', b':"ok"}'):
            connection.sendall(piece)
            over.wait(0.03)
        over.wait()

    answer = ask(parse("tcp://:1?expect=/ok/&identity=agent"), "127.0.0.1", raw_server(pieces), timeout_s=5)
    assert (answer.ok, answer.identity) == (True, "blue")
    assert answer.elapsed_s < 1


def test_the_question_waits_for_the_banner(raw_server: RawServer) -> None:
    """Servers that speak first are let finish; their banner is no answer to the question."""

    def greet(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(b"220 ready\r\n")
        connection.sendall(b"250 " + connection.recv(100))

    port = raw_server(greet)
    assert ask(parse("tcp://:1?banner=220&send=NOOP&expect=250 NOOP"), "127.0.0.1", port, timeout_s=5).ok
    assert ask(parse("tcp://:1?banner=/^220/"), "127.0.0.1", port, timeout_s=5).ok
    answer = ask(parse("tcp://:1?banner=/^421/&send=NOOP"), "127.0.0.1", port, timeout_s=0.3)
    assert answer.detail == "no banner: answered, but nothing matches /^421/: '220 ready  '"


def test_silence_and_dripping_end_with_the_deadline(raw_server: RawServer) -> None:
    """The whole question fits in the time, however the peer stretches it."""
    silent = ask(parse("tcp://:1?expect=x"), "127.0.0.1", raw_server(_stay), timeout_s=0.3)
    dripped = ask(parse("tcp://:1?expect=/y/"), "127.0.0.1", raw_server(_drip), timeout_s=0.3)
    assert silent.detail == "connected, but no answer within 0.3 s"
    assert "nothing matches /y/" in dripped.detail
    assert silent.elapsed_s < 0.6
    assert dripped.elapsed_s < 0.6


def test_an_endless_answer_is_cut_at_a_mebibyte(raw_server: RawServer) -> None:
    """A flood neither fills memory nor outlasts the deadline."""

    def flood(connection: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            connection.sendall(b"x" * 65536)

    answer = ask(parse("tcp://:1?expect=y"), "127.0.0.1", raw_server(flood), timeout_s=20)
    assert "without 'y'" in answer.detail
    assert answer.elapsed_s < 10


def test_a_question_that_is_not_taken_ends_with_the_deadline(raw_server: RawServer) -> None:
    """A peer that never reads blocks the sending of a large question; the deadline ends that too."""
    body = "x" * (16 << 20)
    answer = ask(parse(f"tcp://:1?send={body}"), "127.0.0.1", raw_server(_stay), timeout_s=0.5)
    assert answer.detail == "connected, but the question was not taken within 0.5 s"
    assert answer.elapsed_s < 1.5
