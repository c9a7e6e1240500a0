"""The canary's share: exact, even, in order, and sticky where that is wanted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import zmq

from cutover.edge.broker.share import Share
from cutover.edge.shape import Slot
from cutover.errors import EdgeError
from tests.unit.edge.broker.rig import Colour, ColourProcess, ask, rig


def test_a_share_is_exact_and_even() -> None:
    """Of any thousand in a row exactly so many are the canary's, and never two where one was due."""
    for percent in (0.01, 1, 5, 12.5, 33.33, 50, 100):
        share = Share(sticky=False)
        share.set(percent)
        taken = [share.takes(b"") for _ in range(10_000)]
        assert sum(taken) == round(percent * 100)
        windows = [sum(taken[at : at + 1000]) for at in range(0, 10_000, 1000)]
        assert max(windows) - min(windows) <= 1


def test_what_the_canary_could_not_take_is_still_owed_to_it() -> None:
    """The next request is its then."""
    share = Share(sticky=False)
    share.set(50)
    assert [share.takes(b"") for _ in range(2)] == [False, True]
    share.give_back()
    assert share.takes(b"")


def test_a_sticky_client_stays_in_as_the_share_grows() -> None:
    """And about the right part of clients is in."""
    clients = [f"client-{number}".encode() for number in range(4000)]
    share = Share(sticky=True)
    inside: set[bytes] = set()
    for percent in (5, 25, 50, 100):
        share.set(percent)
        now = {client for client in clients if share.takes(client)}
        assert inside <= now
        assert abs(len(now) / 40 - percent) < 3
        inside = now


def test_five_per_cent_of_20000_requests_in_order(tmp_path: Path) -> None:
    """From four clients that pipeline: 5.0 per cent, each client's answers in the order of its requests."""
    with rig(tmp_path) as made, ColourProcess("a:") as green, ColourProcess("b:") as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        made.face.share(Slot.B, 5)
        with (
            made.client(zmq.DEALER) as one,
            made.client(zmq.DEALER) as two,
            made.client(zmq.DEALER) as three,
            made.client(zmq.DEALER) as four,
        ):
            clients = (one, two, three, four)
            answers: dict[zmq.Socket[bytes], list[bytes]] = {client: [] for client in clients}
            for at in range(0, 5000, 25):
                for client in clients:
                    for number in range(at, at + 25):
                        client.send_multipart([b"", b"%d" % number])
                for client in clients:
                    answers[client] += [client.recv_multipart()[1] for _ in range(25)]
        said = [answer for found in answers.values() for answer in found]
        assert 0.045 <= sum(answer.startswith(b"b:") for answer in said) / 20_000 <= 0.055
        for found in answers.values():
            assert [answer[2:] for answer in found] == [b"%d" % number for number in range(5000)]
        stats = made.stats()
        assert stats.share_percent == 5
        assert stats.slots[Slot.B].requests == 1000
        assert len(made.face.samples()) == 20_000


def test_a_slow_canary_makes_a_client_wait_only_for_itself(tmp_path: Path) -> None:
    """Blue takes a while over each request; another client's answers do not wait for that."""
    with rig(tmp_path) as made, Colour("a:") as green, Colour("b:", delay_s=0.5) as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        made.face.share(Slot.B, 10)
        with made.client(zmq.DEALER) as slow, made.client() as quick:
            for number in range(15):
                slow.send_multipart([b"", str(number).encode()])
            began = time.monotonic()
            assert ask(quick, "x") == "a:x"
            assert time.monotonic() - began < 0.4
            assert [slow.recv_multipart()[1][2:] for _ in range(15)] == [str(n).encode() for n in range(15)]


def test_a_sticky_client_keeps_its_colour(tmp_path: Path) -> None:
    """By the identity of its socket, where the user says so."""
    settings = {"sticky": {"identity": True}}
    with rig(tmp_path, settings=settings) as made, Colour("a:") as green, Colour("b:") as blue:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        made.face.share(Slot.B, 50)
        seen = set()
        for name in (b"one", b"two", b"three", b"four", b"five", b"six"):
            with made.client(routing_id=name) as client:
                said = {ask(client) for _ in range(6)}
            assert len(said) == 1
            seen |= said
        assert seen == {"a:", "b:"}


def test_a_canary_that_dies_takes_no_share(tmp_path: Path) -> None:
    """What it had is answered by rule, and all that comes is the active colour's; a switch ends the share."""
    with rig(tmp_path) as made, Colour("a:") as green, Colour("b:") as blue, made.client() as client:
        made.aim(Slot.A, green)
        made.aim(Slot.B, blue)
        made.face.share(Slot.B, 50)
        assert {ask(client) for _ in range(4)} == {"a:", "b:"}
        blue.stop()
        while Slot.B not in {slot for slot in Slot if made.face.down(slot)}:
            time.sleep(0.01)
        assert {ask(client) for _ in range(6)} == {"a:"}
        made.face.switch(Slot.A)
        assert made.stats().share_percent == 50, "switching to who is active changes nothing"


def test_the_active_slot_has_no_share(tmp_path: Path) -> None:
    """It gets the rest; and a share is a percentage."""
    with rig(tmp_path) as made:
        for slot, percent in ((Slot.A, 5.0), (Slot.B, 101.0), (Slot.B, -1.0)):
            with pytest.raises(EdgeError):
                made.face.share(slot, percent)
