"""Sends new connections of host ports elsewhere: runs in the host's network namespace, with NET_ADMIN.

`python3 -m cutover.edge.helper.redirect`, told on standard input: `{"table", "chains", "scripts", "legacy", "ways",
"tries"}`. It listens, sees that every way leads to somebody who accepts, and says so (`ready`). Then `{"do":
"redirect"}` runs the script and proves with connections of its own that they arrive here; `{"do": "withdraw",
"within_s": 5.0}` removes the table, ends the connections that came here, each when it rests, and ends this process.

The first of the scripts that the kernel takes makes the table. Where it belongs to this process, the kernel removes it
when this process dies (Linux 5.12); else cutover has to. If the cutover that started it dies, the redirect
stays as long as nobody listens on one of the legacy ports, since it is then all that keeps the service reachable, and
goes as soon as somebody does.
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from cutover.edge.helper.conntrack import forget
from cutover.edge.helper.forward import Address, Forwarder, Way
from cutover.edge.helper.nft import Nft, NftError
from cutover.edge.helper.talk import STDIN, Orders, asked, tell

TURN_S = 0.001
IDLE_S = 0.5
REACH_S = 1.0
PROBE_S = 1.0
PROBES = 3
GRACE_S = 0.2
LAST_QUESTION_S = 0.05
"""How long after the end a question may still be under way that was asked before its client saw the end."""
"""After the table is gone, connections whose first packet was redirected just before can still come."""
BIND_S = 2.0
ORPHAN_WITHIN_S = 5.0
LISTENING = "0A"
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


class Redirector:
    """The forwarder, the table, and who is to be obeyed."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.table, self.chains, self.scripts = facts["table"], facts["chains"], facts["scripts"]
        self.legacy, self.tries = facts["legacy"], [(h, p) for h, p in facts["tries"]]
        self.ways = [Way(tuple(w["listen"]), tuple(w["to"])) for w in facts["ways"]]
        self.nft = Nft()
        self.forwarder = _bound(self.ways)
        self.orders = Orders()
        self.ordered: list[dict[str, Any]] = []
        self.redirecting = self.over = False
        self._asking: set[Address] = set()
        self._arrived: set[Address] = set()
        self.forwarder.known = self._own_question
        self.forwarder.selector.register(STDIN, selectors.EVENT_READ, lambda _: self._read_orders())

    def run(self) -> None:
        """Serve until told to end."""
        unreached = [f"{w.to[0]}:{w.to[1]}: {why}" for w in self.ways if (why := _unreached(w.to))]
        if unreached:
            tell("failed", why="nobody accepts there", evidence=unreached)
            return
        tell("ready")
        while not self.over:
            self.forwarder.turn(IDLE_S)
            while self.ordered:
                self._obey(self.ordered.pop(0))
            if self.orders.ended and (not self.redirecting or self._somebody_listens()):
                self.withdraw(ORPHAN_WITHIN_S)

    def _read_orders(self) -> None:
        """Take orders down: to obey one is to turn again, and a turn does not bear another within it."""
        self.ordered += self.orders.read()
        if self.orders.ended:
            self.forwarder.selector.unregister(STDIN)

    def _obey(self, order: Mapping[str, Any]) -> None:
        if order["do"] == "redirect":
            self.redirect()
        elif order["do"] == "withdraw":
            self.withdraw(float(order["within_s"]))

    def redirect(self) -> None:
        """Make the table, and see that connections to the legacy ports come here."""
        began = time.monotonic()
        self._forget()
        refusals = self._make_table()
        if refusals:
            tell("failed", why="nftables refuses the redirect", evidence=refusals)
            return
        self.redirecting = True
        made = time.monotonic()
        missed = [f"{host}:{port}" for host, port in self.tries if not self._comes_here(host, port)]
        if missed:
            self._remove_table()
            tell("failed", why="connections do not come to the redirect", evidence=missed)
            return
        forget(frozenset(self.legacy), frozenset())  # what was closing just then, and is in a new connection's way
        tell("redirecting", script_s=made - began, proof_s=time.monotonic() - made)

    def _make_table(self) -> list[str]:
        refusals = []
        for script in self.scripts:
            try:
                self.nft.run(script)
            except NftError as error:
                refusals += str(error).splitlines()
                continue
            return []
        return refusals

    def _comes_here(self, host: str, port: int) -> bool:
        """Ask more than once: what the kernel remembers of an older connection is in the way of one from its port."""
        return any(self._arrives(host, port) for _ in range(PROBES))

    def _arrives(self, host: str, port: int) -> bool:
        """Open a connection to a legacy port and see that it comes here; without such an address there is no doubt."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as question:
            try:
                question.bind((host if host not in {"0.0.0.0", "::"} else "", 0))  # noqa: S104
            except OSError:
                return True
            question.setblocking(False)
            own = question.getsockname()[:2]
            self._asking.add(own)
            question.connect_ex((host, port))
            end = time.monotonic() + PROBE_S
            while own not in self._arrived and time.monotonic() < end:
                self.forwarder.turn(TURN_S)
            self._asking.discard(own)
            return own in self._arrived

    def _own_question(self, peer: Address) -> bool:
        plain = (peer[0].removeprefix("::ffff:"), peer[1])
        if plain not in self._asking:
            return False
        self._arrived.add(plain)
        return True

    def withdraw(self, within_s: float) -> None:
        """Remove the table and end what came here."""
        self._redirect_no_more()
        began = time.monotonic()
        end = began + within_s
        listening = True

        def patience() -> float:
            return max(0.0, (end - time.monotonic()) / within_s) if within_s > 0 else 0.0

        self.forwarder.draining = True
        while (self.forwarder.pairs or listening) and time.monotonic() < max(end, began + GRACE_S):
            self.forwarder.turn(TURN_S)
            self.forwarder.end_rested(patience())
            if listening and time.monotonic() >= began + GRACE_S:
                self.forwarder.stop_listening()
                listening = False
        self.forwarder.end_rested(0.0)
        self.forwarder.end_all()
        self._remove_table()
        self.over = True
        time.sleep(LAST_QUESTION_S if self.forwarder.at_rest else 0)
        tell(
            "ended",
            at_rest=self.forwarder.at_rest,
            late=self.forwarder.late,
            raced=self.forwarder.raced(),
            seconds=time.monotonic() - began,
        )

    def _redirect_no_more(self) -> None:
        """Take the rules out and leave the chains.

        Without any NAT chain of a family the kernel translates no packet of it, those of old connections neither; of
        IPv6 ours may be the only one.
        """
        if self.redirecting:
            with contextlib.suppress(NftError):
                self.nft.run("".join(f"flush chain inet {self.table} {chain}\n" for chain in self.chains))

    def _forget(self) -> None:
        forget(frozenset(self.legacy), frozenset(way.listen[1] for way in self.ways))

    def _remove_table(self) -> None:
        if self.redirecting:
            self._forget()
            with contextlib.suppress(NftError):  # somebody flushed all rules
                self.nft.run(f"delete table inet {self.table}")
            self.redirecting = False

    def _somebody_listens(self) -> bool:
        """Say whether every legacy port has a listener again: docker-proxy, or the Engine itself."""
        return set(self.legacy) <= set(_listened())

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Leave nothing behind when told to stop."""
        del number, frame
        self._remove_table()
        raise SystemExit(0)


def _bound(ways: list[Way]) -> Forwarder:
    end = time.monotonic() + BIND_S
    while True:
        try:
            return Forwarder(ways)
        except OSError as error:
            if time.monotonic() >= end:
                tell("failed", why="a temporary port is taken", evidence=[str(error)])
                raise SystemExit(1) from error
            time.sleep(TURN_S)


def _unreached(to: Address) -> str | None:
    try:
        socket.create_connection(to, timeout=REACH_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _listened() -> Iterator[int]:
    for table in TABLES:
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTENING:
                yield int(fields[1].rpartition(":")[2], 16)


def main() -> None:
    """Read what to do, and do it."""
    redirector = Redirector(asked())
    signal.signal(signal.SIGTERM, redirector.stop)
    redirector.run()


if __name__ == "__main__":
    main()
