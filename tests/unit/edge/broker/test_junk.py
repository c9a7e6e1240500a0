"""Clients that send garbage: neither a crash, nor a leak, nor a word in the log, and others are served meanwhile."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
import zmq

from cutover.edge.shape import Mode, Slot
from tests.unit.edge.broker.rig import Colour, Rig, ask, rig, wait_for

MIB = 1024 * 1024
JUNK = int(os.environ.get("CUTOVER_JUNK", "60000"))
"""The figure for a million: CUTOVER_JUNK=1000000."""


def litter(made: Rig, number: int) -> int:
    """Send junk frames of many kinds; return how many messages they were."""
    kinds = [[b"x"], [b""], [b"x"] * 40, [b"y"], [b"\0" * 300], [b"a", b"b", b"c"], [b"x"] * 17 + [b"", b"y"]]
    before = made.stats().rejected
    with made.client(zmq.DEALER) as client:
        sent = frames = 0
        while frames < number:
            for kind in kinds:
                client.send_multipart(kind)
                frames += len(kind)
                sent += 1
        wait_for(lambda: made.stats().rejected - before >= sent, "the end of the junk")
    return sent


def test_junk_frames_leave_nothing_behind(tmp_path: Path) -> None:
    """As much memory after as before, every message counted as rejected, nothing at the colour, all others served."""
    with rig(tmp_path) as made, Colour("a:") as green, made.client() as client:
        made.aim(Slot.A, green)
        assert ask(client, "x") == "a:x"
        first = litter(made, JUNK // 4)
        before = made.rss_bytes
        second = litter(made, JUNK)
        after = made.rss_bytes
        assert ask(client, "y") == "a:y"
        assert green.asked == 2
        assert made.stats().rejected == first + second
        assert after - before < 8 * MIB
        print(f"RSS before {before / MIB:.1f} MiB, after {JUNK} junk frames {after / MIB:.1f} MiB")  # noqa: T201


def test_messages_of_a_thousand_frames_and_of_100_mib(tmp_path: Path) -> None:
    """The first is rejected, the second ends its connection before it is read; their sender's neighbour is served."""
    with rig(tmp_path, max_message_bytes=MIB) as made, Colour("a:") as green, made.client() as client:
        made.aim(Slot.A, green)
        with made.client(zmq.DEALER) as odd:
            odd.send_multipart([b""] + [b"x"] * 1000)
            odd.send_multipart([b"x"] * 1000)
            wait_for(lambda: made.stats().rejected == 2)
            before = made.rss_bytes
            odd.send_multipart([b"", b"x" * 100 * MIB])
            assert not odd.poll(300)
        assert made.rss_bytes - before < 20 * MIB
        assert ask(client, "x") == "a:x"


def test_words_that_are_no_zmtp(tmp_path: Path) -> None:
    """Raw bytes to a port, in every mode, are libzmq's to drop."""
    modes = (Mode.REP, Mode.ROUTER, Mode.PUB, Mode.PULL, Mode.PUSH)
    with rig(tmp_path, *modes) as made, Colour("a:") as green:
        for port in made.ports:
            for words in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, bytes(range(256)) * 40, b""):
                with socket.create_connection(("127.0.0.1", port)) as channel:
                    channel.sendall(words)
        made.face.aim(Slot.A, {made.ports[0]: green.target})
        with made.client() as client:
            assert ask(client, "x") == "a:x"


def test_clients_of_the_wrong_kind(tmp_path: Path) -> None:
    """A PUB, a PULL and a SUB at a port for REQ are refused by the handshake, again and again, and harm nobody."""
    with rig(tmp_path) as made, Colour("a:") as green:
        made.aim(Slot.A, green)
        with made.client(zmq.PUB), made.client(zmq.PULL), made.client(zmq.SUB), made.client() as client:
            time.sleep(0.3)
            assert ask(client, "x") == "a:x"


@pytest.mark.parametrize("number", range(6))
def test_a_colour_that_answers_junk(tmp_path: Path, number: int) -> None:
    """Its connection is cut: of what comes after, nobody could say whose answer it is. Its clients are answered."""
    settings = {"zmq": {"lost_reply": "lost", "codec": "raw"}}
    with (
        rig(tmp_path, settings=settings) as made,
        zmq.Context() as context,
        made.client() as client,
        made.client() as other,
        context.socket(zmq.ROUTER) as green,
    ):
        green.linger = 0
        target = Colour().target
        green.bind(f"tcp://127.0.0.1:{target.port}")
        made.face.aim(Slot.A, {made.ports[0]: target})
        client.send(b"x")
        who, token, _, _ = green.recv_multipart()
        other.send(b"y")
        _, later, _, _ = green.recv_multipart()
        junk = ([token], [token, b""], [token, b"no delimiter"], [b"x"] * 500, [b"", b"y"], [b""])[number]
        green.send_multipart([who, *junk])
        green.send_multipart([who, later, b"", b"y's"])
        assert client.recv() == b"lost"
        assert other.recv() in {b"lost", b"y's"}
        assert made.stats().rejected == 1
