"""The bench's clients against the bench's server and against servers that misbehave, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from benching.ask_zmq import ZmqReq
from benching.asked import Kind, Log, Plan
from benching.client import load

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
RATE = 100.0


def seen(kind: Kind, answer: Answer, requests: int = 6) -> Log:
    """Return what a client saw of a server that answers so."""

    async def both() -> Log:
        async with served(answer) as port:
            return await asked(kind, port, requests)

    return asyncio.run(both())


async def asked(kind: Kind, port: int, requests: int, patience_s: float = 0.5) -> Log:
    """Return what a client saw after so many requests, about."""
    plan = Plan(kind, ("127.0.0.1",), port, RATE, time.monotonic(), patience_s, connections=1)

    def stopper(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        loop.call_later(requests / RATE, stop.set)

    return await load(plan, stopper)


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[int]:
    """Give the port of a server."""
    open_: list[asyncio.StreamWriter] = []

    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_.append(writer)
        try:
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(each, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_:
            writer.close()
        await asyncio.sleep(0)


async def ident_of(reader: asyncio.StreamReader) -> str:
    """Return the ID of the next HTTP request."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head.split()[1].partition(b"=")[2].decode()


def reply(ident: str, fields: str = "") -> bytes:
    """Return an HTTP answer."""
    body = f'{{"name": "one", "id": "{ident}"}}'
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{fields}\r\n{body}".encode()


def outcomes(log: Log) -> set[str]:
    """Return how the requests ended."""
    return {request.outcome for request in log.requests}


def test_a_connection_closed_before_a_request_is_reopened() -> None:
    """That is no failure: RFC 9112 has clients do so. But it is counted."""

    async def one_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(await ident_of(reader)))

    log = seen(Kind.HTTP_KEPT, one_each)
    assert outcomes(log) == {"ok"}
    assert log.reopened >= 4
    assert log.broken == 0


def test_a_connection_closed_on_a_request_is_a_failure() -> None:
    """Nobody may send it again on the client's behalf."""

    async def hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await ident_of(reader)

    log = seen(Kind.HTTP_KEPT, hang_up)
    assert outcomes(log) <= {"closed", "reset"}
    assert log.broken == len(log.requests) >= 2


def test_an_answer_to_another_request_is_wrong() -> None:
    """Somebody else's answer is worse than none."""

    async def mixed_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ident_of(reader)
        writer.write(reply("http-new-999"))

    assert outcomes(seen(Kind.HTTP_NEW, mixed_up)) == {"wrong"}


def test_two_answers_to_one_request_are_seen() -> None:
    """Over HTTP as what follows the answer, on a stream as a line that nobody waits for."""

    async def both_colours(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(2 * reply(await ident_of(reader)))

    async def echo_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(b"one " + line + b"two " + line)

    assert "twice" in outcomes(seen(Kind.HTTP_KEPT, both_colours))
    assert outcomes(seen(Kind.TCP, echo_twice)) == {"ok", "twice"}


def test_a_status_is_a_failure_by_its_number() -> None:
    """A proxy that has no server says 503."""

    async def unavailable(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ident_of(reader)
        writer.write(b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")

    assert outcomes(seen(Kind.HTTP_NEW, unavailable)) == {"status 503"}


def test_the_schedule_holds_while_nobody_answers() -> None:
    """A closed loop would send one request and wait: that would be the whole of the failure."""

    async def never(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    for kind in (Kind.HTTP_NEW, Kind.HTTP_KEPT, Kind.TCP):
        log = seen(kind, never, requests=20)
        assert len(log.requests) >= 15, kind
        assert outcomes(log) == {"lost"}


def test_a_broken_stream_is_counted_and_replaced() -> None:
    """Its lines fail, the next one opens another."""

    async def three_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            writer.write(b"one " + await reader.readuntil(b"\n"))

    log = seen(Kind.TCP, three_lines, requests=12)
    assert log.broken >= 2
    assert "ok" in outcomes(log)


def test_refused_is_refused() -> None:
    """Nobody listens."""

    async def nobody() -> Log:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = int(taken.getsockname()[1])
        return await asked(Kind.HTTP_NEW, port, 3)

    assert outcomes(asyncio.run(nobody())) == {"refused"}


@pytest.fixture
def zmq_server() -> Iterator[int]:
    """Give the port of a REP server that answers each third request with the answer before."""
    program = (
        "import json, zmq, sys\n"
        "s = zmq.Context().socket(zmq.REP)\n"
        "print(s.bind_to_random_port('tcp://127.0.0.1'), flush=True)\n"
        "old, n = {}, 0\n"
        "while True:\n"
        "    new = {'name': 'one', 'id': json.loads(s.recv()).get('id')}\n"
        "    n += 1\n"
        "    s.send_json(old if n % 3 == 0 else new)\n"
        "    old = new\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def test_an_older_answer_on_a_req_socket_came_twice(zmq_server: int) -> None:
    """The ID tells; a REQ socket takes whatever comes for the answer."""
    log = asyncio.run(asked(Kind.ZMQ, zmq_server, 9, patience_s=5.0))
    assert "ok" in outcomes(log)
    assert outcomes(log) & {"twice", "wrong"}, "on a busy machine requests overtake each other: then it is only wrong"


def test_req_sockets_hold_the_schedule_and_lose_requests() -> None:
    """One that waits is not asked again; others are, until nobody has answered for as long as the patience lasts."""

    async def silent() -> Log:
        log = Log(Kind.ZMQ)
        asker = ZmqReq(Plan(Kind.ZMQ, ("127.0.0.1",), 1, RATE, time.monotonic()), log)
        tasks = [asyncio.create_task(asyncio.wait_for(asker.ask(f"zmq-req-{n}", "127.0.0.1"), 0.2)) for n in range(20)]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await asker.close()
        assert all(isinstance(each, TimeoutError) for each in ended)
        return log

    assert asyncio.run(silent()).broken == 20


def test_what_a_late_client_did_not_send_is_not_lost() -> None:
    """It is the client's own machine that was too busy; and the past is not sent all at once."""

    async def late() -> Log:
        async with served(echo) as port:
            plan = Plan(Kind.TCP, ("127.0.0.1",), port, RATE, time.monotonic() - 3.0, connections=1)
            return await load(plan, lambda loop, stop: loop.call_later(0.2, stop.set) and None)

    log = asyncio.run(late())
    assert 190 <= log.unsent <= 240
    assert outcomes(log) == {"ok"}


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each line."""
    while line := await reader.readline():
        writer.write(b"one " + line)
