"""zmq-rep: what a persistent client sees while colours are switched."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import zmq

from cutover.edge.shape import Mode, Slot
from tests.unit.edge.broker.rig import Colour, ask, rig, wait_for


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
            wait_for(lambda: green.asked > 0)
            made.face.switch(Slot.B)
            for number in range(8, 20):
                client.send_multipart([b"", str(number).encode()])
            answers = [client.recv_multipart()[-1].decode() for _ in range(20)]
        assert [answer[2:] for answer in answers] == [str(number) for number in range(20)]
        assert answers[0][0] == "a"
        assert answers[-1][0] == "b"


def test_what_is_in_flight_is_answered_by_a_colour_that_was_cleared(tmp_path: Path) -> None:
    """The slot leads nowhere at once; its connection stays until the last answer."""
    with rig(tmp_path) as made, Colour("a:", delay_s=0.3) as green, Colour("b:") as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        with made.client() as client:
            client.send(b"x")
            wait_for(lambda: made.face.in_flight(Slot.A) == 1)
            made.face.switch(Slot.B)
            made.face.clear(Slot.A)
            assert made.face.in_flight(Slot.A) == 1
            assert client.recv() == b"a:x"
            assert ask(client, "y") == "b:y"
        assert made.stats().slots[Slot.A].aimed_at is None
        assert made.face.in_flight(Slot.A) == 0


def test_errors_are_counted_as_the_user_says(tmp_path: Path) -> None:
    """A reply with the keys and values of `error_if` is an error, in counters and samples."""
    settings = {"zmq": {"error_if": {"status": "error"}}}
    with rig(tmp_path, settings=settings) as made, Colour() as green, made.client() as client:
        made.aim(Slot.A, green)
        ask(client, '{"status": "ok", "text": "error"}')
        ask(client, '{"status": "error"}')
        assert made.stats().slots[Slot.A].errors == 1
        assert [sample.error for sample in made.face.samples()] == [False, True]


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
