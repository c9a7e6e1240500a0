"""Real clients, through the recorder, to real services: nothing is lost, nothing is changed, all is written."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from cutover.config import Recording
from cutover.errors import CutoverError, RefusedError
from cutover.probes import Kind
from cutover.validate.record import Recorder, read_recording
from cutover.validate.record.writer import RecordingFile
from cutover.validate.talk import Address

CANARY = b"hunter2-canary"
SOCKETS: list[zmq.Socket[Any]] = []


@pytest.fixture
def context() -> Iterator[zmq.Context[Any]]:
    """Give a ZeroMQ context that ends with the test, and its sockets with it."""
    made: zmq.Context[Any] = zmq.Context()
    yield made
    for sock in SOCKETS:
        sock.close(0)
    SOCKETS.clear()
    made.term()


@pytest.fixture
def recorder(tmp_path: Path) -> Callable[..., Recorder]:
    """Give a function that makes a recorder in front of a port of this machine."""

    def make(port: int, kind: Kind, **said: Any) -> Recorder:
        recording = said.pop("recording", Recording())
        target = Address("127.0.0.1", port)
        return Recorder(tmp_path / "r.jsonl", target, kind, legacy_port=5570, recording=recording, **said)

    return make


def client(context: zmq.Context[Any], kind: int, port: int) -> zmq.Socket[Any]:
    """Return a connected socket that waits 5 s for a reply."""
    sock = context.socket(kind)
    SOCKETS.append(sock)
    sock.rcvtimeo = 5000
    sock.connect(f"tcp://127.0.0.1:{port}")
    return sock


def echo(frames: list[bytes]) -> list[bytes]:
    """Answer with the digest of what was asked, and with what was asked."""
    digest = hashlib.sha256(frames[-1]).hexdigest()
    return [*frames[:-1], json.dumps({"sha256": digest, "asked": json.loads(frames[-1])}).encode()]


def requests(tmp_path: Path) -> list[Any]:
    """Return what was recorded as asked."""
    return [e.case.get("request") for e in read_recording(tmp_path / "r.jsonl").exchanges]


def test_500_zeromq_requests(
    zmq_server: Callable[..., int], recorder: Callable[..., Recorder], context: zmq.Context[Any], tmp_path: Path
) -> None:
    """REQ and DEALER clients; each gets the reply to its own question, and each exchange is written once."""
    bodies = [json.dumps({"method": "m", "n": n, "fill": "x" * (n % 700)}).encode() for n in range(500)]
    with recorder(zmq_server(kind=zmq.ROUTER, answer=echo), Kind.ZMQ) as made:
        req, dealer = client(context, zmq.REQ, made.port), client(context, zmq.DEALER, made.port)
        for number, body in enumerate(bodies):
            if number % 2:
                req.send(body)
                reply = json.loads(req.recv())
            else:
                dealer.send_multipart([b"", body])
                reply = json.loads(dealer.recv_multipart()[-1])
            assert reply["sha256"] == hashlib.sha256(body).hexdigest()
    summary = made.summary()
    assert (summary.exchanges, summary.connections, summary.unread, summary.unwritten) == (500, 2, 0, 0)
    assert requests(tmp_path) == [json.loads(b) for b in bodies]
    assert {e.case["socket"] for e in read_recording(tmp_path / "r.jsonl").exchanges} == {"req", "dealer"}


def test_replies_out_of_order_find_their_questions(
    recorder: Callable[..., Recorder], context: zmq.Context[Any], tmp_path: Path
) -> None:
    """By the id in the JSON; where nothing tells, the recording says so."""
    router = context.socket(zmq.ROUTER)
    SOCKETS.append(router)
    router.rcvtimeo = 5000
    port = router.bind_to_random_port("tcp://127.0.0.1")
    with recorder(port, Kind.ZMQ) as made:
        dealer = client(context, zmq.DEALER, made.port)
        for asked in ({"id": "a"}, {"id": "b"}, {"x": 1}, {"x": 2}):
            dealer.send_multipart([b"", json.dumps(asked).encode()])
        kept = [router.recv_multipart() for _ in range(4)]
        for frames in reversed(kept):
            router.send_multipart([*frames[:-1], json.dumps({**json.loads(frames[-1]), "told": True}).encode()])
        for _ in range(4):
            assert json.loads(dealer.recv_multipart()[-1])["told"]
    found = read_recording(tmp_path / "r.jsonl").exchanges
    named = {e.case["request"]["id"]: e.reply["value"]["id"] for e in found if "id" in e.case["request"]}
    assert named == {"a": "a", "b": "b"}
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()[1:]]
    assert sum(line.get("unsure", False) for line in lines) >= 1


def test_http_kept_alive_streamed_and_pipelined(
    http_server: Callable[..., int], raw_server: Callable[..., int], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Several requests on one connection, chunked bodies both ways, two requests sent at once."""
    body = b"".join(b"%d;" % n for n in range(20000))

    def answer(connection: socket.socket, _: threading.Event) -> None:
        seen = b""
        while chunk := connection.recv(65536):
            seen += chunk
            while b"END" in seen:
                asked, seen = seen.split(b"END", 1)[0], seen.split(b"END", 1)[1].lstrip(b"\r\n0")
                digest = hashlib.sha256(asked).hexdigest().encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                connection.sendall(b"40\r\n" + digest + b"\r\n0\r\n\r\n")

    with recorder(raw_server(answer), Kind.HTTP) as made, socket.create_connection(("127.0.0.1", made.port)) as sock:
        sock.settimeout(5)
        one = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body) + 3, body + b"END")
        two = b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nlastEND"
        sock.sendall(one + two)
        got = b""
        while got.count(b"0\r\n\r\n") < 2:
            got += sock.recv(65536)
    found = read_recording(tmp_path / "r.jsonl").exchanges
    assert [e.case["to"] for e in found] == ["http://:5570/a", "http://:5570/b"]
    assert found[0].case["request"] == (body + b"END").decode()
    assert found[0].reply["value"].encode() in got
    assert made.summary().unread == 0


def test_300_http_requests_on_one_connection(
    http_server: Callable[..., int], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Bodies as they were sent; a HEAD and a 204 have none."""

    def answer(request: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        digest = hashlib.sha256(body).hexdigest().encode()
        return 200, {"Content-Length": str(len(digest))}, digest

    port = http_server(answer)
    with recorder(port, Kind.HTTP, count=300) as made:
        for number in range(300):
            link = http.client.HTTPConnection("127.0.0.1", made.port, timeout=5)
            body = json.dumps({"n": number}).encode()
            link.request("POST", f"/x?n={number}", body, {"X-Api-Key": CANARY.decode()})
            assert link.getresponse().read() == hashlib.sha256(body).hexdigest().encode()
            link.close()
        assert made.wait(5), made.summary()
    assert requests(tmp_path) == [{"n": n} for n in range(300)]
    assert CANARY not in (tmp_path / "r.jsonl").read_bytes()
    assert made.summary().masked == 300


def test_tcp_lines_and_turns(raw_server: Callable[..., int], recorder: Callable[..., Recorder], tmp_path: Path) -> None:
    """A line of JSON has its line back; other texts end where the other side begins."""

    def answer(connection: socket.socket, _: threading.Event) -> None:
        while asked := connection.recv(65536):
            connection.sendall(b'{"ok": 1}\n' if asked.startswith(b"{") else b"several\nlines of " + asked)

    with recorder(raw_server(answer), Kind.TCP) as made, socket.create_connection(("127.0.0.1", made.port)) as sock:
        sock.settimeout(5)
        for asked in (b'{"n": 1}\n', b"PING\r\n", b"AUTH hunter2-canary\r\n"):
            sock.sendall(asked)
            assert sock.recv(65536)
    found = read_recording(tmp_path / "r.jsonl").exchanges
    assert [(e.case["codec"], e.case["request"]) for e in found] == [
        ("json", {"n": 1}),
        ("raw", "PING\r\n"),
        ("raw", "AUTH ***\r\n"),
    ]
    assert [e.masked for e in found] == [False, False, True]
    assert CANARY not in (tmp_path / "r.jsonl").read_bytes()


def test_a_dead_green_hangs_up(closed_port: int, recorder: Callable[..., Recorder]) -> None:
    """The client has what it would have had."""
    with recorder(closed_port, Kind.HTTP) as made, socket.create_connection(("127.0.0.1", made.port)) as sock:
        sock.settimeout(5)
        try:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            told = sock.recv(10)
        except (ConnectionResetError, BrokenPipeError):
            told = b""
        assert told == b""
    assert made.summary().refused == 1


def test_a_green_that_dies_in_the_middle(
    raw_server: Callable[..., int], recorder: Callable[..., Recorder], tmp_path: Path
) -> None:
    """Its half of an answer reaches the client; the recording says that it was none."""

    def answer(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    with recorder(raw_server(answer), Kind.HTTP) as made, socket.create_connection(("127.0.0.1", made.port)) as sock:
        sock.settimeout(5)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        got = b""
        while chunk := sock.recv(65536):
            got += chunk
        assert got.endswith(b"half")
    (found,) = read_recording(tmp_path / "r.jsonl").exchanges
    assert found.reply["kind"] == "closed"
    assert made.summary().without_reply == 1


def test_what_is_another_protocol_passes_unread(
    raw_server: Callable[..., int], recorder: Callable[..., Recorder]
) -> None:
    """And is counted, with the reason."""

    def answer(connection: socket.socket, _: threading.Event) -> None:
        while asked := connection.recv(65536):
            connection.sendall(asked[::-1])

    for kind in (Kind.HTTP, Kind.ZMQ):
        with recorder(raw_server(answer), kind) as made, socket.create_connection(("127.0.0.1", made.port)) as sock:
            sock.settimeout(5)
            sock.sendall(b"\x00\x01no such protocol\r\n\r\n")
            assert sock.recv(65536) == b"\x00\x01no such protocol\r\n\r\n"[::-1]
        assert made.summary().unread == 1
        assert made.summary().reason
        made.summary().file.unlink()


def test_half_closed_connections_stay_so(raw_server: Callable[..., int], recorder: Callable[..., Recorder]) -> None:
    """A client that says all it has and then listens gets its answer."""

    def answer(connection: socket.socket, _: threading.Event) -> None:
        asked = b""
        while chunk := connection.recv(65536):
            asked += chunk
        connection.sendall(asked[::-1])

    with recorder(raw_server(answer), Kind.TCP) as made, socket.create_connection(("127.0.0.1", made.port)) as sock:
        sock.settimeout(5)
        sock.sendall(b"abc")
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(10) == b"cba"
        assert sock.recv(10) == b""


def test_the_file_is_private_and_whole(
    zmq_server: Callable[..., int], recorder: Callable[..., Recorder], context: zmq.Context[Any], tmp_path: Path
) -> None:
    """Mode 0600, a header, whole lines; and loopback only."""
    with recorder(zmq_server(answer=echo), Kind.ZMQ) as made:
        sock = client(context, zmq.REQ, made.port)
        sock.send(b'{"token": "' + CANARY + b'", "n": 1}')
        assert CANARY in sock.recv()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", made.port), 1)
    path = tmp_path / "r.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_bytes()
    assert CANARY not in content
    assert json.loads(content.splitlines()[0])["recording"] == 1
    assert requests(tmp_path) == [{"token": "***", "n": 1}]


def test_what_cannot_be_written_is_refused(closed_port: int, recorder: Callable[..., Recorder], tmp_path: Path) -> None:
    """A file that is there, a folder that is not, a port that is taken."""
    (tmp_path / "r.jsonl").write_text("mine")
    with pytest.raises(RefusedError, match="is there already"):
        recorder(closed_port, Kind.TCP)
    assert (tmp_path / "r.jsonl").read_text() == "mine"
    with pytest.raises(RefusedError, match="cannot be written"):
        RecordingFile(tmp_path / "nowhere" / "r.jsonl")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (tmp_path / "r.jsonl").unlink()
        with pytest.raises(RefusedError, match="cannot be listened on"):
            recorder(closed_port, Kind.TCP, listen=taken.getsockname()[1])
    assert not (tmp_path / "r.jsonl").exists()


def test_a_full_disk_ends_the_recording(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its last whole line."""
    file = RecordingFile(tmp_path / "r.jsonl")
    file.write({"recording": 1})
    file.write({"case": {"request": 1}})
    write = os.write

    def full(descriptor: int, content: Any) -> int:
        if len(content) > 5:
            return write(descriptor, content[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(CutoverError, match="No space left"):
        file.write({"case": {"request": 22222222}})
    monkeypatch.undo()
    file.close()
    assert requests(tmp_path) == [1]
