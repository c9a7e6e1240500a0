"""Whatever a peer says, over whatever protocol: a response, in time, that can be judged and shown."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import msgpack
import pytest
import zmq
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cutover.config import Codec, Errors, Expect, Message
from cutover.validate.expectations import findings
from cutover.validate.judge import Judge
from cutover.validate.talk import Address, Kind, Line, Question, Response, ResponseKind, question_of

EXPECT = Expect.model_validate({"json": {"a": [1]}, "numbers": {"$..a": {"min": 0}}, "text": "a", "error": False})
HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ANYTHING = st.one_of(
    st.binary(max_size=80),
    st.binary(max_size=80).map(lambda b: HTTP + b"Content-Length: %d\r\n\r\n" % len(b) + b),
    st.binary(max_size=80).map(lambda b: HTTP + b),
    st.recursive(st.none() | st.floats() | st.text() | st.binary(), st.lists, max_leaves=4).map(msgpack.packb),
)
WAYS = [(scheme, codec) for scheme in ("tcp", "http") for codec in Codec]


def judged(response: Response) -> None:
    """Judge and show a response; nothing may raise."""
    assert isinstance(response.kind, ResponseKind)
    assert response.elapsed_s < 4
    for finding in findings(EXPECT, response, Judge(Errors())):
        finding.message.encode()
        "".join(finding.evidence).encode()


@pytest.fixture
def saying(raw_server) -> tuple[list[bytes], int]:
    """Give a server that says what stands in a list, hangs up, and its port."""
    words: list[bytes] = [b""]

    def handle(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(words[0])

    return words, raw_server(handle)


@pytest.mark.parametrize(("scheme", "codec"), WAYS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=ANYTHING)
@example(said=b"[" * 100_000)
@example(said=HTTP + b"Content-Length: 100000\r\n\r\n" + b"[" * 100_000)
@example(said=HTTP + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
@example(said=b'{"a": "\\ud800"}\n')
def test_any_bytes(saying, scheme, codec, said):
    """On a stream."""
    words, port = saying
    words[0] = said
    request = "x" if codec is Codec.RAW else {"a": 1}
    with Line({5570: Address("127.0.0.1", port)}) as line:
        message = Message(to=f"{scheme}://:5570", request=request, codec=codec, timeout_s=3)
        judged(line.ask(question_of(message)))


@pytest.mark.parametrize("codec", Codec)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(ANYTHING, min_size=1, max_size=3))
@example(said=[b"[" * 100_000])
@example(said=[b"\x91" * 5000])
@example(said=[b"\x81\x91\x01\x02"])
def test_any_frames(answering, codec, said):
    """In a ZeroMQ message."""
    words, line = answering
    words[0] = said
    judged(line.ask(Question(Kind.ZMQ, 5570, body=b"x", codec=codec, timeout_s=3)))


@pytest.fixture
def answering(zmq_server) -> Iterator[tuple[list[list[bytes]], Line]]:
    """Give a REP that answers what stands in a list, and a line to it."""
    words: list[list[bytes]] = [[b""]]
    with Line({5570: Address("127.0.0.1", zmq_server(zmq.REP, lambda _: words[0]))}) as line:
        yield words, line


@pytest.mark.parametrize("header", [("a b", "x"), ("X", "a\r\nb"), ("X", "\u20ac"), ("", "")])
def test_a_question_that_is_no_http(http_server, header):
    """Where nobody checked it before: a response that says so."""
    with Line({80: Address("127.0.0.1", http_server(lambda *_: (200, {}, b"{}")))}) as line:
        judged(line.ask(Question(Kind.HTTP, 80, headers=(header,), timeout_s=3)))


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "\u20ac.invalid", "-", "::zz"])
@pytest.mark.parametrize("kind", Kind)
def test_a_host_that_is_none(host, kind):
    """It is refused."""
    with Line({}) as line:
        assert line.ask(Question(kind, 1, host=host, body=b"x", timeout_s=3)).kind is ResponseKind.REFUSED
