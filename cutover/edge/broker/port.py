"""What every port has: a front for clients, two slots behind it, and which of them serves."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, ClassVar

import zmq

from cutover.edge.broker import wire
from cutover.edge.broker.codec import Reader
from cutover.edge.broker.link import Link, Slot, World
from cutover.edge.broker.loop import log
from cutover.edge.broker.share import Share
from cutover.edge.broker.words import SLOTS, Hold, Target, other

GRACE_S = 1.5
"""So long an active slot that was never up is waited for before the other one serves: its name may be asked first."""
TICK_S = 0.1
REMEMBERED = 20_000


class Port:
    """Serves one port: the active slot, or the other one where that died.

    Once it fell back it stays there, also when the active colour is up again, until it is told to switch: a colour
    that dies every other second would else take requests with it each time.
    """

    front_kind: ClassVar[int]
    back_kind: ClassVar[int]
    keep: ClassVar[bool] = False

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.loop = world.loop
        self.active = "a"
        self.serving: str | None = None
        self.fell_back = False
        self.hold: Hold | None = None
        self.share = Share(sticky=world.settings.sticky)
        self.reader = Reader(world.settings.rules)
        self.samples: deque[tuple[int, float, bool]] = deque(maxlen=REMEMBERED)
        self.overflowed = 0
        self.rejected = 0
        self._switched = time.monotonic()
        self.slots = {name: Slot(world, self, name, self.back_kind, self.keep, self.prepare) for name in SLOTS}
        self.front = wire.front(world.context, self.front_kind, number, world.settings)
        self.descriptor = int(self.front.getsockopt(zmq.FD))
        self.run = self.pump  # one bound method, so that the loop sees that two sockets lead to the same
        self.loop.watch(self.descriptor, self.run)
        self.loop.soon(self.run)
        self.loop.every(TICK_S, self.tick)

    # what it is told

    def aim(self, slot: str, target: Target | None, *, by_name: bool = False) -> None:
        """Have a slot lead to a colour, or nowhere."""
        self.slots[slot].aim(target, by_name=by_name)
        self.elect()

    def switch(self, slot: str) -> None:
        """Send new requests to a slot; a share of the other one ends."""
        if slot != self.active:
            self.share.set(0)
        if slot != self.active or self.fell_back:
            self._switched = time.monotonic()
        self.active, self.fell_back = slot, False
        self.elect()

    def set_share(self, percent: float) -> None:
        """Send so many per cent of new requests to the slot that is not active."""
        self.share.set(percent)
        self.changed()

    def set_hold(self, hold: Hold | None) -> None:
        """Let requests wait, or let them go."""
        self.hold = hold
        self.changed()

    def stats(self) -> dict[str, Any]:
        """Return its counters, JSON-ready."""
        return {
            "active": self.active,
            "serving": self.serving,
            "share_percent": self.share.percent,
            "holding": self.hold is not None,
            "held": self.held,
            "overflowed": self.overflowed,
            "rejected": self.rejected,
            "slots": {name: self._slot_stats(slot) for name, slot in self.slots.items()},
        }

    def leave(self) -> None:
        """Take nothing more in; the broker is about to end."""

    def close(self) -> None:
        """Let go of every socket."""
        for slot in self.slots.values():
            slot.close()
        self.loop.forget(self.descriptor)
        self.front.close()

    # what the kinds of ports add

    @property
    def held(self) -> int:
        """Return how many requests wait here."""
        return 0

    def prepare(self, socket: wire.Socket) -> None:
        """Set what a socket towards a colour needs beyond the usual."""

    def pump(self) -> bool:
        """Move what can be moved; say True where there may be more."""
        raise NotImplementedError

    def changed(self) -> None:
        """Take note that another slot serves, or that hold or share are others."""

    def clients(self, slot: Slot) -> dict[str, int]:
        """Return how many requests of each client a slot has in flight."""
        del slot
        return {}

    # what slots tell

    def linked(self, slot: Slot) -> None:
        """Take note that a slot's connection is up."""
        del slot
        self.elect()
        self.changed()

    def unlinked(self, slot: Slot, link: Link) -> bool:
        """Take note that a connection is gone; True: its socket is not to be closed yet."""
        del slot, link
        self.elect()
        return False

    def opened(self, link: Link) -> None:
        """Watch a new socket."""
        self.loop.watch(link.descriptor, self.run)
        self.loop.soon(self.run)

    def closing(self, link: Link) -> None:
        """Take note that a socket is about to be closed."""

    def tick(self) -> None:
        """Do what is due ten times a second."""
        self.elect()
        for slot in self.slots.values():
            if slot.retired:
                slot.tidy()

    def elect(self) -> None:
        """Find out who serves."""
        active, way_back = self.slots[self.active], self.slots[other(self.active)]
        if self.fell_back:
            if not way_back.up and active.up:
                self.fell_back = False
        elif way_back.up and not active.up and self._given_up(active):
            self.fell_back = True
        chosen = way_back if self.fell_back else active
        serving = chosen.name if chosen.up else None
        if serving != self.serving:
            log(f"port {self.number}: served by {serving or 'nobody'} (active is {self.active})")
            self.serving = serving
            self.changed()

    def _given_up(self, active: Slot) -> bool:
        if active.was_up or active.target is None:
            return True
        return time.monotonic() - max(active.since, self._switched) > GRACE_S

    def _slot_stats(self, slot: Slot) -> dict[str, Any]:
        counted = slot.counters
        return {
            "aimed_at": slot.target.name if slot.target else None,
            "up": slot.up,
            "why": slot.why_down(),
            "requests": counted.requests,
            "errors": counted.errors,
            "lost": counted.lost,
            "replayed": counted.replayed,
            "in_flight": slot.in_flight,
            "clients": self.clients(slot),
        }
