"""TCP: lines of JSON, msgpack, or raw text; a connection that is kept where the peer keeps it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time

import msgpack
import pytest

from cutover.errors import UsageError
from cutover.validate.talk import ResponseKind


def lines(connection: socket.socket, over: threading.Event) -> None:
    """Answer each line of JSON with itself."""
    with connection.makefile("rb") as stream:
        for line in stream:
            connection.sendall(json.dumps({"got": json.loads(line)}).encode() + b"\n")


def test_lines_of_json_over_one_connection_where_it_is_kept(raw_server, ask_at):
    """A question is a line, so is its answer."""
    connections = []

    def handle(connection: socket.socket, over: threading.Event) -> None:
        connections.append(1)
        lines(connection, over)

    ask = ask_at(raw_server(handle), "tcp")
    assert [ask({"n": n}, keep=True).value for n in range(20)] == [{"got": {"n": n}} for n in range(20)]
    assert len(connections) == 1
    assert [ask({"n": n}).value for n in range(3)] == [{"got": {"n": n}} for n in range(3)]
    assert len(connections) == 4


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


@pytest.mark.parametrize("keep", [False, True])
def test_an_answer_that_comes_too_late_is_never_taken_for_the_next(raw_server, ask_at, keep):
    """The connection on which it would come is closed."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        while request := connection.recv(100):
            if request == b'"slow"\n':
                over.wait(0.3)
            connection.sendall(request)

    ask = ask_at(raw_server(handle), "tcp")
    assert ask("slow", timeout_s=0.1, keep=keep).kind is ResponseKind.TIMEOUT
    assert [ask(text, keep=keep).value for text in "bcd"] == list("bcd")


@pytest.mark.parametrize(("codec", "pause_s"), [("raw", 0.25), ("json", 0.15), ("msgpack", 0.15)])
def test_a_late_rest_is_never_the_answer_to_the_next_question(raw_server, ask_at, codec, pause_s):
    """It comes while the next question is under way, over another connection."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        while request := connection.recv(100):
            connection.sendall(request)
            over.wait(pause_s)
            with contextlib.suppress(OSError):
                connection.sendall(msgpack.packb("late") if codec == "msgpack" else b'"late"\n')

    ask = ask_at(raw_server(handle), "tcp")
    assert [ask(text, codec=codec).value for text in ("one", "two", "three")] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("parts", "codec", "value"),
    [
        ([b'{"a":1}\n{"a":2}\n'], "json", [{"a": 1}, {"a": 2}]),
        ([b'{"a":1}\n', b'{"a":3}\n', b"[4]\n"], "json", [{"a": 1}, {"a": 3}, [4]]),
        ([b'1\n"x"\r\n\n'], "json", [1, "x"]),
        ([b'{"a":1}{"a":2}'], "json", [{"a": 1}, {"a": 2}]),
        ([msgpack.packb({"a": 1}) + msgpack.packb([2])], "msgpack", [{"a": 1}, [2]]),
    ],
)
def test_several_values_are_one_answer(raw_server, ask_at, parts, codec, value):
    """What comes at once with the first line belongs to it: a second line that differs can be seen."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(100)
        for part in parts:
            connection.sendall(part)
        over.wait(5)

    response = ask_at(raw_server(handle), "tcp")("x", codec=codec, timeout_s=3)
    assert (response.kind, response.value, response.body) == (ResponseKind.ANSWER, value, b"".join(parts))
    assert response.elapsed_s < 1


@pytest.mark.parametrize(
    ("body", "codec"),
    [
        (b'{"a":1}\n{"b":', "json"),
        (b'{"a":1}\ngarbage\n', "json"),
        (msgpack.packb(1) + b"\xa9cut", "msgpack"),
        (b"\xc1", "msgpack"),
    ],
)
def test_a_second_line_that_cannot_be_read(raw_server, ask_at, body, codec):
    """It makes the whole answer garbled, told at once; nothing of it is dropped."""

    def handle(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(100)
        connection.sendall(body)
        over.wait(5)

    response = ask_at(raw_server(handle), "tcp")("x", codec=codec, timeout_s=3)
    assert (response.kind, response.body) == (ResponseKind.GARBLED, body)
    assert response.elapsed_s < 1


def test_raw_text_cannot_keep_its_connection(ask_at):
    """It has no end that could be told; nothing is asked."""
    with pytest.raises(UsageError, match=r"`keep: true` needs codec json or msgpack"):
        ask_at(1, "tcp")("x", codec="raw", keep=True)


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
