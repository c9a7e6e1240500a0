"""TCP: lines of JSON, msgpack, or raw text; a connection that is kept where the peer keeps it."""

from __future__ import annotations

import json
import socket
import threading
import time

import msgpack
import pytest

from cutover.validate.talk import ResponseKind


def lines(connection: socket.socket, over: threading.Event) -> None:
    """Answer each line of JSON with itself."""
    with connection.makefile("rb") as stream:
        for line in stream:
            connection.sendall(json.dumps({"got": json.loads(line)}).encode() + b"\n")


def test_lines_of_json_over_one_connection(raw_server, ask_at):
    """A question is a line, so is its answer."""
    connections = []

    def handle(connection: socket.socket, over: threading.Event) -> None:
        connections.append(1)
        lines(connection, over)

    ask = ask_at(raw_server(handle), "tcp")
    assert [ask({"n": n}).value for n in range(50)] == [{"got": {"n": n}} for n in range(50)]
    assert len(connections) == 1


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ([b'{"a": 1}'], {"a": 1}),
        ([b'{"a"', b": 1", b"}"], {"a": 1}),
        ([b"{\n", b' "a": 1\n', b"}\n"], {"a": 1}),
        ([b"tr", b"ue\n"], True),
        ([b'"}', b'"\n'], "}"),
    ],
)
def test_json_in_parts(raw_server, ask_at, parts, value):
    """It is whole when it can be read, with or without a newline."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(100)
        for part in parts:
            connection.sendall(part)
            over.wait(0.02)
        over.wait(5)

    response = ask_at(raw_server(handle), "tcp")("x", timeout_s=3)
    assert (response.kind, response.value) == (ResponseKind.ANSWER, value)
    assert response.elapsed_s < 1


def test_msgpack_ends_by_itself(raw_server, ask_at):
    """No delimiter is needed."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        body = msgpack.packb({"got": msgpack.unpackb(connection.recv(100)), "long": "x" * 300})
        connection.sendall(body[:20])
        over.wait(0.02)
        connection.sendall(body[20:])
        over.wait(5)

    response = ask_at(raw_server(handle), "tcp")({"a": 1}, codec="msgpack")
    assert response.value == {"got": {"a": 1}, "long": "x" * 300}


def test_raw_text_ends_with_silence_that_does_not_count(raw_server, ask_at):
    """Two parts of one text belong together; waiting for more of it is not the service's time."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        while connection.recv(100):
            connection.sendall(b"$3\r\n")
            over.wait(0.01)
            connection.sendall(b"foo\r\n")

    ask = ask_at(raw_server(handle), "tcp")
    for _ in range(2):
        response = ask("GET x\r\n", codec="raw")
        assert response.value == "$3\r\nfoo\r\n"
        assert response.elapsed_s < 0.1


def test_a_peer_that_hangs_up_after_each_answer(raw_server, ask_at):
    """Every question gets its answer, over connections of their own."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b'{"got": ' + connection.recv(100).strip() + b"}\n")

    ask = ask_at(raw_server(handle), "tcp")
    assert [ask(n).value for n in range(20)] == [{"got": n} for n in range(20)]


def test_an_answer_that_comes_too_late_is_never_taken_for_the_next(raw_server, ask_at):
    """Neither is one that was sent unasked."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        while request := connection.recv(100):
            if request == b'"slow"\n':
                over.wait(0.3)
            connection.sendall(request + b'"unasked"\n')

    ask = ask_at(raw_server(handle), "tcp")
    assert ask("slow", timeout_s=0.1).kind is ResponseKind.TIMEOUT
    assert [ask(text).value for text in "bcd"] == list("bcd")


def test_bytes_that_drip(raw_server, ask_at):
    """The question ends with its time, and says that an answer had begun."""

    def drip(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(100)
        while not over.wait(0.02):
            connection.sendall(b"{")

    started = time.monotonic()
    for codec in ("json", "raw"):
        response = ask_at(raw_server(drip), "tcp")("x", timeout_s=0.3, codec=codec)
        assert response.kind is ResponseKind.TIMEOUT
        assert response.detail == "the answer began, and had no end within 0.3 s"
    assert time.monotonic() - started < 2


def test_a_line_that_is_no_json(raw_server, ask_at):
    """It is told at once."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(100)
        connection.sendall(b"-ERR unknown command\r\n")
        over.wait(5)

    response = ask_at(raw_server(handle), "tcp")("x", timeout_s=5)
    assert (response.kind, response.value) == (ResponseKind.GARBLED, "-ERR unknown command\r\n")
    assert response.elapsed_s < 1


def test_a_hang_up_without_a_word(raw_server, ask_at):
    """As docker-proxy does where nobody listens inside; asked and not asked."""
    port = raw_server(lambda *_: None)
    assert ask_at(port, "tcp")("x").kind is ResponseKind.CLOSED
    assert ask_at(port, "tcp")().kind is ResponseKind.CLOSED


def test_only_a_connection(raw_server, ask_at):
    """Where nothing is sent, a connection that stays is the answer."""
    ask = ask_at(raw_server(lambda _, over: over.wait(5)), "tcp")
    assert [ask().kind for _ in range(2)] == [ResponseKind.ANSWER] * 2


def test_nobody_listens(closed_port, ask_at):
    """Refused at once."""
    response = ask_at(closed_port, "tcp")("x", timeout_s=5)
    assert response.kind is ResponseKind.REFUSED
    assert response.elapsed_s < 1
