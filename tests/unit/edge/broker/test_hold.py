"""Hold: requests wait in bounds, get a clear reply beyond them, and are let go at a pace."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path

import zmq

from cutover.edge.shape import Hold, Slot
from tests.unit.edge.broker.rig import Colour, Rig, ask, rig, wait_for

FULL = {"zmq": {"overflow_reply": {"code": "full", "why": "${reason}"}}}


def pipeline(client: zmq.Socket[bytes], numbers: range) -> None:
    """Ask many at once, as REQ would one."""
    for number in numbers:
        client.send_multipart([b"", str(number).encode()])


def held(made: Rig, number: int) -> None:
    """Wait until so many wait in the broker."""
    wait_for(lambda: made.stats().held == number, f"{number} held")


def test_requests_wait_until_they_are_let_go(tmp_path: Path) -> None:
    """Green stops and blue comes up while they wait; all are blue's, in order, and none was answered before."""
    with rig(tmp_path) as made, Colour("b:") as blue:
        with Colour("a:") as green:
            made.aim(Slot.A, green)
            made.face.hold(Hold(100, 10, 500))
            with made.client(zmq.DEALER) as client:
                pipeline(client, range(20))
                held(made, 20)
                assert made.stats().holding
                assert made.face.in_flight(Slot.A) == green.asked == 0
                green.stop()
                made.aim(Slot.B, blue)
                made.face.switch(Slot.B)
                assert made.stats().held == 20
                made.face.release()
                answers = [client.recv_multipart()[-1].decode() for _ in range(20)]
                assert answers == [f"b:{number}" for number in range(20)]
        assert not made.stats().holding
        assert made.stats().overflowed == 0


def test_what_is_in_flight_when_the_hold_begins_is_answered(tmp_path: Path) -> None:
    """Its answer comes at once, and before those of what waits."""
    with rig(tmp_path) as made, Colour("a:", delay_s=0.2) as green, made.client(zmq.DEALER) as client:
        made.aim(Slot.A, green)
        pipeline(client, range(1))
        wait_for(lambda: made.face.in_flight(Slot.A))
        made.face.hold(Hold())
        pipeline(client, range(1, 3))
        assert client.recv_multipart()[-1] == b"a:0"
        held(made, 2)
        assert not client.poll(100)
        made.face.release()
        assert [client.recv_multipart()[-1] for _ in range(2)] == [b"a:1", b"a:2"]


def test_more_than_may_wait_get_the_overflow_reply(tmp_path: Path) -> None:
    """At once for a client that has nothing before it; behind its older requests for one that pipelines."""
    with rig(tmp_path, settings=FULL) as made, Colour("a:") as green, made.client(zmq.DEALER) as client:
        made.aim(Slot.A, green)
        made.face.hold(Hold(limit=3, timeout_s=10, release_per_s=500))
        pipeline(client, range(5))
        held(made, 3)
        with made.client() as late:
            reply = json.loads(ask(late, "x"))
            assert reply["code"] == "full"
            assert "too many" in reply["why"]
        made.face.release()
        answers = [client.recv_multipart()[-1] for _ in range(5)]
        assert answers[:3] == [b"a:0", b"a:1", b"a:2"]
        assert [json.loads(answer)["code"] for answer in answers[3:]] == ["full", "full"]
        assert made.stats().overflowed == 3


def test_nobody_waits_longer_than_the_hold_allows(tmp_path: Path) -> None:
    """Then it is told so, in the shape that the user configures."""
    with rig(tmp_path, settings=FULL) as made, Colour("a:") as green, made.client() as client:
        made.aim(Slot.A, green)
        made.face.hold(Hold(limit=3, timeout_s=0.3, release_per_s=500))
        began = time.monotonic()
        assert "come back in time" in json.loads(ask(client, "x"))["why"]
        assert 0.25 < time.monotonic() - began < 3
        assert made.stats().held == 0
        made.face.release()
        assert ask(client, "y") == "a:y"


def test_requests_wait_while_nobody_is_up(tmp_path: Path) -> None:
    """Under the bounds of the configuration; the first colour that is up gets them."""
    settings = FULL | {"hold": {"limit": 2, "timeout_s": 10}}
    with rig(tmp_path, settings=settings) as made, made.client(zmq.DEALER) as client:
        pipeline(client, range(3))
        wait_for(lambda: made.stats().overflowed == 1)
        assert made.stats().serving is None
        assert not made.stats().holding
        with Colour("a:") as green:
            made.aim(Slot.A, green)
            assert [client.recv_multipart()[-1] for _ in range(2)] == [b"a:0", b"a:1"]
            assert json.loads(client.recv_multipart()[-1])["code"] == "full"


def test_release_is_paced_and_ends_though_requests_keep_coming(tmp_path: Path) -> None:
    """What waited goes at the pace of the hold, behind nothing that came later; the backlog shrinks under any load."""
    with rig(tmp_path) as made, Colour("a:") as green, made.client(zmq.DEALER) as client:
        made.aim(Slot.A, green)
        made.face.hold(Hold(limit=1000, timeout_s=30, release_per_s=200))
        pipeline(client, range(200))
        held(made, 200)
        began = time.monotonic()
        made.face.release()
        for number in range(200, 400):  # 500 a second come meanwhile
            pipeline(client, range(number, number + 1))
            time.sleep(0.002)
        answers = [client.recv_multipart()[-1] for _ in range(400)]
        took_s = time.monotonic() - began
        assert answers == [f"a:{number}".encode() for number in range(400)]
        assert 0.7 < took_s < 8


def test_a_hold_and_its_release_may_be_told_twice(tmp_path: Path) -> None:
    """A step that is repeated after a crash changes nothing."""
    with rig(tmp_path) as made, Colour("a:") as green, made.client() as client:
        made.aim(Slot.A, green)
        for _ in range(2):
            made.face.hold(Hold())
        client.send(b"x")
        held(made, 1)
        for _ in range(2):
            made.face.release()
        assert client.recv() == b"a:x"


def test_exclusive_swaps_under_load_fail_nobody(tmp_path: Path) -> None:
    """Hold, stop, start, switch, release, ten times, with clients that ask all the time: each gets its own answer."""
    stop = threading.Event()
    failures: list[str] = []

    def work(number: int) -> None:
        with made.client() as socket:
            count = 0
            while not stop.is_set():
                answer = ask(socket, f"{number}-{count}")
                if answer != f":{number}-{count}":
                    failures.append(answer)
                count += 1

    with rig(tmp_path) as made:
        colour = Colour(":").__enter__()
        made.aim(Slot.A, colour)
        clients = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for client in clients:
            client.start()
        slot = Slot.A
        for _ in range(10):
            made.face.hold(Hold())
            wait_for(lambda slot=slot: made.face.in_flight(slot) == 0)
            colour.stop()
            slot = slot.other
            colour = Colour(":").__enter__()
            made.aim(slot, colour)
            made.face.switch(slot)
            made.face.release()
            made.face.clear(slot.other)
            time.sleep(0.05)
        stop.set()
        for client in clients:
            client.join()
        colour.stop()
        assert failures == []
        stats = made.stats()
        assert sum(s.lost for s in stats.slots.values()) == stats.overflowed == 0


def test_a_hold_outlives_the_broker(tmp_path: Path) -> None:
    """Restarted within a hold, it holds: the colour that it led to may be gone by now."""
    with rig(tmp_path) as made, Colour("a:") as green:
        made.aim(Slot.A, green)
        made.face.hold(Hold(7, 8, 9))
        assert made.stop(signal.SIGKILL) != 0
        made.start()
        assert made.stats().holding
        with made.client() as client:
            client.send(b"x")
            held(made, 1)
            made.face.release()
            assert client.recv() == b"a:x"
