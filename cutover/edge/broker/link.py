"""One connection to a colour, and the slot that sees to there being one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import zmq

from cutover.edge.broker import wire
from cutover.edge.broker.loop import Loop, Timer, log
from cutover.edge.broker.resolve import Resolver
from cutover.edge.broker.words import Settings, Target

LOOK_UP_AFTER_S = 1.0
"""So long a connection may be missing before the container's name is asked for its address (again)."""
RECONNECT_S = 0.05
RECONNECT_MOST_S = 1.0
"""A colour that takes connections and drops them is asked ever more rarely."""

Entry = tuple[bytes, list[bytes] | None, float, "bytes | list[bytes] | None"]
"""A request in flight: client, frames before the body (None: the empty delimiter), since when, the body if kept."""


@dataclass(slots=True)
class World:
    """What every part of the broker works in."""

    context: wire.Context
    loop: Loop
    resolver: Resolver
    settings: Settings


class Owner(Protocol):
    """The port that a slot belongs to."""

    def linked(self, slot: Slot) -> None:
        """Take note that a slot's connection is up."""
        ...

    def unlinked(self, slot: Slot, link: Link) -> bool:
        """Take note that a connection is gone; what it did not answer is in `pending`. True: not to be closed yet."""
        ...

    def opened(self, link: Link) -> None:
        """Take note of a new socket."""
        ...

    def closing(self, link: Link) -> None:
        """Take note that a socket is about to be closed."""
        ...


class Link:
    """One socket that leads to a colour: up once a ZMTP handshake succeeded, down when its connection is gone."""

    def __init__(self, world: World, slot: Slot, kind: int, endpoint: str, *, keep: bool) -> None:
        self.slot = slot
        self.keep = keep
        self.endpoint = endpoint
        self.pending: dict[bytes, Entry] = {}
        self.up = False
        self.closed = False
        self.broken = False
        self.was_cut = False
        self.quota = 1
        self.why = "no connection yet"
        self.made = time.monotonic()
        self._loop = world.loop
        self.socket = wire.towards(world.context, kind, world.settings, keep=keep)
        self._monitor = self.socket.get_monitor_socket(
            wire.READY | wire.GONE | wire.REFUSED | wire.FAILED | zmq.EVENT_CONNECTED
        )
        self.descriptor = int(self.socket.getsockopt(zmq.FD))
        self._monitored = int(self._monitor.getsockopt(zmq.FD))
        self._loop.watch(self._monitored, self._notice)
        self._loop.soon(self._notice)  # a descriptor tells nothing before its socket was looked at once
        self.socket.connect(endpoint)

    def cut(self, why: str) -> None:
        """End a connection over which something came that makes no sense: what comes after it may make none either."""
        if self.up:
            self.up, self.was_cut, self.why = False, True, why
            self.slot.link_down(self)

    def close(self) -> None:
        """Let go of the connection."""
        if self.closed:
            return
        self.closed = True
        self.up = False
        self._loop.forget(self._monitored)
        self._loop.forget(self.descriptor)
        self.socket.disable_monitor()
        self._monitor.close(0)
        self.socket.close()

    def _notice(self) -> None:
        for event, _ in [] if self.closed else wire.events(self._monitor):
            if event == wire.READY:
                self.up = True
                self.slot.link_up(self)
            elif event == wire.GONE:
                was_up, self.up = self.up, False
                self.why = "the connection was closed, or its heartbeat stopped" if was_up else "it hung up on us"
                if was_up:
                    self.slot.link_down(self)
            elif event & wire.FAILED:
                self.why = "it answers, but not as a ZeroMQ socket that fits"
            elif event & wire.REFUSED and not self.up:
                self.why = "nobody takes the connection"
            if self.closed:
                return


@dataclass(slots=True)
class Counters:
    """What a slot did on one port since the broker started."""

    requests: int = 0
    errors: int = 0
    lost: int = 0
    replayed: int = 0


@dataclass(slots=True)
class Slot:
    """One of two places for a colour: keeps a connection to where it is aimed, whatever becomes of it."""

    world: World
    owner: Owner
    name: str
    kind: int
    keep: bool = False
    prepare: Callable[[wire.Socket], None] | None = None
    target: Target | None = None
    link: Link | None = None
    retired: list[Link] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)
    was_up: bool = False
    since: float = 0.0
    last_why: str = "no connection yet"
    _pause_s: float = RECONNECT_S
    _timer: Timer | None = None
    _address: str | None = None

    @property
    def up(self) -> bool:
        """Say whether a colour is connected here."""
        return self.link is not None and self.link.up

    @property
    def in_flight(self) -> int:
        """Return how many requests were given and not answered."""
        return sum(len(link.pending) for link in self.links)

    @property
    def links(self) -> list[Link]:
        """Return its connections: the one that is used, and those that only have answers to give."""
        return ([self.link] if self.link else []) + self.retired

    def why_down(self) -> str | None:
        """Return why nobody is connected here; None where somebody is."""
        if self.target is None:
            return "it leads nowhere"
        if self.link is None:
            return self.last_why
        return None if self.link.up else self.link.why

    def aim(self, target: Target | None, *, by_name: bool = False) -> None:
        """Lead to another target, or nowhere; what is in flight is still answered by the old one.

        With `by_name` (after a restart) the address is the name's, if it has one: the one that was told may be
        another container's by now.
        """
        if target == self.target:
            return
        self._retire()
        self.target, self._address = target, None
        self.was_up, self.since = False, time.monotonic()
        if target is None:
            return
        if by_name:
            self._timer = self.world.loop.after(LOOK_UP_AFTER_S, self._connect)
            self._look_up()
        else:
            self._connect()

    def link_up(self, link: Link) -> None:
        """Take note: the handshake of a connection succeeded."""
        if link is not self.link:
            return
        self._stop_timer()
        self.was_up = True
        log(f"slot {self.name}: {self._called()} is up")
        self.owner.linked(self)

    def link_down(self, link: Link) -> None:
        """Take note: a connection is gone. Its socket goes with it, so that no late answer can come."""
        self.since = time.monotonic()
        self.last_why = link.why
        log(f"slot {self.name}: {self._called()} is gone: {link.why}")
        if link.keep and link is self.link:
            self.owner.unlinked(self, link)
            self._look_up()
            return
        if link is self.link:
            self.link = None
            self.retired.append(link)
        if not self.owner.unlinked(self, link):
            self._close(link)
        if self.target is not None and self.link is None:
            lived_s = time.monotonic() - link.made
            self._pause_s = RECONNECT_S if lived_s > RECONNECT_MOST_S else min(2 * self._pause_s, RECONNECT_MOST_S)
            self._stop_timer()
            self._timer = self.world.loop.after(self._pause_s, self._connect)
            self._look_up()  # a container that is started again may have another address

    def tidy(self) -> None:
        """Close what was retired and has nothing in flight any more."""
        for link in [link for link in self.retired if not link.pending]:
            self._close(link)

    def close(self) -> None:
        """Let go of every connection."""
        self._stop_timer()
        for link in self.links:
            self._close(link)

    def _connect(self) -> None:
        if self.target is None:
            return
        self._stop_timer()
        if self.link is not None:
            self._retire()
        endpoint = wire.target_endpoint(self.target, self._address)
        self.link = Link(self.world, self, self.kind, endpoint, keep=self.keep)
        if self.prepare is not None:
            self.prepare(self.link.socket)
        self.owner.opened(self.link)
        self._timer = self.world.loop.after(LOOK_UP_AFTER_S, self._look_up)

    def _look_up(self) -> None:
        target = self.target
        if target is None or self.up:
            return

        def found(address: str | None) -> None:
            if target is not self.target or self.up:
                return
            moved = address is not None and address != (self._address or target.address)
            self._address = address or self._address
            if self.link is None or moved:
                self._connect()
            else:
                self._stop_timer()
                self._timer = self.world.loop.after(2 * LOOK_UP_AFTER_S, self._look_up)

        self.world.resolver.ask(target.name, found)

    def _retire(self) -> None:
        """Have the link that was used only give its answers."""
        self._stop_timer()
        link, self.link = self.link, None
        if link is None:
            return
        self.retired.append(link)
        self.tidy()

    def _close(self, link: Link) -> None:
        if link is self.link:
            self.link = None
        if link in self.retired:
            self.retired.remove(link)
        if not link.closed:
            self.owner.closing(link)
            link.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _called(self) -> str:
        return self.target.name if self.target else "what it led to"
