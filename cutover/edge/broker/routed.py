"""`zmq-router`: a ROUTER may look at exactly [id, "", body], so each client gets a connection of its own to the colour.

It is made when the client first asks, under the client's own identity if that has one, and closed when the client is
gone. It carries no number of a request: an answer belongs to the oldest request there that has none. What comes while
nothing is in flight (a ROUTER may speak unasked, or in parts) goes to the client as it is, unless that is a REQ.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable
from typing import ClassVar

import zmq

from cutover.edge.broker import wire
from cutover.edge.broker.asking import KEPT_BYTES, AskPort, clock, size
from cutover.edge.broker.codec import FULL, LOST
from cutover.edge.broker.limb import Client, Limb, is_req
from cutover.edge.broker.link import Entry, Link, Slot, World
from cutover.edge.broker.loop import log
from cutover.edge.broker.port import Port
from cutover.edge.broker.wire import NOBLOCK

ROUNDS = 8
BATCH = 64
FRAMES = 256
MOST_CLIENTS = 20_000
LIMB_WINDOW = 1000
"""So many requests of a client may be unanswered; of more, the oldest is taken for a message that has no answer."""
CONNECT_S = 1.5
CONNECTING = 64
"""So many connections to colours are made at a time: a ROUTER's backlog is 100, and what is beyond waits a second."""
ALONE_S = 0.3
"""So long after a client's connection went it may turn out that the whole colour did: their heartbeats differ."""
LAST_WORDS_S = 0.1
GONE_S = 60.0
"""So long a client with an identity of its own may be away and find its connection again."""


class RoutedPort(AskPort):
    """Serves a port whose colours bind a ROUTER. The slot's own connection only tells whether it is up."""

    front_kind: ClassVar[int] = zmq.ROUTER
    back_kind: ClassVar[int] = zmq.DEALER

    def __init__(self, world: World, number: int) -> None:
        self.order_s = world.settings.order_s
        self._clients: dict[bytes, Client] = {}
        self._by_descriptor: dict[int, Client] = {}
        self._touched: dict[Limb, None] = {}
        self._to_connect: deque[Limb] = deque()
        self._connecting: set[Limb] = set()
        self._quota = 1
        super().__init__(world, number)
        self._most_clients = min(MOST_CLIENTS, max(16, (wire.descriptors() - 500) // 6))
        self._monitor = self.front.get_monitor_socket(wire.GONE)
        self._monitored = int(self._monitor.getsockopt(zmq.FD))
        self.loop.watch(self._monitored, self._notice)
        self.loop.soon(self._notice)

    def close(self) -> None:
        """Let go of every socket."""
        self.answer_all()
        self.loop.forget(self._monitored)
        self.front.disable_monitor()
        self._monitor.close(0)
        for client in list(self._clients.values()):
            self._part(client)
        super().close()

    def pump(self) -> bool:
        """Take requests in until there are none, or the loop should look at what else there is."""
        if self._held:
            self.forward()
        more = True
        for _ in range(ROUNDS):
            if not self.reading or not self.poller.poll(0):
                more = False
                break
            self._take()
        while self._touched:  # sending may have swallowed the news that there is something to read
            limb, _ = self._touched.popitem()
            self._give(limb)
        if self.fast is None:
            self.settle()
        return more

    def hand(self, link: Link, token: bytes, entry: Entry, *, again: bool) -> bool:
        """Give a request to the colour over the connection of its client."""
        client = self._clients.get(entry[0])
        if not link.up:
            return False
        if client is None:
            self.loop.soon(lambda: self.answer(token, entry[0], None))  # it left while its request waited
            return True
        try:
            limb = client.limbs.get(link) or self._connect(client, link)
        except zmq.ZMQError:  # no descriptors are left
            return False
        if limb.dead or not limb.send(token, entry, again=again):
            limb.dead = True
            self.loop.soon(limb.give)
            return False
        if len(limb.waiting) >= LIMB_WINDOW:
            oldest = limb.waiting.popleft()
            if link.pending.pop(oldest, None) is not None:
                self.answer(oldest, client.identity, None)
        limb.waiting.append(token)
        kept = entry[3] if self.reader.keeps and not again and size(entry[3]) <= KEPT_BYTES else None
        link.pending[token] = (entry[0], entry[1], clock(), kept)
        link.slot.counters.requests += 1
        self._touched[limb] = None
        return True

    def own_reply(self, prefix: list[bytes] | None, reply: bytes) -> list[bytes]:
        """Return a reply of the broker behind the frames that the request had before its body."""
        return [*(prefix or []), reply]

    def lose(self, link: Link, tokens: Iterable[bytes], reason: str) -> None:
        """Close the connections over which something was lost: a late answer would be taken for that of another."""
        lost = set(tokens)
        for limb in [limb for client in self._clients.values() for k, limb in client.limbs.items() if k is link]:
            if lost.intersection(limb.waiting):
                lost.update(token for token in limb.waiting if token in link.pending)
                self._close(limb)
        super().lose(link, sorted(token for token in lost if token in link.pending), reason)

    def take_answers(self, link: Link) -> None:
        """Read all that a colour has still to give."""
        for client in list(self._clients.values()):
            if (limb := client.limbs.get(link)) is not None:
                self._receive(limb)

    def opened(self, link: Link) -> None:
        """Listen to the slot's own connection, which asks nothing and so is told nothing that matters."""

        def drop() -> None:
            with contextlib.suppress(zmq.Again):
                while not link.closed:
                    link.socket.recv_multipart(NOBLOCK)

        self.loop.watch(link.descriptor, drop)
        self.loop.soon(drop)

    def unlinked(self, slot: Slot, link: Link) -> bool:
        """Give the connections of clients a moment to bring what the colour said last, each before its own end."""
        self.engage()
        Port.unlinked(self, slot, link)
        self.changed()

        def bury() -> None:
            if not link.closed:
                self.take_answers(link)
                self.lose(link, list(link.pending), LOST)
                slot.tidy()
                self.changed()

        self.loop.after(LAST_WORDS_S, bury)
        return True

    def closing(self, link: Link) -> None:
        """Close every client's connection to a colour that is gone, or has nothing more to say."""
        if self.fast is link:
            self.engage()
        for client in self._clients.values():
            if (limb := client.limbs.get(link)) is not None:
                self._close(limb)

    def tick(self) -> None:
        """Give up connections that were not made in time, and clients that did not come back."""
        super().tick()
        now = clock()
        for client in list(self._clients.values()):
            for limb in list(client.limbs.values()):
                if limb in self._connecting and now - limb.made > CONNECT_S:
                    self._break(limb)
            if client.gone_at is not None and now - client.gone_at > GONE_S:
                self._part(client)

    def _take(self) -> None:
        taken, quota = 0, self._quota
        receive, found = self.front.recv, []
        with contextlib.suppress(zmq.Again):
            while taken < quota:
                identity = receive(NOBLOCK)
                taken += 1
                first = receive(NOBLOCK, False)
                found.append((identity, first, wire.rest(self.front, FRAMES) if first.more else []))
        for request in found:
            self._request(*request)
        self._quota = min(2 * quota, BATCH) if taken >= quota else max(1, taken)

    def _request(self, identity: bytes, first: zmq.Frame, more: list[bytes] | None) -> None:
        if more is None:
            self.rejected += 1
            return
        client = self._clients.get(identity)
        if client is None or client.named:
            client = self._meet(identity, first, client)
        frames = [first.bytes, *more]
        prefix = frames[: frames.index(b"") + 1] if b"" in frames[:-1] else []
        if client is None:
            self.overflowed += 1
            self.deliver(identity, self.own_reply(prefix, self.reader.overflow(FULL)))
            return
        self.accept(identity, prefix, frames)

    def _meet(self, identity: bytes, frame: zmq.Frame, known: Client | None) -> Client | None:
        """Note over which connection a client speaks, so that we learn when it leaves; None: there are too many."""
        descriptor = int(frame.get(zmq.SRCFD))
        if known is not None and known.descriptor == descriptor:
            return known
        self._notice()  # that the descriptor's former client left was said before this one could speak
        known = self._clients.get(identity)
        if known is not None:
            self._by_descriptor.pop(known.descriptor, None)
            known.descriptor, known.gone_at = descriptor, None
            self._by_descriptor[descriptor] = known
            return known
        if len(self._clients) >= self._most_clients:
            return None
        client = Client(identity, descriptor, strict=is_req(frame))
        self._clients[identity] = self._by_descriptor[descriptor] = client
        return client

    def _notice(self) -> None:
        for _, descriptor in wire.events(self._monitor):
            client = self._by_descriptor.pop(descriptor, None)
            if client is None:
                continue
            if client.named:
                client.gone_at = clock()
            else:
                self._part(client)

    def _part(self, client: Client) -> None:
        """Forget a client that left; nobody waits for what it has in flight."""
        self._clients.pop(client.identity, None)
        for limb in list(client.limbs.values()):
            limb.queue.clear()
            for token in limb.waiting:
                if limb.link.pending.pop(token, None) is not None:
                    self.answer(token, client.identity, None)
            limb.socket.setsockopt(zmq.LINGER, wire.LINGER_MS)  # what it said last is still delivered
            self._close(limb)

    def _connect(self, client: Client, link: Link) -> Limb:
        limb = client.limbs[link] = Limb(self.world, client, link)

        limb.give = lambda: self._give(limb)
        self.loop.watch(limb.descriptor, limb.give)
        self._to_connect.append(limb)
        self._connect_more()
        return limb

    def _connect_more(self) -> None:
        while self._to_connect and len(self._connecting) < CONNECTING:
            limb = self._to_connect.popleft()
            if not limb.socket.closed:
                self._connecting.add(limb)
                limb.connect()
                self._touched[limb] = None
                self.loop.soon(self.run)

    def _give(self, limb: Limb) -> None:
        """Send answers to the client; notice that the connection is gone."""
        if limb.socket.closed:
            return
        events = self._receive(limb)
        if (limb.dead or (limb.up and not events & zmq.POLLOUT)) and not limb.socket.closed:
            self._break(limb)
        if self.fast is None:
            self.settle()

    def _receive(self, limb: Limb) -> int:
        events = limb.look()
        while events & zmq.POLLIN:
            found: list[list[bytes]] = []
            with contextlib.suppress(zmq.Again):
                for _ in range(BATCH if len(limb.waiting) > 1 else 1):
                    found.append(limb.receive())  # noqa: PERF401  all are read before one is sent, and some stay read
            for frames in found:
                self._answered(limb, frames)
            events = limb.look()
        if limb.up and limb in self._connecting:
            self._connecting.discard(limb)
            self._connect_more()
        return events

    def _answered(self, limb: Limb, frames: list[bytes]) -> None:
        link, client = limb.link, limb.client
        while limb.waiting:
            token = limb.waiting.popleft()
            entry = link.pending.pop(token, None)
            if entry is None:
                continue
            bad = self.reader.looks is not None and self.reader.looks(frames)
            link.slot.counters.errors += bad
            self.samples.append((link.slot.name == "b", clock() - entry[2], bad))
            self.answer(token, client.identity, frames)
            return
        if not client.strict:
            self.deliver(client.identity, frames)

    def _break(self, limb: Limb) -> None:
        """Deal with a connection that is gone, by itself or as the first of all that the colour had."""
        link, waiting = limb.link, list(limb.waiting)
        self._close(limb)

        def lose() -> None:
            tokens = [token for token in waiting if token in link.pending]
            if tokens:
                log(f"port {self.number}: the connection of one client is gone, with {len(tokens)} requests")
                AskPort.lose(self, link, tokens, LOST)
                self.changed()

        self.loop.after(ALONE_S, lose)

    def _close(self, limb: Limb) -> None:
        limb.client.limbs.pop(limb.link, None)
        self._touched.pop(limb, None)
        self._connecting.discard(limb)
        if not limb.socket.closed:
            self.loop.forget(limb.descriptor)
            limb.socket.close()
        unsent, limb.queue = limb.queue, []
        if unsent:  # nobody has seen them, so they are not lost
            for token, _, _ in unsent:
                limb.link.pending.pop(token, None)
            self.wait_again(unsent)
        self._connect_more()
