"""A colour behind HAProxy dies, for real: who takes over, who waits, and what is told."""

from __future__ import annotations

import threading
import time

import pytest

from cutover.edge.shape import Hold, Slot
from tests.scenarios.haproxy_world import HTTP, TCP, Load, quietly, wait

pytestmark = pytest.mark.engine


def test_what_the_only_colour_cannot_take_waits(edge):
    """Green is alone and dies: who asks waits, on HTTP and TCP, until somebody else is switched to."""
    edge.face.release(alone=Hold(limit=100, timeout_s=30, release_per_s=200))
    with Load(edge.world.http, kept=3, fresh=3) as load:
        time.sleep(0.3)
        edge.world.green.kill()
        wait(lambda: edge.face.stats()[HTTP].held == 6, 5)
        with edge.raw(edge.world.tcp) as stream:
            stream.sendall(b"hello")
            wait(lambda: edge.face.stats()[TCP].held == 1, 5)
            time.sleep(3)  # the checks have seen it long ago, and new requests wait as well
            edge.face.hold(Hold(limit=100, timeout_s=30, release_per_s=200))
            edge.face.switch(Slot.B)
            released = time.monotonic()
            edge.face.release()
            assert stream.recv(20) == b"blue:hello"
        wait(lambda: load.names(released).total() > 6, 10)
    assert load.failures == {}
    assert set(load.names()) == {"green", "blue"}
    assert edge.face.stats()[HTTP].held == 0
    assert load.slowest_s() > 3


def test_the_only_colour_comes_back_by_itself(edge):
    """It is started again by whoever watches over it, and what waits goes to it without another word."""
    edge.face.release(alone=Hold(limit=100, timeout_s=30, release_per_s=200))
    edge.face.clear(Slot.B)
    with Load(edge.world.http, kept=3, fresh=3) as load:
        time.sleep(0.3)
        edge.world.green.restart(timeout=0)
        back = time.monotonic()
        wait(lambda: load.names(back).total() > 6, 15)
    assert load.failures == {}
    edge.face.release()
    edge.world.green.kill()
    wait(lambda: edge.ask()[0] == 503, 5)  # no word of waiting any more: it fails, as it would without an edge


def test_a_busy_colour_that_is_alone_is_asked(edge):
    """It answers requests and not its checks: who asks waits for half a second, not for ever."""
    edge.face.release(alone=Hold(limit=100, timeout_s=30, release_per_s=200))
    edge.face.clear(Slot.B)
    edge.ask("/unwell")
    wait(lambda: edge.face.down(Slot.A), 5)
    assert edge.ask()[:2] == (200, "green\n")
    edge.ask("/well")


def test_killed_blue_gives_way_to_green(edge):
    """After the switch: blue dies, and reads go on within a second, without one failing."""
    edge.face.switch(Slot.B)
    with Load(edge.world.http) as load:
        time.sleep(0.5)
        edge.world.blue.kill()
        killed = time.monotonic()
        wait(lambda: load.names(killed + 0.05)["green"] > 20, 5)
        wait(lambda: edge.face.stats()[HTTP].serving is Slot.A, 5)
        assert edge.face.stats()[HTTP].active is Slot.B
    assert load.failures == {}
    assert min(asked + took for asked, took, who in load.answers if who == "green") - killed < 1
    assert set(edge.face.down(Slot.B)) == {HTTP, TCP}
    assert edge.face.down(Slot.A) == {}


def test_killed_green_does_not_reach_an_unproven_blue(edge):
    """Blue is aimed at, and not switched to: nobody is sent there, whatever becomes of green."""
    edge.world.green.kill()
    wait(lambda: edge.face.down(Slot.A), 5)
    assert edge.ask()[0] == 503
    assert edge.face.stats()[HTTP].serving is None
    edge.world.green.start()
    wait(lambda: quietly(edge.ask)[0] == 200, 10)
    assert edge.ask()[1] == "green\n"


def test_a_cleared_slot_is_no_way_back(edge):
    """Green was cleared after the switch; blue's death is then told, and not papered over."""
    edge.face.switch(Slot.B)
    edge.face.clear(Slot.A)
    edge.world.blue.kill()
    wait(lambda: edge.ask()[0] == 503, 10)
    assert edge.face.down(Slot.A) == {HTTP: "leads nowhere", TCP: "leads nowhere"}
    edge.face.aim(Slot.A, edge.world.targets(edge.world.green))
    wait(lambda: not edge.face.down(Slot.A), 5)
    edge.face.switch(Slot.A)
    assert edge.ask()[1] == "green\n"


def test_a_death_over_a_request(edge):
    """What only reads is asked again of the other colour; what may change something gets a 502, and is counted."""
    edge.face.switch(Slot.B)
    assert edge.ask("/hang-up", "POST", b"x")[0] == 502
    wait(lambda: edge.world.blue.logs().count(b"POST /hang-up") > 0, 5)  # the Engine writes it when it comes to it
    assert edge.world.blue.logs().count(b"POST /hang-up") == 1
    assert edge.world.green.logs().count(b"POST /hang-up") == 0
    lost = edge.face.stats()[HTTP].slots[Slot.B]
    assert (lost.lost, lost.errors) == (1, 1)
    threading.Timer(0.3, edge.world.blue.kill).start()
    assert edge.ask("/sleep/1")[:2] == (200, "green\n")
    assert edge.face.stats()[HTTP].slots[Slot.B].replayed == 1


def test_a_dead_canary_hurts_nobody(edge):
    """Its share goes to green."""
    edge.face.share(Slot.B, 50)
    with Load(edge.world.http) as load:
        time.sleep(0.3)
        edge.world.blue.kill()
        time.sleep(1)
    assert load.failures == {}
    assert set(load.names()) == {"green", "blue"}
