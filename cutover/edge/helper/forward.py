"""Carries TCP connections from temporary ports to where they are to go, and ends each when it rests.

Half-closed connections stay half-closed, no connection ends for being idle, and what breaks on one side (RST) breaks on
the other, so that an answer that was cut off never looks complete.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cutover.edge.helper.holder import Ended, unread
from cutover.edge.helper.rest import Watch

CHUNK = 65536
FULL = 4 * CHUNK
RETRY_S = 0.02
DIAL_S = 3.0
BACKLOG = 4096
_WOULD_WAIT = (errno.EAGAIN, errno.EINPROGRESS)
_ABORT = struct.pack("ii", 1, 0)
KEEPALIVE_S = 1

Address = tuple[str, int]


@dataclass(frozen=True)
class Way:
    """One temporary port: where it listens, and where what comes there goes."""

    listen: Address
    to: Address


@dataclass(eq=False)
class Side:
    """One end of a carried connection: its socket, what waits to be written to it, whether it has hung up."""

    sock: socket.socket
    pending: bytearray = field(default_factory=bytearray)
    ended: bool = False
    told_end: bool = False
    connected: bool = True


@dataclass(eq=False)
class Pair:
    """A client's connection and the one that was dialled for it."""

    client: Side
    server: Side
    way: Way
    watch: Watch
    dial_until: float
    received: int = 0
    sent: int = 0
    looked: float = 0.0

    def other(self, side: Side) -> Side:
        """Return the opposite end."""
        return self.server if side is self.client else self.client


class Forwarder:
    """All ways and all connections, in one thread."""

    def __init__(self, ways: list[Way]) -> None:
        self.selector = selectors.DefaultSelector()
        self.pairs: set[Pair] = set()
        self.known: Callable[[Address], bool] = lambda _: False
        self.at_rest = self.late = 0
        self.draining = False
        self._ended: list[Ended] = []
        self._redial: list[tuple[float, Pair]] = []
        self._listeners: list[socket.socket] = []
        try:
            for way in ways:
                self._listen(way)
        except OSError:
            for listener in self._listeners:
                listener.close()
            raise

    def _listen(self, way: Way) -> None:
        family = socket.AF_INET6 if ":" in way.listen[0] else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        self._listeners.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, way.listen[0] != "::")
        listener.bind(way.listen)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, lambda _: self._accept(listener, way))

    def stop_listening(self) -> None:
        """Take no more connections."""
        for listener in self._listeners:
            self.selector.unregister(listener)
            listener.close()
        self._listeners = []

    def turn(self, timeout_s: float) -> None:
        """Do what there is to do, waiting for it at most so long."""
        for key, events in self.selector.select(timeout_s):
            key.data(events)
        now = time.monotonic()
        due, self._redial = [p for t, p in self._redial if t <= now], [(t, p) for t, p in self._redial if t > now]
        for pair in due:
            self._dial(pair)

    # -- connections -------------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket, way: Way) -> None:
        while True:
            try:
                accepted, peer = listener.accept()
            except OSError:
                return
            if self.known((peer[0], peer[1])):  # our own question whether the redirect works
                accepted.close()
                continue
            _prepare(accepted)
            now = time.monotonic()
            pair = Pair(
                Side(accepted), Side(_socket_to(way.to), connected=False), way, Watch(now), now + DIAL_S, looked=now
            )
            self.pairs.add(pair)
            self._dial(pair)

    def _dial(self, pair: Pair) -> None:
        code = pair.server.sock.connect_ex(pair.way.to)
        if code not in (0, *_WOULD_WAIT):
            self._dial_again(pair)
            return
        self.selector.register(pair.server.sock, selectors.EVENT_WRITE, lambda _: self._dialled(pair))

    def _dialled(self, pair: Pair) -> None:
        self.selector.unregister(pair.server.sock)
        if pair.server.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._dial_again(pair)
            return
        pair.server.connected = True
        self._listen_for(pair)

    def _dial_again(self, pair: Pair) -> None:
        """Whoever is to answer may be a moment late; the client waits."""
        pair.server.sock.close()
        if time.monotonic() >= pair.dial_until:
            self._abort(pair)
            return
        pair.server.sock = _socket_to(pair.way.to)
        self._redial.append((time.monotonic() + RETRY_S, pair))

    def _carry(self, pair: Pair, side: Side, events: int) -> None:
        if pair not in self.pairs:  # the other side ended it in this very turn
            return
        try:
            if events & selectors.EVENT_WRITE:
                _flush(side)
            if events & selectors.EVENT_READ:
                self._read(pair, side)
            for end in (pair.client, pair.server):
                if pair.other(end).ended and not end.pending and not end.told_end:
                    end.told_end = True
                    end.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._abort(pair)
            return
        if pair.client.told_end and pair.server.told_end:
            self._close(pair)
            return
        self._listen_for(pair)
        if self.draining and not events & selectors.EVENT_WRITE and side is pair.server:
            self._end_with_its_answer(pair)

    def _read(self, pair: Pair, side: Side) -> None:
        try:
            data = side.sock.recv(CHUNK)
        except BlockingIOError:
            return
        if not data:
            side.ended = True
            return
        other = pair.other(side)
        other.pending += data
        _flush(other)
        if side is pair.client:
            pair.received += len(data)
        else:
            pair.sent += len(data)
        now = time.monotonic()
        pair.watch.look(now, pair.received, pair.sent, since=now)

    def _listen_for(self, pair: Pair) -> None:
        for side in (pair.client, pair.server):
            wanted = selectors.EVENT_WRITE if side.pending else 0
            if not side.ended and len(pair.other(side).pending) < FULL:
                wanted |= selectors.EVENT_READ
            self._want(side, wanted, pair)

    def _want(self, side: Side, wanted: int, pair: Pair) -> None:
        try:
            key = self.selector.get_key(side.sock)
        except KeyError:
            if wanted:
                self.selector.register(side.sock, wanted, lambda e: self._carry(pair, side, e))
            return
        if not wanted:
            self.selector.unregister(side.sock)
        elif key.events != wanted:
            self.selector.modify(side.sock, wanted, key.data)

    def _close(self, pair: Pair) -> None:
        for side in (pair.client, pair.server):
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(side.sock)
            side.sock.close()
        self._redial = [(t, p) for t, p in self._redial if p is not pair]
        self.pairs.discard(pair)

    def _abort(self, pair: Pair) -> None:
        for side in (pair.client, pair.server):
            with contextlib.suppress(OSError):
                side.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._close(pair)

    # -- the end -----------------------------------------------------------------------------------------------------

    def end_rested(self, patience: float) -> None:
        """End every connection that rests."""
        now = time.monotonic()
        for pair in [p for p in self.pairs if p.watch.rests(now, patience)]:
            if _idle(pair):
                self._end(pair)

    def _end_with_its_answer(self, pair: Pair) -> None:
        """End a connection whose client never thinks for long right behind an answer, before it can ask again."""
        if pair in self.pairs and pair.watch.has_just_answered and _idle(pair):
            self._end(pair)

    def _end(self, pair: Pair) -> None:
        """End a connection in order; its socket is kept, to see whether a question still comes."""
        with contextlib.suppress(OSError):
            self._ended.append(Ended(pair.client.sock))
            pair.client.sock.shutdown(socket.SHUT_RDWR)
        self._close(pair)
        self.at_rest += 1

    def raced(self) -> int:
        """Return how many of those ended at rest got a question in that moment, or after their end; forget them."""
        lost = sum(ended.was_asked() for ended in self._ended)
        for ended in self._ended:
            ended.close()
        self._ended = []
        return lost

    def end_all(self) -> None:
        """End what is left."""
        for pair in list(self.pairs):
            self._close(pair)
            self.late += 1


def _idle(pair: Pair) -> bool:
    """Say whether nothing waits here in either direction.

    What is sent and not yet acknowledged may be there: it arrives before the end does. Clients acknowledge an answer
    40 ms late, or with their next question.
    """
    if not pair.server.connected:
        return False
    try:
        waits = [unread(s.sock) or len(s.pending) or s.ended for s in (pair.client, pair.server)]
        return not any(waits)
    except OSError:
        return False


def _flush(side: Side) -> None:
    try:
        while side.pending:
            del side.pending[: side.sock.send(side.pending)]
    except BlockingIOError:
        return


def _socket_to(address: Address) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    _prepare(sock)
    return sock


def _prepare(sock: socket.socket) -> None:
    """Make a socket that hides nothing; what Docker forgets of it in conntrack, its own probes bring back."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S)
