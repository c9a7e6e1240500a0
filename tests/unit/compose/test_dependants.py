"""The dependants never wait for ever, and name what failed."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
import zmq
from language_stack import health
from language_stack.agent_chat import Line, talk
from language_stack.agent_watch import look
from language_stack.count import Count
from language_stack.healthcheck import status


@pytest.fixture
def manager() -> Iterator[zmq.Socket[bytes]]:
    """Bind a REP socket to a free port of the loopback."""
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        socket.bind("tcp://127.0.0.1:*")
        yield socket


def address_of(socket: zmq.Socket[bytes]) -> str:
    """Return host:port."""
    return socket.getsockopt_string(zmq.LAST_ENDPOINT).removeprefix("tcp://")


def test_a_line_that_got_no_answer_is_replaced(manager: zmq.Socket[bytes]) -> None:
    """A REQ socket whose request was lost would wait for ever."""
    count = Count("agent_chat")
    line = Line(address_of(manager), 0.3)
    talk(line, count, 0)  # nobody answers
    manager.recv()
    manager.send(b"{}")  # too late, to a closed socket
    line._timeout_ms = 5000
    first = _answer_next(manager, b'{"status": "ok", "service": "green"}')
    talk(line, count, 1)
    first.join()
    line.close()
    assert count.read()["failures"] == {"timeout": 1}
    assert count.read()["answered_by"] == {"green": 1}


@pytest.mark.parametrize(
    ("reply", "kind"), [(b"x", "junk"), (b"{}", "junk"), (b"[]", "junk"), (b'{"status": "error"}', "status error")]
)
def test_a_bad_answer_is_a_failure(manager: zmq.Socket[bytes], reply: bytes, kind: str) -> None:
    """Any answer is not good enough."""
    count = Count("agent_chat")
    line = Line(address_of(manager), 5)
    answering = _answer_next(manager, reply)
    talk(line, count, 0)
    answering.join()
    line.close()
    assert count.read()["failures"] == {kind: 1}


@pytest.mark.parametrize(
    ("value", "failures"),
    [
        ({"status": "ok", "service": "blue"}, {}),
        ({"status": "degraded", "service": "blue"}, {"status 503": 1}),
        ({"status": "ok"}, {"junk": 1}),
    ],
)
def test_health_is_watched(value: dict[str, Any], failures: dict[str, int]) -> None:
    """Through the same server that the managers use."""
    count = Count("agent_watch")
    server = health.serve(("127.0.0.1", 0), lambda: value)
    try:
        look(f"127.0.0.1:{server.server_address[1]}", 5, count)
    finally:
        server.shutdown()
        server.server_close()
    assert count.read()["failures"] == failures


def test_nobody_there_is_refused() -> None:
    """Port 1 of the loopback."""
    count = Count("agent_watch")
    look("127.0.0.1:1", 1, count)
    assert count.read()["failures"] == {"refused": 1}


def _answer_next(manager: zmq.Socket[bytes], reply: bytes) -> Thread:
    def answer() -> None:
        manager.recv()
        manager.send(reply)

    thread = Thread(target=answer)
    thread.start()
    return thread


@pytest.mark.parametrize(("state", "code"), [("ok", 200), ("degraded", 503)])
def test_the_healthcheck_reads_the_status(state: str, code: int) -> None:
    """By hand on a socket, against the managers' own server."""
    server = health.serve(("127.0.0.1", 0), lambda: {"status": state})
    try:
        assert status(f"http://127.0.0.1:{server.server_address[1]}/health", 5) == code
    finally:
        server.shutdown()
        server.server_close()
