"""Ports on which a client asks and is answered: what waits, in which order answers go out, what becomes of the lost.

While one colour has all that is in flight and nothing waits (`fast` is set), a request is an entry in the connection's
`pending` and nothing more. Whenever that may not hold (hold, canary, a switch with requests in flight, a death), each
client gets a queue of its requests, and no answer overtakes an older one; when it holds again, the queues are dropped.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable
from operator import itemgetter

import zmq

from cutover.edge.broker import wire
from cutover.edge.broker.codec import ENDED, FULL, LATE, LOST, WAITED, Frames
from cutover.edge.broker.link import Entry, Link, Slot, World
from cutover.edge.broker.port import Port
from cutover.edge.broker.wire import MORE, NOBLOCK
from cutover.edge.broker.words import Hold, other

HELD_BYTES = 256 * 1024 * 1024
SLOW_REPLIES = 1000
"""So many replies wait here for a client that does not read, beside the thousand in its socket; more are dropped."""
PACE_S = 0.005
BURST_S = 0.05
CLIENTS_TOLD = 1000
KEPT_BYTES = 1024 * 1024
"""A larger request is not kept, and so not replayed."""

clock = time.monotonic
Waiting = tuple[bytes, Entry, bool]
"""Its number, the request, and whether it was asked before."""


class AskPort(Port):
    """Counts each request until it is answered; what is particular to a mode is `hand` and `pump`."""

    order_s: float | None = None

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self.fast: Link | None = None
        self.number_of_request = 0
        self._front_send = wire.sender(self.front)
        self.reading = True
        self.poller = zmq.Poller()
        self.poller.register(self.front, zmq.POLLIN)
        self._queues: dict[bytes, deque[bytes]] = {}
        self._done: dict[bytes, tuple[float, list[bytes] | None]] = {}
        self._held: deque[Waiting] = deque()
        self._held_bytes = 0
        self._slow: dict[bytes, deque[list[bytes]]] = {}
        self._bounds = world.settings.hold
        self._waited = self._paced = False
        self._credit = self._paced_at = 0.0

    @property
    def held(self) -> int:
        """Return how many requests wait here."""
        return len(self._held)

    def hand(self, link: Link, token: bytes, entry: Entry, *, again: bool) -> bool:
        """Give a request to a colour; False where it can take none now."""
        raise NotImplementedError

    # requests

    def accept(self, client: bytes, prefix: list[bytes] | None, body: Frames) -> None:
        """Forward a request, or have it wait."""
        self.number_of_request += 1
        token = self.number_of_request.to_bytes(8, "big")
        entry: Entry = (client, prefix, clock(), body)
        if self.fast is not None:
            if self.hand(self.fast, token, entry, again=False):
                return
            self.engage()
        self._queues.setdefault(client, deque()).append(token)
        if self.hold is not None or self.serving is None:
            self._waited = True
        if self._waited and (len(self._held) >= self._bounds.limit or self._held_bytes + size(body) > HELD_BYTES):
            self._overflow(token, entry, FULL)
            return
        self._held.append((token, entry, False))
        self._held_bytes += size(body)
        self._credit += 1  # else a queue that fills as fast as it is let go would never empty
        self.forward()

    def forward(self) -> None:
        """Hand out what waits, oldest first, as far as hold, pace and the colours let it."""
        while self._held:
            if self.hold is not None or self.serving is None or (self._paced and self._credit < 1):
                return
            token, entry, again = self._held[0]
            usual = self.slots[self.serving].link
            link = self._canary(entry[0]) or usual
            if link is None or not self.hand(link, token, entry, again=again):
                if link is not usual:
                    self.share.give_back()
                self.read(False)
                return
            self._held.popleft()
            self._held_bytes -= size(entry[3])
            self._credit -= 1
            self.loop.soon(self.run)  # sending may have swallowed the news that there is something to read
        self._waited = self._paced = False
        self.read(True)

    def own_reply(self, prefix: list[bytes] | None, reply: bytes) -> list[bytes]:
        """Return a reply of the broker in the frames that the client expects."""
        return [b"", reply] if prefix is None else [*prefix, reply]

    # answers

    def answer(self, token: bytes, client: bytes, frames: list[bytes] | None) -> None:
        """Let an answer go when all older requests of its client have theirs; None: there will be none."""
        queue = self._queues.get(client)
        if not queue:
            self.deliver(client, frames)
            return
        if queue[0] != token:
            self._done[token] = (clock(), frames)
            return
        queue.popleft()
        self.deliver(client, frames)
        self._let_go(client, queue)

    def deliver(self, client: bytes, frames: list[bytes] | None) -> None:
        """Send a client an answer; what a slow one cannot take waits, within bounds."""
        if frames is None:
            return
        waiting = self._slow.get(client)
        if waiting is not None:
            if len(waiting) < SLOW_REPLIES:
                waiting.append(frames)
            else:
                self.rejected += 1
        elif not self._send(client, frames):
            self.engage()
            self._slow[client] = deque([frames])

    # what was lost

    def lose(self, link: Link, tokens: Iterable[bytes], reason: str) -> None:
        """Ask again, or answer for a colour, what it was given and will not answer."""
        self.engage()
        counted = link.slot.counters
        again: list[Waiting] = []
        for token in tokens:
            client, prefix, since, body = link.pending.pop(token)
            if reason == LOST and self.reader.may_replay(body):
                counted.replayed += 1
                self._held_bytes += size(body)
                again.append((token, (client, prefix, clock(), body), True))
                continue
            counted.lost += 1
            counted.errors += 1
            self.samples.append((link.slot.name == "b", clock() - since, True))
            self.answer(token, client, self.own_reply(prefix, self.reader.lost(reason)))
        self._held = deque(sorted([*again, *self._held], key=itemgetter(0)))

    def wait_again(self, requests: list[Waiting]) -> None:
        """Have requests wait, before all that came later, that were handed out and not given to anybody."""
        self.engage()
        for _, entry, _ in requests:
            self._held_bytes += size(entry[3])
        self._held = deque(sorted([*requests, *self._held], key=itemgetter(0)))
        self.loop.soon(self.forward)

    def unlinked(self, slot: Slot, link: Link) -> bool:
        """Take what a colour had answered before its connection went, and deal with the rest."""
        self.take_answers(link)
        self.lose(link, list(link.pending), LOST)
        super().unlinked(slot, link)
        self.changed()
        return False

    def take_answers(self, link: Link) -> None:
        """Read all that a connection has still to give."""
        raise NotImplementedError

    # order

    def engage(self) -> None:
        """Have answers wait for older ones of their client from now on."""
        if self.fast is None:
            return
        self.fast = None
        tokens = sorted((t, e[0]) for slot in self.slots.values() for k in slot.links for t, e in k.pending.items())
        for token, client in tokens:
            self._queues.setdefault(client, deque()).append(token)

    def settle(self) -> None:
        """Take the short way where it is safe, the long one where it is not."""
        link = self._sole_link()
        if link is None:
            self.engage()
        elif link is not self.fast:
            self._queues.clear()
            self.fast = link

    def changed(self) -> None:
        """Let go what waits for what has changed, at its pace."""
        if self.hold is None and self.serving is not None and self._waited and self._held and not self._paced:
            self._paced, self._paced_at = True, clock()
            self._credit = max(1.0, self._bounds.release_per_s * BURST_S)
            self.loop.after(PACE_S, self._pace)
        self.settle()
        self.forward()
        self.settle()

    def set_hold(self, hold: Hold | None) -> None:
        """Let requests wait, or let them go."""
        if hold is not None:
            self._bounds, self._paced = hold, False
        super().set_hold(hold)
        self.read(True) if hold is not None else None

    def tick(self) -> None:
        """Do what is due: who waited too long, who reads again, what is late."""
        super().tick()
        now = clock()
        late_s = self.world.settings.rules.answer_timeout_s
        if late_s is not None:
            for link in [link for slot in self.slots.values() for link in slot.links]:
                if late := _older(link, now - late_s):
                    self.lose(link, late, LATE)
        while self._held and self._held[0][1][2] < now - self._bounds.timeout_s:
            token, entry, _ = self._held.popleft()
            self._held_bytes -= size(entry[3])
            self._overflow(token, entry, WAITED)
        if self.order_s is not None and self._done:
            self._pass_by(now - self.order_s)
        for client in list(self._slow):
            self._retry(client)
        if self.fast is None:
            self.forward()
            self.settle()

    def leave(self) -> None:
        """Answer all that waits or comes: a REQ whose request ended with the broker would wait for ever."""
        self.set_hold(Hold(limit=0, timeout_s=0, release_per_s=1))
        self.tick()

    def close(self) -> None:
        """Answer what is still in flight, and let go of every socket."""
        self.answer_all()
        super().close()

    def answer_all(self) -> None:
        """Answer what is still in flight for the colours that have it."""
        for slot in self.slots.values():
            for link in slot.links:
                self.take_answers(link)
                self.lose(link, list(link.pending), ENDED)

    def read(self, reading: bool) -> None:
        """Take requests in, or leave them with their clients while nobody can take them."""
        if reading == self.reading:
            return
        self.reading = reading
        if reading:
            self.poller.register(self.front, zmq.POLLIN)
            self.loop.watch(self.descriptor, self.run)
            self.loop.soon(self.run)
        else:
            self.poller.unregister(self.front)
            self.loop.forget(self.descriptor)

    def clients(self, slot: Slot) -> dict[str, int]:
        """Return how many requests of each client a slot has in flight; those with most, if they are many."""
        counted = Counter(entry[0] for link in slot.links for entry in link.pending.values())
        return {client.hex(): number for client, number in counted.most_common(CLIENTS_TOLD)}

    def _canary(self, client: bytes) -> Link | None:
        """Return the canary's connection where this request is its."""
        canary = self.slots[other(self.active)]
        if not self.share.percent or canary.name == self.serving or not canary.up:
            return None
        return canary.link if self.share.takes(client) else None

    def _sole_link(self) -> Link | None:
        """Return the connection that has all that is in flight and gets all that comes, if there is one."""
        if self.hold is not None or self.serving is None or self._held or self._done or self._slow:
            return None
        link = self.slots[self.serving].link
        if self.share.percent or link is None:
            return None
        others = (o for slot in self.slots.values() for o in slot.links if o is not link)
        return None if any(o.pending for o in others) else link

    def _overflow(self, token: bytes, entry: Entry, reason: str) -> None:
        self.overflowed += 1
        self.answer(token, entry[0], self.own_reply(entry[1], self.reader.overflow(reason)))

    def _pace(self) -> None:
        if not self._paced:
            return
        now = clock()
        rate = self._bounds.release_per_s
        self._credit = min(self._credit + rate * (now - self._paced_at), max(1.0, rate * BURST_S))
        self._paced_at = now
        self.forward()
        self.settle()
        if self._paced:
            self.loop.after(PACE_S, self._pace)

    def _let_go(self, client: bytes, queue: deque[bytes]) -> None:
        """Deliver the answers that waited for the one that has just gone."""
        while queue and (parked := self._done.pop(queue[0], None)) is not None:
            queue.popleft()
            self.deliver(client, parked[1])
        if not queue:
            self._queues.pop(client, None)

    def _pass_by(self, before: float) -> None:
        """Let answers go that waited too long for an older one: it was a message that has none."""
        late = {token for token, (since, _) in self._done.items() if since < before}
        for client, queue in list(self._queues.items()) if late else []:
            while late.intersection(queue):
                oldest = queue.popleft()
                self.deliver(client, self._done.pop(oldest)[1] if oldest in self._done else None)
            self._let_go(client, queue)

    def _retry(self, client: bytes) -> None:
        waiting = self._slow[client]
        while waiting and self._send(client, waiting[0]):
            waiting.popleft()
        if not waiting:
            del self._slow[client]

    def _send(self, client: bytes, frames: list[bytes]) -> bool:
        """Send to a client; False where its buffers are full. A client that is gone needs no answer."""
        self.loop.soon(self.run)  # sending may have swallowed the news that there is something to read
        send = self._front_send
        try:
            send(client, MORE)
        except zmq.Again:
            return False
        except zmq.ZMQError:
            return True
        for frame in frames[:-1]:
            send(frame, MORE)
        send(frames[-1], NOBLOCK)
        return True


def _older(link: Link, before: float) -> list[bytes]:
    """Return the requests of a connection that were given before a time; they stand in that order."""
    found = []
    for token, entry in link.pending.items():
        if entry[2] >= before:
            break
        found.append(token)
    return found


def size(body: Frames | None) -> int:
    """Return how large a body is, in bytes."""
    return 0 if body is None else len(body) if isinstance(body, bytes) else sum(map(len, body))
