"""`zmq-pub`, `zmq-pull`, `zmq-push`: one-way messages, which nobody answers and so nobody can ask for again."""

from __future__ import annotations

import contextlib
from typing import ClassVar

import zmq

from cutover.edge.broker import wire
from cutover.edge.broker.link import Link, Slot, World
from cutover.edge.broker.port import Port
from cutover.edge.broker.wire import NOBLOCK
from cutover.edge.broker.words import other

BATCH = 256
ROUNDS = 8
KEPT_HWM = 100
"""So many messages may be under way to a colour at most: they go with it where it dies, as they do without an edge."""


class PubPort(Port):
    """XPUB before an XSUB per slot.

    Every slot that leads somewhere has all subscriptions, and only what the serving one publishes is forwarded: a
    switch is one moment, in which what the old one published before is still sent, and the new one's subscriptions
    are long there. Nothing is sent twice by us; two colours that publish the same event may be told apart by no broker.
    """

    front_kind: ClassVar[int] = zmq.XPUB
    back_kind: ClassVar[int] = zmq.XSUB

    def __init__(self, world: World, number: int) -> None:
        self._topics: set[bytes] = set()
        super().__init__(world, number)

    def prepare(self, socket: wire.Socket) -> None:
        """Subscribe to what clients want."""
        socket.setsockopt(zmq.RCVHWM, 10_000)
        for topic in self._topics:
            socket.send(b"\1" + topic)

    def pump(self) -> bool:
        """Pass subscriptions on to all slots, and messages of the serving one to clients.

        It says False only where nothing was moved: sending may swallow the news that there is something to read.
        """
        more = self._subscriptions()
        for slot in self.slots.values():
            for link in slot.links:
                more = self._publish(slot, link) or more
        return more

    def switch(self, slot: str) -> None:
        """Send what the old one published until now, then listen to the new one."""
        self._finish()
        super().switch(slot)

    def unlinked(self, slot: Slot, link: Link) -> bool:
        """Send what was published before the connection went."""
        self._finish()
        return super().unlinked(slot, link)

    def changed(self) -> None:
        """Look at what the slot that serves now has published."""
        self.loop.soon(self.run)

    def _finish(self) -> None:
        """Send what has come; bounded, as a colour may publish faster than we read."""
        for _ in range(ROUNDS):
            if not self.pump():
                break

    def _subscriptions(self) -> bool:
        moved = False
        with contextlib.suppress(zmq.Again):
            while True:
                frame = self.front.recv(NOBLOCK)
                moved = True
                if frame[:1] not in {b"\0", b"\1"} or self.front.getsockopt(zmq.RCVMORE):
                    self.rejected += 1
                    continue
                (self._topics.add if frame[:1] == b"\1" else self._topics.discard)(frame[1:])
                for slot in self.slots.values():
                    for link in slot.links:
                        link.socket.send(frame, NOBLOCK)
        return moved

    def _publish(self, slot: Slot, link: Link) -> bool:
        serves, moved = slot.name == self.serving, False
        with contextlib.suppress(zmq.Again):
            for _ in range(BATCH):
                frames = link.socket.recv_multipart(NOBLOCK)
                moved = True
                if serves:
                    self.front.send_multipart(frames, NOBLOCK)
                    slot.counters.requests += 1
        return moved


class _CarryPort(Port):
    """Carries messages one way, at the pace of who takes them; a message that cannot go on waits, and all behind it."""

    keep: ClassVar[bool] = True

    def __init__(self, world: World, number: int) -> None:
        self._stuck: tuple[Slot, list[bytes]] | None = None
        super().__init__(world, number)

    @property
    def held(self) -> int:
        """Return how many messages wait here; those behind it wait with who sent them."""
        return int(self._stuck is not None)

    def changed(self) -> None:
        """Try again."""
        self.loop.soon(self.run)

    def tick(self) -> None:
        """Try again."""
        super().tick()
        self.loop.soon(self.run)

    def touch(self) -> None:
        """Have every socket take note of what its descriptor told; else that would wake the loop again and again."""
        for socket in [self.front, *(link.socket for slot in self.slots.values() for link in slot.links)]:
            socket.getsockopt(zmq.EVENTS)


class PullPort(_CarryPort):
    """PULL before a PUSH per slot. While it is held, or nobody is up, messages wait with their senders."""

    front_kind: ClassVar[int] = zmq.PULL
    back_kind: ClassVar[int] = zmq.PUSH

    def prepare(self, socket: wire.Socket) -> None:
        """Keep little under way."""
        socket.setsockopt(zmq.SNDHWM, KEPT_HWM)

    def pump(self) -> bool:
        """Pass messages on to the slot that serves."""
        self.touch()
        if self.hold is not None or self.serving is None:
            return False
        with contextlib.suppress(zmq.Again):
            for _ in range(BATCH):
                if self._stuck is None:
                    frames = self.front.recv_multipart(NOBLOCK)
                    self._stuck = (self._choose(), frames)
                if not self._pass_on():
                    return False  # until the colour takes more, which its own descriptor tells
            return True
        return False

    def _pass_on(self) -> bool:
        if self._stuck is None or self.serving is None:
            return False
        slot, frames = self._stuck
        if not slot.up or slot.link is None:
            slot = self.slots[self.serving]
        if slot.link is None:
            return False
        try:
            slot.link.socket.send_multipart(frames, NOBLOCK)
        except zmq.Again:
            return False
        slot.counters.requests += 1
        self._stuck = None
        return True

    def _choose(self) -> Slot:
        canary = self.slots[other(self.active)]
        if self.share.percent and canary.up and self.share.takes(b""):
            return canary
        return self.slots[self.serving or self.active]


class PushPort(_CarryPort):
    """PUSH before a PULL per slot. What a colour gave to do is done, also after a switch, while it is aimed at.

    A slot is listened to from when it first serves (or shares): what blue gives before would be done too early.
    """

    front_kind: ClassVar[int] = zmq.PUSH
    back_kind: ClassVar[int] = zmq.PULL

    def __init__(self, world: World, number: int) -> None:
        self._heard: set[str] = set()
        super().__init__(world, number)

    def aim(self, slot: str, target: object, *, by_name: bool = False) -> None:
        """Lead elsewhere; what comes there is not listened to before it serves."""
        if target != self.slots[slot].target:
            self._heard.discard(slot)
        super().aim(slot, target, by_name=by_name)  # type: ignore[arg-type]

    def changed(self) -> None:
        """Listen to who serves now, or shares."""
        if self.serving is not None:
            self._heard.add(self.serving)
        if self.share.percent:
            self._heard.add(other(self.active))
        super().changed()

    def opened(self, link: Link) -> None:
        """Watch what may be listened to."""
        link.socket.setsockopt(zmq.RCVHWM, KEPT_HWM)
        super().opened(link)

    def closing(self, link: Link) -> None:
        """Take what has come and was not passed on yet, as far as there are clients for it."""
        if link.slot.name in self._heard:
            self._carry(link.slot, link)

    def pump(self) -> bool:
        """Pass on what colours that serve or served have given."""
        self.touch()
        more = False
        if self.hold is not None:
            return False
        for slot in self.slots.values():
            if slot.name in self._heard:
                for link in slot.links:
                    more = self._carry(slot, link) or more
        return more

    def _carry(self, slot: Slot, link: Link) -> bool:
        for _ in range(BATCH):
            if self._stuck is None:
                try:
                    self._stuck = (slot, link.socket.recv_multipart(NOBLOCK))
                except zmq.Again:
                    return False
            try:
                self.front.send_multipart(self._stuck[1], NOBLOCK)
            except zmq.Again:
                return False
            self._stuck[0].counters.requests += 1
            self._stuck = None
        return True
