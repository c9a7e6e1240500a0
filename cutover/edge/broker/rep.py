"""`zmq-rep`: ROUTER before one DEALER per slot. A REP keeps all frames before the empty one, and gives them back.

So the only frame there is the number of the request: an answer is told by it, whatever the colour did in between.
"""

from __future__ import annotations

import contextlib
from typing import ClassVar

import zmq

from cutover.edge.broker import wire
from cutover.edge.broker.asking import KEPT_BYTES, AskPort, clock
from cutover.edge.broker.link import Entry, Link, World
from cutover.edge.broker.wire import MORE, NOBLOCK

ROUNDS = 16
BATCH = 256
DEEPEST = 16
"""Frames before the empty one: a client behind proxies has one for each."""
FRAMES = 256

Again = zmq.Again
Request = tuple["list[bytes] | None", "bytes | list[bytes]"]
"""The frames before the body (None: the empty delimiter alone), and the body."""


class RepPort(AskPort):
    """Serves a port whose colours bind a REP."""

    front_kind: ClassVar[int] = zmq.ROUTER
    back_kind: ClassVar[int] = zmq.DEALER

    def __init__(self, world: World, number: int) -> None:
        self._links: dict[wire.Socket, Link] = {}
        self._quota = 1
        super().__init__(world, number)

    def pump(self) -> bool:
        """Move requests and answers until there are none, or the loop should look at the other ports."""
        if self._held:
            self.forward()
        poll, front = self.poller.poll, self.front
        for _ in range(ROUNDS):
            ready = poll(0)
            if not ready:
                break
            for socket, _event in ready:
                if socket is front:
                    self._take()
                elif (link := self._links.get(socket)) is not None:
                    self._give(link)
        if self.fast is None:
            self.settle()
        return bool(ready)

    def opened(self, link: Link) -> None:
        """Watch a new connection."""
        self._links[link.socket] = link
        self.poller.register(link.socket, zmq.POLLIN)
        super().opened(link)

    def prepare(self, socket: wire.Socket) -> None:
        """Bound what is under way by the window alone: a socket that takes nothing has no connection."""
        socket.setsockopt(zmq.SNDHWM, 0)

    def closing(self, link: Link) -> None:
        """Watch a connection no more."""
        if self._links.pop(link.socket, None) is not None:
            self.poller.unregister(link.socket)
        if self.fast is link:
            self.engage()

    def take_answers(self, link: Link) -> None:
        """Read all that a connection has still to give."""
        with contextlib.suppress(zmq.ZMQError):
            while not link.socket.closed and not link.was_cut and link.socket.poll(0):
                self._give(link)

    def hand(self, link: Link, token: bytes, entry: Entry, *, again: bool) -> bool:
        """Give a request to a colour, unless it has a whole window of them in hand."""
        if len(link.pending) >= self.world.settings.window or not link.up or link.broken:
            return False
        client, prefix, _, body = entry
        send = link.socket.send
        frames = body if isinstance(body, list) else [body or b""]
        try:
            send(token, MORE)
            send(b"", MORE)
            for frame in frames[:-1]:
                send(frame, MORE)
            send(frames[-1], NOBLOCK)
        except Again:  # the connection is going, and its monitor has not said so yet
            link.broken = True
            return False
        kept = body if self.reader.keeps and not again and sum(map(len, frames)) <= KEPT_BYTES else None
        link.pending[token] = (client, prefix, clock(), kept)
        link.slot.counters.requests += 1
        return True

    def _take(self) -> None:
        """Take requests in; the quota grows while there are more, as finding that there are none costs an exception."""
        link, quota = self.fast, self._quota
        if link is None:
            taken = self._take_slowly(quota)
        else:
            quota = min(quota, self.world.settings.window - len(link.pending))
            if quota <= 0:
                self.read(False)  # `_give` reads again
                return
            taken = self._take_fast(link, quota)
        self._quota = min(2 * quota, BATCH) if taken >= quota else max(1, taken)

    def _take_slowly(self, quota: int) -> int:
        taken = 0
        with contextlib.suppress(Again):
            while taken < quota and self.reading:
                client = self.front.recv(NOBLOCK)
                taken += 1
                self._take_odd(client, self._request(self.front.recv(NOBLOCK, copy=False)))
        return taken

    def _take_fast(self, link: Link, quota: int) -> int:
        """Forward up to so many requests, the shortest way; return how many messages there were.

        First all are read, then all are sent: each change of direction would wake the I/O thread for one message.
        """
        receive = self.front.recv
        batch: list[tuple[bytes, bytes]] = []
        odd: tuple[bytes, Request | None] | None = None
        taken = 0
        with contextlib.suppress(Again):
            while taken < quota:
                client = receive(NOBLOCK)
                taken += 1
                mark = receive(NOBLOCK, False)
                if len(mark) or not mark.more:
                    odd = client, self._request(mark)
                    break
                frame = receive(NOBLOCK, False)
                if frame.more:
                    odd = client, self._bodies(frame.bytes)
                    break
                batch.append((client, frame.bytes))
        sent = self._send_fast(link, batch)
        for client, body in batch[sent:]:
            self.accept(client, None, body)
        if odd is not None:
            self._take_odd(*odd)
        return taken

    def _send_fast(self, link: Link, batch: list[tuple[bytes, bytes]]) -> int:
        """Give requests to a colour; return how many it took."""
        send, pending, keeps, now = wire.sender(link.socket), link.pending, self.reader.keeps, clock
        number = first = self.number_of_request
        try:
            for client, body in batch:
                token = (number + 1).to_bytes(8, "big")
                send(token, MORE)
                send(b"", MORE)
                send(body, NOBLOCK)
                number += 1
                pending[token] = (client, None, now(), body if keeps and len(body) <= KEPT_BYTES else None)
        except Again:  # the connection is going, and its monitor has not said so yet
            link.broken = True
        self.number_of_request = number
        link.slot.counters.requests += number - first
        return number - first

    def _take_odd(self, client: bytes, request: Request | None) -> None:
        if request is None:
            self.rejected += 1
        else:
            self.accept(client, *request)

    def _give(self, link: Link) -> None:
        """Send answers to their clients; those that nobody waits for any more come to nothing."""
        receive, pending = link.socket.recv, link.pending
        batch: list[tuple[bytes, Entry, bytes | list[bytes]]] = []
        given, quota, misspoke, whole = 0, link.quota, False, True
        with contextlib.suppress(Again):
            while given < quota:
                token = receive(NOBLOCK)
                given += 1
                whole = False
                misspoke = receive(NOBLOCK) != b""
                if misspoke:
                    break
                frame = receive(NOBLOCK, False)
                body: bytes | list[bytes] = frame.bytes
                if frame.more:
                    misspoke = body in pending  # that is the next message: this one had no body
                    if misspoke:
                        break
                    body = [frame.bytes, *(wire.rest(link.socket, FRAMES) or [])]
                whole = True
                entry = pending.pop(token, None)
                if entry is not None:
                    batch.append((token, entry, body))
        self._send_back(link, batch)
        link.quota = min(2 * quota, BATCH) if given >= quota else max(1, given)
        if misspoke or not whole:
            self.rejected += 1
            link.cut("it answers as no REP does")
        elif not self.reading:
            self.forward()

    def _send_back(self, link: Link, batch: list[tuple[bytes, Entry, bytes | list[bytes]]]) -> None:
        send, looks, now = wire.sender(self.front), self.reader.looks, clock
        add, which = self.samples.append, link.slot.name == "b"
        for token, (client, prefix, since, _), body in batch:
            bad = looks is not None and looks(body)
            if bad:
                link.slot.counters.errors += 1
            add((which, now() - since, bad))
            if self.fast is not None and prefix is None and not isinstance(body, list):
                try:
                    send(client, MORE)
                except zmq.ZMQError:  # gone, or reads too slowly
                    self.deliver(client, [b"", body])
                else:
                    send(b"", MORE)
                    send(body, NOBLOCK)
                continue
            frames = [*(prefix or [b""]), *(body if isinstance(body, list) else [body])]
            if self.fast is None:
                self.answer(token, client, frames)
            else:
                self.deliver(client, frames)

    def _bodies(self, first: bytes) -> Request | None:
        more = wire.rest(self.front, FRAMES)
        return None if more is None else (None, [first, *more])

    def _request(self, mark: zmq.Frame) -> Request | None:
        """Return the frames before the body and the body, of a message whose first frame was read; None for junk."""
        if not mark.more:
            return None
        more = wire.rest(self.front, FRAMES)
        if more is None:
            return None
        frames = [mark.bytes, *more]
        try:
            end = frames.index(b"", 0, DEEPEST) + 1
        except ValueError:
            return None
        body = frames[end:]
        if not body:
            return None
        return (None if end == 1 else frames[:end]), (body[0] if len(body) == 1 else body)
