"""ZeroMQ: a socket is kept while all goes well, and thrown away when it does not; no late reply is ever taken."""

from __future__ import annotations

import socket
import threading
import time

import msgpack
import pytest
import zmq

from cutover.config import Message, Socket
from cutover.errors import UsageError
from cutover.validate.talk import ResponseKind, question_of


def echo(frames: list[bytes]) -> list[bytes]:
    """Answer with what was asked."""
    return frames


@pytest.mark.parametrize(
    ("said", "sockets"),
    [
        ({"socket": "req", "keep": True}, 1),
        ({"socket": "req"}, 20),
        ({"socket": "dealer", "keep": True}, 1),
        ({"socket": "dealer"}, 20),
    ],
)
def test_answers_over_one_socket(zmq_server, ask_at, said, sockets):
    """The second question opens nothing where the socket is kept: the server sees one peer."""
    peers = set()

    def answer(frames: list[bytes]) -> list[bytes]:
        peers.add(frames[0])
        return frames

    ask = ask_at(zmq_server(zmq.ROUTER, answer), "zmq")
    for number in range(20):
        response = ask({"n": number}, **said)
        assert (response.kind, response.value) == (ResponseKind.ANSWER, {"n": number})
        assert 0 < response.elapsed_s < 5
    assert len(peers) == sockets


def test_envelope_codec_and_frames(zmq_server, ask_at):
    """Frames go before the request's own, msgpack both ways, and the frames of a reply are kept."""
    seen = []

    def answer(frames: list[bytes]) -> list[bytes]:
        seen.append(frames)
        return [b"header", msgpack.packb({"ok": True, "raw": b"\xff", 1: 2})]

    ask = ask_at(zmq_server(zmq.REP, answer), "zmq")
    response = ask({"a": [1, 2.5, None]}, envelope=["v1", "x"], codec="msgpack")
    assert seen == [[b"v1", b"x", msgpack.packb({"a": [1, 2.5, None]})]]
    assert response.value == {"ok": True, "raw": b"\xff", 1: 2}
    assert response.frames == (b"header",)


def test_raw_text_stays_what_it_is(zmq_server, ask_at):
    """A text is a text; one that is a JSON object is read, whatever it answers to."""
    ask = ask_at(zmq_server(zmq.REP, echo), "zmq")
    assert ask("PING \u00e9", codec="raw").value == "PING \u00e9"
    assert ask('{"a": 1}', codec="raw").value == {"a": 1}
    assert ask("{", codec="raw").value == "{"


def test_garbage_is_garbled_and_the_socket_stays(zmq_server, ask_at):
    """What its codec cannot read is there as text, printable and without loss."""
    ask = ask_at(zmq_server(zmq.REP, lambda frames: [b"\xff\xfe{"] if frames == [b'"bad"'] else frames), "zmq")
    response = ask("bad")
    assert (response.kind, response.value, response.answered) == (ResponseKind.GARBLED, "\\xff\\xfe{", True)
    assert response.detail.startswith("not JSON: ")
    assert ask("good").value == "good"


def test_an_empty_reply_is_no_json(zmq_server, ask_at):
    """An answer without content is garbled, not an answer of nothing."""
    assert ask_at(zmq_server(zmq.REP, lambda _: [b""]), "zmq")("x").kind is ResponseKind.GARBLED


@pytest.mark.parametrize("kind", ["req", "dealer"])
def test_a_late_reply_is_never_the_answer_to_the_next_question(ask_at, over, kind):
    """The first question times out; its reply, sent later, is not taken for the second's."""
    held: list[list[bytes]] = []
    ask = ask_at(holding_back(held, over), "zmq")
    late = ask("first", socket=kind, timeout_s=0.3)
    assert late.kind is ResponseKind.TIMEOUT
    assert late.detail == "ZMTP handshake done, but no reply within 0.3 s"
    assert 0.25 < late.elapsed_s < 2
    response = ask("second", socket=kind)
    assert (response.kind, response.value) == (ResponseKind.ANSWER, "second")
    assert len(held) == 1


def holding_back(held: list[list[bytes]], over: threading.Event) -> int:
    """Serve a ROUTER that answers the first question only when the second has come, and return its port."""
    ready, ports = threading.Event(), []

    def serve() -> None:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as sock:
            sock.linger = 0
            ports.append(sock.bind_to_random_port("tcp://127.0.0.1"))
            ready.set()
            while not over.is_set():
                if sock.poll(20):
                    frames = sock.recv_multipart()
                    if not held:
                        held.append(frames)
                        continue
                    sock.send_multipart(held[0])
                    sock.send_multipart(frames)

    threading.Thread(target=serve).start()
    assert ready.wait(5)
    return ports[0]


@pytest.mark.parametrize("kind", ["req", "dealer"])
def test_a_second_message_that_comes_late_answers_nothing_else(ask_at, late, kind):
    """It comes while the next question is under way, to an identity that nobody has any more."""
    ask = ask_at(late, "zmq")
    assert [ask(number, socket=kind).value for number in range(20)] == list(range(20))


@pytest.fixture
def late(over):
    """Give the port of a ROUTER that repeats its last answer when the next question comes, before that one's own."""
    yield from router(over, lambda frames, last: [last, frames])


def test_what_a_kept_dealer_is_told_unasked_is_dropped(line_to, twice):
    """A peer that answers twice does not shift all answers by one."""
    line = line_to(twice)
    for number in range(5):
        question = question_of(Message(to="zmq://:5570", request=number, socket=Socket.DEALER, keep=True))
        assert line.ask(question).value == number
        assert line.prepare(question)._socket.poll(5000)  # the second answer is there


@pytest.fixture
def twice(over):
    """Give the port of a ROUTER that says everything twice."""
    yield from router(over, lambda frames, _: [frames, frames])


def router(over, answers):
    """Serve a ROUTER that sends what `answers` makes of a question and the one before, and give its port."""
    context = zmq.Context()
    sock = context.socket(zmq.ROUTER)
    sock.linger = 0
    port = sock.bind_to_random_port("tcp://127.0.0.1")

    def serve() -> None:
        last = None
        while not over.is_set():
            if sock.poll(20):
                frames = sock.recv_multipart()
                for message in answers(frames, last):
                    if message is not None:
                        sock.send_multipart(message)
                last = frames
        sock.close(0)

    thread = threading.Thread(target=serve)
    thread.start()
    yield port
    over.set()
    thread.join(5)
    context.term()


def test_a_peer_that_dies_while_asked(raw_server, ask_at):
    """A hang-up within the handshake is told at once, not when the time is up."""

    def greet_and_die(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL" + bytes(48))
        connection.recv(64)

    response = ask_at(raw_server(greet_and_die), "zmq")("x", timeout_s=5)
    assert response.kind is ResponseKind.CLOSED
    assert response.elapsed_s < 2


def test_a_server_that_stops_between_and_while_asking(ask_at, free_rep):
    """Nothing hangs when the REP dies; when one is back on the port, the next question is answered."""
    server = free_rep()
    ask = ask_at(server.port, "zmq")
    assert ask(1).value == 1
    server.stop()
    gone = ask(2, timeout_s=3)
    assert gone.kind in {ResponseKind.REFUSED, ResponseKind.CLOSED}
    assert gone.elapsed_s < 1
    again = free_rep(server.port)
    assert ask(3).value == 3
    again.stop_when_asked()
    died = ask(4, timeout_s=5)
    assert died.kind is ResponseKind.CLOSED
    assert "ended without a reply" in died.detail
    assert died.elapsed_s < 2


@pytest.fixture
def free_rep():
    """Give REP servers that can be stopped and started again on their port."""
    servers: list[Rep] = []

    def start(port: int = 0) -> Rep:
        servers.append(Rep(port))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


class Rep:
    """An echoing REP in a thread."""

    def __init__(self, port: int) -> None:
        self._over = threading.Event()
        self._die = threading.Event()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.REP)
        self._socket.linger = 0
        if port:
            self._socket.bind(f"tcp://127.0.0.1:{port}")
        self.port = port or self._socket.bind_to_random_port("tcp://127.0.0.1")
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.is_set():
            if self._socket.poll(20):
                message = self._socket.recv()
                if self._die.is_set():
                    break
                self._socket.send(message)
        self._context.destroy(linger=0)

    def stop_when_asked(self) -> None:
        """Die on the next request instead of answering."""
        self._die.set()

    def stop(self) -> None:
        """End it."""
        self._over.set()
        self._thread.join(5)


def test_nobody_listens(closed_port, ask_at):
    """Refused at once."""
    response = ask_at(closed_port, "zmq")("x", timeout_s=5)
    assert (response.kind, response.detail, response.answered) == (ResponseKind.REFUSED, "refused", False)
    assert response.elapsed_s < 1


def test_http_on_the_port(http_server, ask_at):
    """A peer that speaks HTTP is told apart from one that is slow, or the time is up; nothing hangs."""
    response = ask_at(http_server(lambda *_: (200, {}, b"{}")), "zmq")("x", timeout_s=0.5)
    assert response.kind in {ResponseKind.TIMEOUT, ResponseKind.CLOSED, ResponseKind.GARBLED}
    assert response.elapsed_s < 2


@pytest.mark.parametrize("junk", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 100, b"\0" * 100])
def test_junk_instead_of_a_greeting(raw_server, ask_at, junk):
    """It is no answer, whatever it is."""

    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(junk)
        over.wait(3)

    response = ask_at(raw_server(answer), "zmq")("x", timeout_s=0.5)
    assert not response.answered or response.kind is ResponseKind.GARBLED
    assert response.elapsed_s < 2


def test_a_handshake_that_drips(raw_server, ask_at):
    """One deadline holds for the whole question, however slowly bytes come."""

    def drip(connection: socket.socket, over: threading.Event) -> None:
        for byte in b"\xff" + bytes(7) + b"\x01\x7f\x03\x00NULL":
            connection.sendall(bytes([byte]))
            over.wait(0.1)

    started = time.monotonic()
    assert ask_at(raw_server(drip), "zmq")("x", timeout_s=0.5).kind is ResponseKind.TIMEOUT
    assert time.monotonic() - started < 1.5


def test_only_a_handshake(zmq_server, ask_at):
    """Where nothing is sent, a peer that speaks ZMTP is the answer."""
    ask = ask_at(zmq_server(zmq.REP), "zmq")
    for _ in range(2):
        response = ask()
        assert (response.kind, response.value) == (ResponseKind.ANSWER, None)


def test_a_reply_without_delimiter(zmq_server, ask_at):
    """A DEALER sees it and says that a REQ never would."""
    port = zmq_server(zmq.ROUTER, lambda frames: [frames[0], frames[-1]])
    response = ask_at(port, "zmq")("x", socket="dealer")
    assert (response.value, response.detail) == (
        "x",
        "no empty delimiter in the reply: a REQ client would never see it",
    )
    assert ask_at(port, "zmq")("x", timeout_s=2).kind in {ResponseKind.CLOSED, ResponseKind.TIMEOUT}


def test_a_dealer_without_delimiter(zmq_server, ask_at):
    """A plain ROUTER takes the request for the first frame, and its reply begins with no empty frame."""
    seen = []

    def answer(frames: list[bytes]) -> list[bytes]:
        seen.append(frames[1:])
        return [frames[0], b"", frames[-1]] if frames[-1] == b"2" else [frames[0], b"head", frames[-1]]

    ask = ask_at(zmq_server(zmq.ROUTER, answer), "zmq")
    response = ask(1, socket="dealer", delimiter=False)
    assert (response.value, response.frames, response.detail) == (1, (b"head",), "")
    assert ask(2, socket="dealer", delimiter=False, envelope=["v1"]).frames == (b"",)
    assert seen == [[b"1"], [b"v1", b"2"]]


def test_a_req_always_sends_the_delimiter(ask_at):
    """To say otherwise is a mistake, told before anything is asked."""
    with pytest.raises(UsageError, match="socket: dealer"):
        ask_at(1, "zmq")("x", delimiter=False)


def test_http_keeps_its_connection_by_itself(ask_at):
    """To say so is a mistake."""
    with pytest.raises(UsageError, match="HTTP keeps its connection by itself"):
        ask_at(1, "http")(keep=True)
