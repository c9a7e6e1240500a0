"""zmq-pub, zmq-pull and zmq-push: one-way messages over a switch."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import zmq

from cutover.edge.shape import Hold, Mode, Slot, Target
from tests.unit.edge.broker.rig import NOWHERE, Rig, rig, wait_for

Socket = zmq.Socket[bytes]


@contextlib.contextmanager
def colour(kind: int) -> Iterator[tuple[Socket, Target]]:
    """Return a socket of a colour, and where it is bound."""
    with zmq.Context() as context, context.socket(kind) as bound:
        bound.linger, bound.rcvtimeo, bound.sndtimeo = 0, 5000, 5000
        yield bound, Target(NOWHERE, "127.0.0.1", bound.bind_to_random_port("tcp://127.0.0.1"))


def aim(made: Rig, slot: Slot, target: Target) -> None:
    """Lead a slot there, and wait until it is up."""
    made.face.aim(slot, {made.ports[0]: target})
    wait_for(lambda: not made.face.down(slot), f"slot {slot}")


def received(socket: Socket, wait_ms: int = 300) -> list[bytes]:
    """Return all messages that come until none does for a while."""
    found = []
    while socket.poll(wait_ms):
        found.append(socket.recv())
    return found


def test_a_subscriber_follows_a_switch(tmp_path: Path) -> None:
    """Both colours have its subscriptions; it hears what the serving one says, and nothing twice."""
    with (
        rig(tmp_path, Mode.PUB) as made,
        colour(zmq.XPUB) as (green, at_green),
        colour(zmq.XPUB) as (blue, at_blue),
        made.client(zmq.SUB) as client,
    ):
        client.subscribe(b"news")
        aim(made, Slot.A, at_green)
        assert green.recv() == b"\1news"
        aim(made, Slot.B, at_blue)
        assert blue.recv() == b"\1news"
        for number in range(100):
            made.face.switch(Slot.B if number >= 50 else Slot.A)
            green.send(b"news %d" % number)
            blue.send(b"news %d" % number)
            assert client.recv() == b"news %d" % number
            if number in {0, 99}:
                green.send(b"other")
                blue.send(b"other")
        assert received(client) == []
        client.unsubscribe(b"news")
        assert green.recv() == blue.recv() == b"\0news"
        stats = made.stats()
        assert {slot: s.requests for slot, s in stats.slots.items()} == {Slot.A: 50, Slot.B: 50}


def test_a_subscriber_hears_the_other_one_when_its_publisher_dies(tmp_path: Path) -> None:
    """And one that comes back is subscribed to again."""
    with rig(tmp_path, Mode.PUB) as made, colour(zmq.XPUB) as (blue, at_blue), made.client(zmq.SUB) as client:
        client.subscribe(b"")
        with colour(zmq.XPUB) as (green, at_green):
            aim(made, Slot.A, at_green)
            aim(made, Slot.B, at_blue)
            assert green.recv() == blue.recv() == b"\1"
            green.send(b"1")
            assert client.recv() == b"1"
        wait_for(lambda: made.stats().serving == Slot.B)
        blue.send(b"2")
        assert client.recv() == b"2"
        with zmq.Context() as context, context.socket(zmq.XPUB) as again:
            again.linger, again.rcvtimeo = 0, 5000
            again.bind(f"tcp://127.0.0.1:{at_green.port}")
            assert again.recv() == b"\1"


def test_words_of_subscribers_that_are_no_subscriptions_are_rejected(tmp_path: Path) -> None:
    """An XSUB may say anything to its publisher; ours are for a PUB."""
    with rig(tmp_path, Mode.PUB) as made, colour(zmq.XPUB) as (green, at_green), made.client(zmq.XSUB) as client:
        aim(made, Slot.A, at_green)
        for junk in (b"hello", b"", b"\2"):
            client.send(junk)
        client.send_multipart([b"\1a", b"b"])
        client.send(b"\1a")
        assert green.recv() == b"\1a"
        assert made.stats().rejected >= 3


def test_work_for_a_colour_is_not_lost_over_switches_and_holds(tmp_path: Path) -> None:
    """PUSH clients send all the time: every message reaches one colour, once."""
    with (
        rig(tmp_path, Mode.PULL) as made,
        colour(zmq.PULL) as (green, at_green),
        colour(zmq.PULL) as (blue, at_blue),
        made.client(zmq.PUSH) as client,
    ):
        aim(made, Slot.A, at_green)
        aim(made, Slot.B, at_blue)
        for number in range(1000):
            client.send(b"%d" % number)
            if number % 100 == 50:
                made.face.switch(Slot.A if number % 200 == 50 else Slot.B)
            if number == 500:
                made.face.hold(Hold())
            if number == 700:
                assert made.stats().holding
                made.face.release()
        got = received(green) + received(blue)
        assert sorted(got, key=int) == [b"%d" % number for number in range(1000)]
        stats = made.stats()
        assert sum(s.requests for s in stats.slots.values()) == 1000
        assert min(s.requests for s in stats.slots.values()) > 100


def test_work_waits_with_its_senders_while_nobody_is_up(tmp_path: Path) -> None:
    """And reaches the colour that comes."""
    with rig(tmp_path, Mode.PULL) as made, made.client(zmq.PUSH) as client:
        for number in range(500):
            client.send(b"%d" % number)
        with colour(zmq.PULL) as (green, at_green):
            aim(made, Slot.A, at_green)
            assert received(green) == [b"%d" % number for number in range(500)]


def test_a_share_of_work_goes_to_the_canary(tmp_path: Path) -> None:
    """One in five."""
    with (
        rig(tmp_path, Mode.PULL) as made,
        colour(zmq.PULL) as (green, at_green),
        colour(zmq.PULL) as (blue, at_blue),
        made.client(zmq.PUSH) as client,
    ):
        aim(made, Slot.A, at_green)
        aim(made, Slot.B, at_blue)
        made.face.share(Slot.B, 20)
        for number in range(100):
            client.send(b"%d" % number)
        assert (len(received(green)), len(received(blue))) == (80, 20)


def test_what_a_colour_gives_to_do_is_done_once_also_after_a_switch(tmp_path: Path) -> None:
    """Blue is not listened to before it serves; what green still gives afterwards is carried to the end."""
    with (
        rig(tmp_path, Mode.PUSH) as made,
        colour(zmq.PUSH) as (green, at_green),
        colour(zmq.PUSH) as (blue, at_blue),
        made.client(zmq.PULL) as client,
    ):
        aim(made, Slot.A, at_green)
        aim(made, Slot.B, at_blue)
        for number in range(200):
            green.send(b"a%d" % number)
        blue.send(b"b")
        assert received(client) == [b"a%d" % number for number in range(200)]
        made.face.switch(Slot.B)
        assert client.recv() == b"b"
        green.send(b"still")
        assert client.recv() == b"still"
        made.face.clear(Slot.A)
        blue.send(b"b2")
        assert client.recv() == b"b2"


def test_work_waits_in_its_colour_while_no_client_takes_it(tmp_path: Path) -> None:
    """Backpressure, without a spinning broker; all of it comes when a client does."""
    with rig(tmp_path, Mode.PUSH) as made, colour(zmq.PUSH) as (green, at_green):
        aim(made, Slot.A, at_green)
        for number in range(300):
            green.send(b"%d" % number)
        before = made.cpu_s
        time.sleep(0.5)
        assert made.cpu_s - before < 0.2
        with made.client(zmq.PULL) as client:
            assert received(client) == [b"%d" % number for number in range(300)]
