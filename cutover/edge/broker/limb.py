"""A client of a port before a ROUTER, and the connection of its own that it has to each colour."""

from __future__ import annotations

import contextlib
from collections import deque

import zmq

from cutover.edge.broker import wire
from cutover.edge.broker.asking import clock
from cutover.edge.broker.link import Entry, Link, World
from cutover.edge.broker.loop import Handler
from cutover.edge.broker.wire import MORE, NOBLOCK


class Limb:
    """The connection of one client to one colour. It is not made again: when it is gone, so is what was in flight."""

    def __init__(self, world: World, client: Client, link: Link) -> None:
        self.client = client
        self.link = link
        self.waiting: deque[bytes] = deque()
        self.made = clock()
        self.up = False
        self.dead = False
        self.give: Handler = lambda: None
        self.queue: list[tuple[bytes, Entry, bool]] = []
        self.socket = wire.towards(world.context, zmq.DEALER, world.settings)
        self.socket.setsockopt(zmq.RECONNECT_IVL, -1)
        self.socket.setsockopt(zmq.SNDHWM, 0)  # bounded by LIMB_WINDOW; and so "cannot send" means "is gone"
        if client.named:
            self.socket.setsockopt(zmq.ROUTING_ID, client.identity)
        self._send = wire.sender(self.socket)
        self.descriptor = int(self.socket.getsockopt(zmq.FD))

    def connect(self) -> None:
        """Begin to connect."""
        self.made = clock()
        self.socket.connect(self.link.endpoint)

    def send(self, token: bytes, entry: Entry, *, again: bool) -> bool:
        """Send a request, or keep it until the handshake is done; False: the connection is gone."""
        if not self.up:
            self.queue.append((token, entry, again))
            return True
        body, give = entry[3], self._send
        frames = body if isinstance(body, list) else [body or b""]
        try:
            for frame in frames[:-1]:
                give(frame, MORE)
            give(frames[-1], NOBLOCK)
        except zmq.Again:
            return False
        return True

    def receive(self) -> list[bytes]:
        """Return the next message.

        Raises:
            zmq.Again: there is none.

        """
        frame = self.socket.recv(NOBLOCK, False)
        frames = [frame.bytes]
        while frame.more:
            frame = self.socket.recv(NOBLOCK, False)
            frames.append(frame.bytes)
        return frames

    def look(self) -> int:
        """Return what the socket is ready for; send what waited for the handshake."""
        events = int(self.socket.getsockopt(zmq.EVENTS))
        if not self.up and events & zmq.POLLOUT:
            self.up = True
            waiting, self.queue = self.queue, []
            for token, entry, again in waiting:
                self.send(token, entry, again=again)
            events = int(self.socket.getsockopt(zmq.EVENTS))  # sending may swallow that there is something to read
        return events


class Client:
    """One client: its connections to colours, and the descriptor by which the front's monitor tells that it left."""

    def __init__(self, identity: bytes, descriptor: int, *, strict: bool) -> None:
        self.identity = identity
        self.named = not identity.startswith(b"\0")
        self.descriptor = descriptor
        self.strict = strict
        self.limbs: dict[Link, Limb] = {}
        self.gone_at: float | None = None


def is_req(frame: zmq.Frame) -> bool:
    """Say whether a message came from a REQ: a late word to it would be taken for the answer to its next question."""
    with contextlib.suppress(zmq.ZMQError):
        return frame.get("Socket-Type") == "REQ"
    return False
