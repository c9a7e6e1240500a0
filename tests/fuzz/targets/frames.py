"""What ZeroMQ peers send: greetings, frames, bodies; and what the broker is told in files and over its socket."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import msgpack
import zmq

from cutover.clock import Deadline
from cutover.edge.broker import wire
from cutover.edge.broker.codec import Reader
from cutover.edge.broker.rep import RepPort
from cutover.edge.broker.words import Hold, Rules, Settings, State, WordsError, load
from cutover.edge.broker.words import Target as Place
from cutover.wire import speech, zmtp
from tests.fuzz.target import Target, file_with, see

RULES = Rules(replay=("get",), error_if={"error.code": 5, "status": "bad"}, lost_reply={"e": "${reason}"})
READERS = (Reader(RULES), Reader(Rules(codec="msgpack", replay=("get",), error_if={"status": "bad"})))
GREETING = zmtp.SIGNATURE + b"\x03\0" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x04\x26\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0"
SETTINGS = json.dumps(
    {"ports": {"5570": "zmq-rep"}, "rules": {"method": "m", "replay": ["a"]}, "hold": Hold().as_dict(), "sticky": False}
).encode()
STATE = json.dumps(
    {
        "slots": {"a": {"5570": {"name": "n", "address": "10.0.0.1", "port": 1}}},
        "active": "a",
        "share": 5.0,
        "hold": Hold().as_dict(),
    }
).encode()


class Told:
    """A socket whose peer said this much and then hung up."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def recv(self, size: int) -> bytes:
        """Give the next bytes, a few at a time as networks do."""
        said, self._left = self._left[: min(size, 700)], self._left[min(size, 700) :]
        return said

    def sendall(self, data: bytes) -> None:
        """Take anything."""

    def settimeout(self, seconds: float | None) -> None:
        """Wait for nobody."""


class Framed:
    """A ZeroMQ socket with messages to be read: all frames of `data`, cut at its zero bytes, `more` by their lengths."""

    def __init__(self, data: bytes) -> None:
        self.frames = [SimpleNamespace(bytes=part, more=len(part) % 3 != 2) for part in data.split(b"\0")]
        self.at = 0

    def recv(self, _: int = 0, copy: bool = True) -> object:
        """Give the next frame."""
        if self.at >= len(self.frames):
            raise zmq.Again
        self.at += 1
        return self.frames[self.at - 1].bytes if copy else self.frames[self.at - 1]


def greetings(data: bytes) -> None:
    """Shake hands with a peer that says anything, and say what it speaks."""
    for already in (b"", data[:10]):
        said: socket.socket = Told(data[len(already) :])  # type: ignore[assignment]
        peer = zmtp.handshake(said, Deadline(5), already)
        see(peer is None or str(peer).startswith("ZMTP"), "a peer without a name")
    if data:
        said = Told(data)  # type: ignore[assignment]
        str(speech._spoken(said, said.recv(4096), Deadline(5)))


def bodies(data: bytes) -> None:
    """Look at bodies: is it an error, may it be asked again; JSON or msgpack."""
    for reader in READERS:
        for body in (data, [b"", data], [data, data[::-1]]):
            see(reader.is_error(body) in {True, False} and reader.may_replay(body) in {True, False}, "no answer")


def frames(data: bytes) -> None:
    """Take requests apart as the broker of a REP does: envelope, delimiter, body; junk is told apart."""
    front = Framed(data)
    with suppress(zmq.Again):
        while True:
            mark = front.recv(copy=False)
            found = RepPort._request(SimpleNamespace(front=front), mark)  # type: ignore[arg-type]
            see(found is None or found[1] is not None, "a request without a body")
    link = SimpleNamespace(socket=Framed(data), pending={}, quota=64, cut=lambda _: None)
    port = SimpleNamespace(rejected=0, reading=True, _send_back=lambda *_: None)
    while link.socket.at < len(link.socket.frames):
        RepPort._give(port, link)  # type: ignore[arg-type]
    with suppress(zmq.Again):
        wire.rest(Framed(data), 3)  # type: ignore[arg-type]


def words(data: bytes) -> None:
    """Read broker.json and state.json; what is read is what is written."""
    path: Path = file_with(data, "broker/state.json")
    with suppress(WordsError):
        content = load(path)
        for kind in (Settings, State, Hold, Place):
            with suppress(WordsError):
                found = kind.read(content)
                if kind is Settings:
                    Reader(found.rules).lost("x")  # type: ignore[union-attr]
                else:
                    see(kind.read(json.loads(json.dumps(found.as_dict()))) == found, "it is read as something else")  # type: ignore[union-attr]


BODIES = (b'{"method":"get","status":"bad","error":{"code":5}}', msgpack.packb({"method": "get", "status": "bad"}))
TARGETS = (
    Target(
        "zmtp-greeting",
        greetings,
        lambda: (GREETING + READY, zmtp.SIGNATURE + b"\x01\x05", b"HTTP/1.1 200 OK\r\n", b"-ERR x\r\n"),
        (b"\x04", b"\x06", b"\xff" * 8, b"NULL", b"CURVE"),
    ),
    Target(
        "zmq-bodies",
        bodies,
        lambda: BODIES,
        (b'"method":', b'"get"', b'"status":"bad"', b"[" * 50, b"\xdf\xff\xff\xff\xff", b"\xc1", b"\xd9"),
    ),
    Target(
        "zmq-frames", frames, lambda: (b"id\0\0body", b"id\0a\0b\0\0body\0more", b"\0" * 300), (b"\0\0", b"\0"), 2_000
    ),
    Target(
        "broker-words",
        words,
        lambda: (SETTINGS, STATE),
        (b"1e999", b"NaN", b"null", b"9" * 5000, b"[]", b"{}", b'""', b"[" * 5000, b'"replay":'),
    ),
)
