"""Ends the connections of a container, each when it rests: runs in the container's own network namespace.

`python3 -m cutover.edge.helper.cut`, told on standard input: `{"ports": [...], "spare": [...], "only": [...]}`, the
ports inside, the networks whose members come by themselves and not through a host port, and the addresses among these
that do (the gateways, where docker-proxy and masquerading come from). Then `{"do": "cut", "within_s": 5.0}`.

A socket is shut down in the name of the process that holds it, where that process can be reached: the client then sees
an orderly end (FIN), as if the service had closed it. Where it cannot, the kernel is told to destroy the socket, and
the client sees a RST.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field

from cutover.edge.helper.holder import Ended, Holders
from cutover.edge.helper.rest import Watch
from cutover.edge.helper.sockdiag import Connection, SockDiag, TcpState, within
from cutover.edge.helper.talk import STDIN, Orders, asked, tell

LOOK_S = 0.001
LIST_S = 0.02
CALM_ROUNDS = 2
FORGET = 0.02
PURSUIT_S = 0.02
PURSUIT_LOOK_S = 0.00005
IMPATIENT = 0.5
"""The patience below which connections that never rest are pursued."""
LAST_CHANCE_S = 0.3
"""Beyond the deadline: for so long a moment is looked for in which nothing is unread and the service spoke last."""


@dataclass
class Count:
    """How connections ended: at rest, at the deadline, by themselves; `left` could not be ended.

    Of those at rest, `raced` got another question in the moment in which they were ended, or right after it, before
    their client had seen the end, or their client hung up with a RST: about so many were lost. `reset` saw a RST of
    ours, and what comes after that is not seen.
    """

    at_rest: int = 0
    late: int = 0
    by_themselves: int = 0
    reset: int = 0
    raced: int = 0
    left: int = 0


@dataclass
class Cutter:
    """Watches the connections that came through a host port."""

    ports: Collection[int]
    spare: Collection[str]
    only: Collection[str]
    diag: SockDiag = field(default_factory=SockDiag)
    holders: Holders = field(default_factory=Holders)
    watched: dict[tuple[int, bytes], Watch] = field(default_factory=dict)
    looked: float = field(default_factory=time.monotonic)
    lag_s: float = 0.0
    counted: Count = field(default_factory=Count)
    ended: set[tuple[int, bytes]] = field(default_factory=set)
    """What was ended, and may still be on its way to the client."""
    kept: list[Ended] = field(default_factory=list)
    """What was ended at rest, kept open until the end: to see whether a question still comes."""

    def ours(self, connection: Connection) -> bool:
        """Say whether a connection came through a host port, and not from a neighbour or from inside."""
        if connection.peer in self.only:
            return True
        return not within(connection.peer, self.spare)

    def discover(self) -> bool:
        """Find new connections; say whether any that was ended is still on its way to the client."""
        now, leaving = time.monotonic(), False
        for connection in self.diag.all(self.ports):
            if connection.key in self.ended:
                leaving = True
            elif connection.key not in self.watched and self.ours(connection):
                watch = Watch(now)
                watch.received, watch.sent = connection.received, connection.sent
                watch.asked = now - connection.received_ago_ms / 1000 if connection.received else 0.0
                watch.answered = now - connection.sent_ago_ms / 1000 if connection.sent else 0.0
                last = _answered_last(connection)
                # Within one tick a question and its answer are likelier than an answer and the next question.
                watch.answered_last = connection.sent > 0 if last is None else last
                self.watched[connection.key] = watch
        return leaving

    def look(self) -> dict[tuple[int, bytes], Connection]:
        """Look at each watched connection; those that ended are forgotten."""
        found = {}
        for key, watch in list(self.watched.items()):
            connection = self.diag.one(key)
            if connection is None or connection.state in (TcpState.TIME_WAIT, TcpState.FIN_WAIT2, TcpState.CLOSE):
                del self.watched[key]
                self.counted.by_themselves += 1
                continue
            watch.look(
                time.monotonic(),
                connection.received,
                connection.sent,
                since=self.looked,
                answered_last=_answered_last(connection),
            )
            found[key] = connection
        self.looked = time.monotonic()
        return found

    def cut(self, within_s: float) -> Count:
        """End all of them, each when it rests, and the rest when the time is up."""
        self.counted = Count()
        self._end_all(within_s)
        self.counted.raced += sum(ended.was_asked() for ended in self.kept)
        for held in self.kept:
            held.close()
        self.kept = []
        return self.counted

    def _end_all(self, within_s: float) -> None:
        began = time.monotonic()
        end, listed, calm, turn = began + within_s, 0.0, 0, 0
        while True:
            now = time.monotonic()
            if now - listed >= LIST_S or not self.watched:
                leaving = self.discover()
                listed = now
                calm = 0 if self.watched or leaving else calm + 1
                if calm > CALM_ROUNDS:
                    return
            patience = max(0.0, (end - now) / within_s) if within_s > 0 else 0.0
            found = self.look()
            for key, connection in found.items():
                if _empty(connection) and self.watched[key].rests(time.monotonic(), patience, self.lag_s):
                    self._end_rested(key, connection)
                elif now >= end + LAST_CHANCE_S:
                    self._end_late(key, connection)
            restless = [key for key, watch in self.watched.items() if watch.restless]
            if restless and patience < IMPATIENT:
                self._pursue(restless[turn % len(restless)])
                turn += 1
            if now >= end + 1.0:
                self.counted.left = len(self.watched)
                return
            self._wait()

    def _wait(self) -> None:
        """Sleep for a moment, and see how late the machine lets us wake up: what of that is usual, and seldom less."""
        began = time.monotonic()
        time.sleep(LOOK_S)
        late_s = max(0.0, time.monotonic() - began - LOOK_S)
        self.lag_s = max(late_s, self.lag_s + (late_s - self.lag_s) * FORGET)

    def _pursue(self, key: tuple[int, bytes]) -> None:
        """Wait for the next answer on one connection alone, to end it right behind that."""
        watch, since, end = self.watched[key], self.looked, time.monotonic() + PURSUIT_S
        connection = self.diag.one(key)
        held = self.holders.borrow(connection.inode) if connection else None
        with held or contextlib.nullcontext():
            while (now := time.monotonic()) < end and (connection := self.diag.one(key)) is not None:
                answered = connection.sent > watch.sent
                watch.look(
                    now, connection.received, connection.sent, since=since, answered_last=_answered_last(connection)
                )
                since = now
                if answered and _empty(connection) and watch.has_just_answered:
                    self._end(key, connection, held)
                    return
                time.sleep(PURSUIT_LOOK_S)

    def _end_rested(self, key: tuple[int, bytes], connection: Connection) -> None:
        """End one connection, unless something has passed on it since it was looked at."""
        held = self.holders.borrow(connection.inode)
        with held or contextlib.nullcontext():
            latest = self.diag.one(key)  # as late as can be: a question that comes after this is refused
            if latest is not None and _same(latest, connection):
                self._end(key, latest, held)

    def _end_late(self, key: tuple[int, bytes], connection: Connection) -> None:
        """End one connection whatever it does."""
        held = self.holders.borrow(connection.inode)
        with held or contextlib.nullcontext():
            self._end(key, connection, held, late=True)

    def _end(
        self, key: tuple[int, bytes], connection: Connection, held: socket.socket | None, *, late: bool = False
    ) -> None:
        kept = None if held is None or late else Ended(held)
        if held is not None and _shut(held):
            if kept is not None:
                self.kept.append(kept)
                now = self.diag.one(key)
                kept.raced = now is not None and now.received > connection.received
        elif not late and connection.unacknowledged:  # a RST would overtake it
            return
        else:
            self.diag.destroy(key)
            self.counted.reset += 1
        self.watched.pop(key, None)
        self.ended.add(key)
        self.counted.late += late
        self.counted.at_rest += not late


def _shut(held: socket.socket) -> bool:
    try:
        held.shutdown(socket.SHUT_RDWR)
    except OSError:
        return False
    return True


def _empty(connection: Connection) -> bool:
    """Say whether all is read and nobody has begun to hang up.

    What is not yet acknowledged arrives before the end does. Clients acknowledge an answer 40 ms late, or with their
    next question, so to wait for that would be to wait for the wrong moment.
    """
    return not connection.unread and connection.state == TcpState.ESTABLISHED


def _answered_last(connection: Connection) -> bool | None:
    """Say who spoke last, by the kernel's clock; within one tick it cannot say."""
    if connection.sent_ago_ms == connection.received_ago_ms:
        return None
    return connection.sent_ago_ms < connection.received_ago_ms


def _same(one: Connection, other: Connection) -> bool:
    return (one.received, one.sent, one.state, one.unread) == (other.received, other.sent, other.state, other.unread)


def main() -> None:
    """Watch from the start, so that something is known of each connection when the time comes."""
    facts = asked()
    with contextlib.suppress(OSError):  # a moment that is seen late is gone
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    cutter = Cutter(frozenset(facts["ports"]), tuple(facts["spare"]), frozenset(facts["only"]))
    orders = Orders()
    tell("ready")
    listed = 0.0
    while not orders.ended:
        if select.select([STDIN], [], [], LOOK_S if cutter.watched else LIST_S)[0]:
            for order in orders.read():
                _cut(cutter, float(order["within_s"]))
                return
        if time.monotonic() - listed >= LIST_S:
            cutter.discover()
            listed = time.monotonic()
        cutter.look()


def _cut(cutter: Cutter, within_s: float) -> None:
    began = time.monotonic()
    count = cutter.cut(within_s)
    tell("cut", **asdict(count), seconds=time.monotonic() - began)


if __name__ == "__main__":
    main()
