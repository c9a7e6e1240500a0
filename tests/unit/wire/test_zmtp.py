"""Who speaks ZMTP: libzmq itself in each of its roles, older peers by hand, and what is no peer at all."""

from __future__ import annotations

import socket
import time

import pytest
import zmq

from cutover.wire.zmtp import MECHANISM, SIGNATURE, Peer, begins, greet
from tests.unit.edge.talkers import HOST, answering, bound, saying, serving

KINDS = ("PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB")
GREETING_3 = SIGNATURE + b"\x03" + MECHANISM


@pytest.mark.parametrize("kind", KINDS)
def test_libzmq_tells_its_socket_type(kind: str) -> None:
    """Of every kind, ours being compatible or not."""
    with bound(getattr(zmq, kind)) as (_, port):
        peer = greet(HOST, port)
    assert peer is not None
    assert (peer.version[0], peer.mechanism, peer.socket_type) == (3, "NULL", kind)


@pytest.mark.parametrize("mechanism", ["PLAIN", "CURVE"])
def test_a_peer_that_asks_for_more_tells_its_mechanism_only(mechanism: str) -> None:
    """It hangs up on another one, so it is read before ours is told."""
    public, secret = zmq.curve_keypair()
    options = {
        "PLAIN": {"plain_server": True},
        "CURVE": {"curve_server": True, "curve_publickey": public, "curve_secretkey": secret},
    }
    with bound(zmq.REP, **options[mechanism]) as (_, port):
        peer = greet(HOST, port)
    assert peer is not None
    assert (peer.mechanism, peer.socket_type) == (mechanism, None)


def test_a_push_socket_deals_us_no_message() -> None:
    """Whoever asks takes nothing from the real clients, however often."""
    with bound(zmq.PUSH) as (push, port):
        for _ in range(5):
            assert greet(HOST, port) is not None
            assert push.poll(20, zmq.POLLOUT) == 0
        with push.context.socket(zmq.PULL) as pull:
            pull.connect(f"tcp://{HOST}:{port}")
            push.send(b"one")
            assert pull.recv() == b"one"


def test_a_rep_socket_serves_on() -> None:
    """Its clients see nothing of the question."""
    with bound(zmq.REP) as (rep, port), rep.context.socket(zmq.REQ) as req:
        req.connect(f"tcp://{HOST}:{port}")
        for _ in range(3):
            req.send(b"?")
            assert greet(HOST, port) is not None
            assert rep.recv() == b"?"
            rep.send(b"!")
            assert req.recv() == b"!"


def test_a_peer_of_zmtp_2_tells_its_type_in_its_greeting() -> None:
    """And gets no more than a signature: it would deal messages to whoever greets to the end."""
    heard: list[bytes] = []

    def old(connection: socket.socket) -> None:
        connection.sendall(SIGNATURE)
        heard.append(connection.recv(64))
        connection.sendall(b"\x01\x08")  # revision, PUSH
        heard.append(connection.recv(64))

    with serving(old) as port:
        assert greet(HOST, port) == Peer((2, 0), None, "PUSH")
    assert heard == [SIGNATURE, b""]


@pytest.mark.parametrize(
    ("after_greeting", "socket_type"),
    [
        (b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03REP", "REP"),
        (b"\x04\x19\x05READY\x0bSOCKET-TYPE\0\0\0\x03REP", "REP"),
        (b"\x06\0\0\0\0\0\0\0\x19\x05READY\x0bSocket-Type\0\0\0\x03REP", "REP"),
        (b"\x04\x25\x05READY\x08Identity\0\0\0\0\x0bSocket-Type\0\0\0\x02REP", "RE"),
        (b"\x04\x0b\x05ERROR\x04nope", None),
        (b"\x04\x10\x05READY\x0bSocket-T", None),
        (b"\x04\x06\x05READY", None),
        (b"\x04\x07\x05READY\xff", None),
        (b"\x06\xff\xff\xff\xff\xff\xff\xff\xff", None),
        (b"\0\x05hello", None),
        (b"", None),
    ],
    ids=[
        "ready",
        "other case",
        "long",
        "more",
        "error",
        "cut",
        "bare",
        "name too long",
        "endless",
        "message",
        "silent",
    ],
)
def test_what_follows_a_greeting(after_greeting: bytes, socket_type: str | None) -> None:
    """Anything may; a type is told only by a READY."""
    with serving(saying(GREETING_3 + after_greeting)) as port:
        assert greet(HOST, port, 0.3) == Peer((3, 0), "NULL", socket_type)


@pytest.mark.parametrize(
    "words", [b"", b"220 mail\r\n", b"\xff" * 64, SIGNATURE[:5], SIGNATURE], ids=["none", "mail", "ff", "half", "only"]
)
def test_what_is_no_peer(words: bytes) -> None:
    """Within the time that was given."""
    with serving(saying(words)) as port:
        began = time.monotonic()
        peer = greet(HOST, port, 0.2)
        assert time.monotonic() - began < 2
    assert peer is None


def test_nobody_and_whoever_hangs_up() -> None:
    """Are no peers either."""
    with serving(answering(b"")) as port:
        assert greet(HOST, port) is None
    assert greet(HOST, port, 0.5) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [(b"", False), (b"\xff", True), (SIGNATURE, True), (b"\xff" + b"\0" * 9, False), (b"HTTP", False)],
    ids=["nothing", "first byte", "all", "even flags", "other"],
)
def test_how_a_peer_begins(said: bytes, expected: bool) -> None:
    """As much of the signature as is there has to fit."""
    assert begins(said) is expected
