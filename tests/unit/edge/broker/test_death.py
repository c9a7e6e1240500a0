"""zmq-rep: colours that are killed, paused, busy or late, and the broker's own end: nobody waits for ever."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import zmq

from cutover.edge.shape import Mode, Slot
from tests.unit.edge.broker.rig import Colour, ColourProcess, Rig, ask, rig, wait_for

LOST = {"zmq": {"lost_reply": {"lost": "${reason}"}, "replay": ["read"]}}


def call(method: str, number: int = 0) -> str:
    """Return a request that names a method."""
    return json.dumps({"method": method, "n": number})


def in_flight(made: Rig, slot: Slot, number: int = 1) -> None:
    """Wait until a slot has so many in flight."""
    wait_for(lambda: made.face.in_flight(slot) == number, f"{number} in flight")


def test_a_request_lost_with_its_colour_is_answered_for_it(tmp_path: Path) -> None:
    """Killed with a request in hand: the client gets the configured reply, and the next one is served by the other."""
    with rig(tmp_path, settings=LOST) as made, ColourProcess("a:", delay_s=60) as green, Colour("b:") as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        with made.client() as client:
            client.send(call("write").encode())
            in_flight(made, Slot.A)
            green.signal(signal.SIGKILL)
            assert "went away" in json.loads(client.recv())["lost"]
            assert ask(client, "x") == "b:x"
        stats = made.stats()
        assert stats.slots[Slot.A].lost == stats.slots[Slot.A].errors == 1
        assert (stats.active, stats.serving) == (Slot.A, Slot.B)
        assert [(s.slot, s.error) for s in made.face.samples()] == [(Slot.A, True), (Slot.B, False)]


def test_a_request_that_may_be_repeated_is_asked_of_the_other_colour(tmp_path: Path) -> None:
    """Only the methods listed are; each client's answers stay in the order of its requests."""
    with rig(tmp_path, settings=LOST) as made, ColourProcess("a:", delay_s=60) as green, Colour("b:") as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        with made.client(zmq.DEALER) as client:
            for number, method in enumerate(["read", "write", "read", "junk"]):
                client.send_multipart([b"", call(method, number).encode()])
            in_flight(made, Slot.A, 4)
            green.signal(signal.SIGKILL)
            answers = [client.recv_multipart()[-1].decode() for _ in range(4)]
        assert [answer[:4] for answer in answers] == ["b:{" + '"', '{"lo', "b:{" + '"', '{"lo']
        assert json.loads(answers[2][2:])["n"] == 2
        stats = made.stats().slots
        assert (stats[Slot.A].replayed, stats[Slot.A].lost) == (2, 2)


def test_a_request_is_repeated_once(tmp_path: Path) -> None:
    """One that kills every colour it meets must not be carried from grave to grave."""
    with (
        rig(tmp_path, settings=LOST) as made,
        ColourProcess(delay_s=60) as green,
        ColourProcess(delay_s=60) as blue,
        made.client() as client,
    ):
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        client.send(call("read").encode())
        in_flight(made, Slot.A)
        green.signal(signal.SIGKILL)
        in_flight(made, Slot.B)
        blue.signal(signal.SIGKILL)
        assert "lost" in json.loads(client.recv())


def test_a_paused_colour_is_noticed_and_its_late_answers_reach_nobody(tmp_path: Path) -> None:
    """A process that is stopped keeps its connections; heartbeats tell. What it says when it goes on is dropped."""
    with rig(tmp_path, settings=LOST) as made, ColourProcess("a:", delay_s=0.2) as green, Colour("b:") as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        with made.client() as client:
            client.send(call("read").encode())
            in_flight(made, Slot.A)
            green.signal(signal.SIGSTOP)
            began = time.monotonic()
            assert client.recv().startswith(b"b:")
            assert time.monotonic() - began < 4
            assert made.stats().serving == Slot.B
            green.signal(signal.SIGCONT)
            wait_for(lambda: not made.face.down(Slot.A))
            time.sleep(0.4)  # longer than the answer that it owed takes
            assert [ask(client, str(number)) for number in range(20)] == [f"b:{number}" for number in range(20)]
        assert made.stats().serving == Slot.B, "it stays where it fell back to until it is told to switch"
        made.face.switch(Slot.A)
        assert made.stats().serving == Slot.A


def test_a_colour_that_computes_is_not_dead(tmp_path: Path) -> None:
    """Its I/O thread answers heartbeats while its own thread is busy for several times their timeout."""
    with rig(tmp_path) as made, ColourProcess("a:", delay_s=2) as green, Colour("b:") as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        with made.client() as client:
            assert ask(client, call("x")) == f"a:{call('x')}"
        assert made.stats().slots[Slot.A].lost == 0


def test_an_answer_that_takes_too_long_counts_as_lost(tmp_path: Path) -> None:
    """Where the user says how long, a colour that is alive and stuck leaves nobody waiting, and is late for good."""
    settings = {"zmq": {"answer_timeout_s": 0.2, "lost_reply": "${reason}", "codec": "raw"}}
    with rig(tmp_path, settings=settings) as made, Colour("a:", delay_s=1) as green, made.client() as client:
        made.aim(Slot.A, green)
        assert "in time" in ask(client, "x")
        green.delay_s = 0
        wait_for(lambda: green.asked)
        time.sleep(1)
        assert [ask(client, str(number)) for number in range(5)] == [f"a:{number}" for number in range(5)]


def test_a_colour_that_comes_back_is_found_again(tmp_path: Path) -> None:
    """Restarted in place, with nobody else there: requests wait for it, and go to it when it is up."""
    with rig(tmp_path) as made, made.client() as client:
        with Colour("a:") as green:
            made.aim(Slot.A, green)
            assert ask(client, "x") == "a:x"
        wait_for(lambda: made.stats().serving is None)
        client.send(b"y")
        wait_for(lambda: made.stats().held == 1)
        with Colour("again:", port=green.port):
            assert client.recv() == b"again:y"


def test_a_broker_that_ends_leaves_nobody_waiting(tmp_path: Path) -> None:
    """What is in flight is waited for a moment, then answered for; what waits, and comes, is told at once."""
    settings = {"zmq": {"lost_reply": "lost: ${reason}", "overflow_reply": "full", "codec": "raw"}}
    for mode, kind in ((Mode.REP, zmq.REP), (Mode.ROUTER, zmq.ROUTER)):
        folder = tmp_path / mode.value
        folder.mkdir()
        with (
            rig(folder, mode, settings=settings) as made,
            Colour("a:", kind, delay_s=0.3) as green,
            made.client() as quick,
            made.client() as slow,
            made.client() as late,
        ):
            made.aim(Slot.A, green)
            quick.send(b"x")
            wait_for(lambda made=made: made.face.in_flight(Slot.A) == 1)
            wait_for(lambda green=green: green.asked)
            green.delay_s = 30
            slow.send(b"y")
            wait_for(lambda made=made: made.face.in_flight(Slot.A) == 2)
            made.send(signal.SIGTERM)
            wait_for(lambda made=made: "ends" in made.log())
            late.send(b"z")
            assert late.recv() == b"full"
            assert quick.recv() == b"a:x"
            assert slow.recv().startswith(b"lost: the edge ended")
            assert made.wait() == 0
