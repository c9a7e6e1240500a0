"""zmq-rep: what a persistent client sees while colours are switched, killed and paused."""

from __future__ import annotations

import json
import signal
import threading
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


def test_a_request_is_forwarded_and_counted(tmp_path: Path) -> None:
    """Every socket that speaks as REQ does gets its answer behind its own envelope, and all are counted."""
    with rig(tmp_path) as made, Colour("a:") as green:
        made.aim(Slot.A, green)
        with made.client() as req, made.client(zmq.DEALER) as dealer:
            assert ask(req, "x") == "a:x"
            dealer.send_multipart([b"hop", b"7", b"", b"one", b"two"])
            assert dealer.recv_multipart() == [b"hop", b"7", b"", b"one", b"a:two"]
        stats = made.stats()
        assert stats.slots[Slot.A].requests == 2
        assert stats.slots[Slot.A].in_flight == 0
        assert (stats.active, stats.serving, stats.rejected) == (Slot.A, Slot.A, 0)
        assert [(s.slot, s.error) for s in made.face.samples()] == [(Slot.A, False)] * 2
        assert made.face.samples() == []


def test_switches_under_load_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """Persistent REQ clients ask all the time; the colour is changed 40 times; each gets its own answer, once."""
    stop = threading.Event()
    failures: list[str] = []
    counts: list[int] = []

    def work(number: int) -> None:
        with made.client() as socket:
            count = 0
            while not stop.is_set():
                question = f"{number}-{count}"
                answer = ask(socket, question)
                if answer not in {f"a:{question}", f"b:{question}"}:
                    failures.append(f"{question} got {answer}")
                count += 1
            counts.append(count)

    with rig(tmp_path) as made, Colour("a:") as green, Colour("b:") as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        clients = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for client in clients:
            client.start()
        for turn in range(40):
            made.face.switch(Slot.B if turn % 2 == 0 else Slot.A)
            time.sleep(0.03)
        stop.set()
        for client in clients:
            client.join()
        assert failures == []
        assert len(counts) == 4
        asked = {slot: made.stats().slots[slot].requests for slot in Slot}
        assert sum(asked.values()) == sum(counts) == green.asked + blue.asked
        assert min(asked.values()) > 0


def test_a_pipelining_client_gets_its_answers_in_order_across_a_switch(tmp_path: Path) -> None:
    """What green has in flight is answered by green, and before what blue answers at once."""
    with rig(tmp_path) as made, Colour("a:", delay_s=0.05) as green, Colour("b:") as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        with made.client(zmq.DEALER) as client:
            for number in range(8):
                client.send_multipart([b"", str(number).encode()])
            in_flight(made, Slot.A, made.face.in_flight(Slot.A))
            wait_for(lambda: green.asked > 0)
            made.face.switch(Slot.B)
            for number in range(8, 20):
                client.send_multipart([b"", str(number).encode()])
            answers = [client.recv_multipart()[-1].decode() for _ in range(20)]
        assert [answer[2:] for answer in answers] == [str(number) for number in range(20)]
        assert answers[0][0] == "a"
        assert answers[-1][0] == "b"


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


def test_what_is_in_flight_is_answered_by_a_colour_that_was_cleared(tmp_path: Path) -> None:
    """The slot leads nowhere at once; its connection stays until the last answer."""
    with rig(tmp_path) as made, Colour("a:", delay_s=0.3) as green, Colour("b:") as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        with made.client() as client:
            client.send(b"x")
            in_flight(made, Slot.A)
            made.face.switch(Slot.B)
            made.face.clear(Slot.A)
            assert made.face.in_flight(Slot.A) == 1
            assert client.recv() == b"a:x"
            assert ask(client, "y") == "b:y"
        assert made.stats().slots[Slot.A].aimed_at is None
        assert made.face.in_flight(Slot.A) == 0


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


def test_errors_are_counted_as_the_user_says(tmp_path: Path) -> None:
    """A reply with the keys and values of `error_if` is an error, in counters and samples."""
    settings = {"zmq": {"error_if": {"status": "error"}}}
    with rig(tmp_path, settings=settings) as made, Colour() as green, made.client() as client:
        made.aim(Slot.A, green)
        ask(client, '{"status": "ok", "text": "error"}')
        ask(client, '{"status": "error"}')
        assert made.stats().slots[Slot.A].errors == 1
        assert [sample.error for sample in made.face.samples()] == [False, True]


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


def test_a_client_that_leaves_takes_nothing_with_it(tmp_path: Path) -> None:
    """Answers to clients that are gone come to nothing; others are served, and nothing stays in flight."""
    with rig(tmp_path) as made, Colour("a:", delay_s=0.02) as green:
        made.aim(Slot.A, green)
        for _ in range(5):
            with made.client(zmq.DEALER) as client:
                for number in range(3):
                    client.send_multipart([b"", str(number).encode()])
                client.recv_multipart()
        with made.client() as client:
            assert ask(client, "x") == "a:x"
        assert made.face.in_flight(Slot.A) == 0


def test_a_client_that_comes_back_under_its_own_name_gets_it(tmp_path: Path) -> None:
    """Its new connection takes over from the old one (which may hang for minutes), as it asked for that identity."""
    with rig(tmp_path) as made, Colour("a:") as green:
        made.aim(Slot.A, green)
        with made.client(routing_id=b"me") as first:
            assert ask(first, "x") == "a:x"
            with made.client(routing_id=b"me") as second:
                assert ask(second, "y") == "a:y"


def test_a_client_that_does_not_read_costs_only_itself(tmp_path: Path) -> None:
    """Its answers wait within bounds, then are dropped; others are served meanwhile."""
    with rig(tmp_path) as made, Colour("a:") as green:
        made.aim(Slot.A, green)
        body = b"x" * 20_000
        with made.client(zmq.DEALER, rcvhwm=1) as deaf, made.client() as client:
            for _ in range(3500):
                deaf.send_multipart([b"", body])
            wait_for(lambda: made.stats().slots[Slot.A].requests == 3500)
            assert ask(client, "x") == "a:x"
            assert made.face.in_flight(Slot.A) == 0
        assert made.rss_bytes < 300 * 1024 * 1024


def test_a_broker_with_nothing_to_do_does_nothing(tmp_path: Path) -> None:
    """A descriptor of ZeroMQ that was not looked at in full would wake it for ever."""
    with (
        rig(tmp_path, Mode.REP, Mode.ROUTER, Mode.PUB, Mode.PULL, Mode.PUSH) as made,
        Colour() as one,
        Colour(kind=zmq.ROUTER) as two,
        Colour(kind=zmq.XPUB) as three,
        Colour(kind=zmq.PULL) as four,
        Colour(kind=zmq.DEALER) as five,
        made.client() as first,
        made.client(which=1) as second,
    ):
        targets = dict(zip(made.ports, (one.target, two.target, three.target, four.target, five.target), strict=True))
        made.face.aim(Slot.A, targets)
        wait_for(lambda: not [port for port in made.face.down(Slot.A) if port in made.ports[:2]])
        ask(first)
        ask(second)
        before = made.cpu_s
        time.sleep(1)
        assert made.cpu_s - before < 0.2
