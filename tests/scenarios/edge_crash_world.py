"""What has to hold after a crash in a swap by the edge, and clients that know how long they were left alone."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import zmq

from cutover.flow.lock import holder_of
from tests.scenarios.edge_world import Clients, EdgeRig
from tests.scenarios.rig import COMPOSE, HERE

ALL = os.environ.get("CUTOVER_CRASH_ALL", "")
"""Where a run is killed: `1`: at every point, `17`: from that one on, `17-20`; nothing said: at a few of them."""
KILLED = -signal.SIGKILL
COLOURS = {"old", "new"}


@dataclass
class Alone(Clients):
    """Clients that note the longest time, by kind, between two answers: for so long nobody was served."""

    silence_s: dict[str, float] = field(default_factory=dict)

    def _each(self, kind, ask):
        last = [time.monotonic()]

        def timed(number):
            try:
                return ask(number)
            finally:
                now = time.monotonic()
                if sys.exception() is None:
                    self.silence_s[kind] = max(self.silence_s.get(kind, 0.0), now - last[0])
                    last[0] = now

        super()._each(kind, timed)

    def kinds(self) -> Counter:
        """Return how often each kind of failure was seen."""
        return Counter(": ".join(f.split(": ")[:2]) for f in self.failed)


def killed_command(rig: EdgeRig, number: int, start: str | None, *args: str) -> list[str]:
    """Return the command that dies after a record, or, where `start` is said, before an act."""
    where = ["killed", str(number)] if start is None else ["edge_killed", str(number), start]
    return [sys.executable, "-m", f"tests.scenarios.{where[0]}", *where[1:], *args, "-f", str(rig.file)]


def killed(rig: EdgeRig, number: int, *args: str, start: str | None = None) -> tuple[int, str]:
    """Run cutover, killed after a record of its journal or before an act; return its exit code and what it said."""
    done = subprocess.run(
        killed_command(rig, number, start, *args),
        cwd=HERE.parent.parent,
        env=rig.environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    return done.returncode, f"{done.stdout}\n{done.stderr}"


def files(rig: EdgeRig) -> dict[str, Any]:
    """Return the user's files as they are: content, mode, owner; of the edge's, with its generation left out."""
    record = rig.folder / ".cutover" / rig.project / "edge" / "edge.json"
    number = json.loads(record.read_bytes())["generation"] if record.exists() else 0
    paths = [rig.file, rig.folder / "cutover.yaml", *(rig.folder / "overrides").glob("*")]
    return {str(p): (_without(number, p.read_bytes()), p.stat().st_mode, p.stat().st_uid) for p in paths}


def _without(number: int, content: bytes) -> bytes:
    """Leave a generation out of a file: one of another generation than the record's stays as it is."""
    return re.sub(rb"(generation |edge-http-|edge-zmq-|io\.cutover\.edge: \"|/edge/)%d\b" % number, rb"\1N", content)


def who(rig: EdgeRig, times: int = 3) -> set[str]:
    """Return who answers on both legacy ports."""
    names = set()
    for _ in range(times):
        with urllib.request.urlopen(f"http://127.0.0.1:{rig.http}/", timeout=20) as reply:
            names.add(json.load(reply)["name"])
        with zmq.Context() as context, context.socket(zmq.REQ) as asking:
            asking.linger, asking.rcvtimeo = 0, 20_000
            asking.connect(f"tcp://127.0.0.1:{rig.zmq}")
            asking.send_json({"method": "health"})
            names.add(asking.recv_json()["name"])
    return names


def one(rig: EdgeRig, within_s: float = 20.0) -> set[str]:
    """Return who answers on both ports: one colour, at the latest when a busy machine lets the edge see green alive."""
    end = time.monotonic() + within_s
    while len(names := who(rig)) != 1:
        assert time.monotonic() < end, f"both colours serve: {names}"
        time.sleep(0.5)
    return names


class PatientRig(EdgeRig):
    """A project whose healthcheck does not take a busy machine for an illness."""

    def write(self) -> None:
        """Write the project's files."""
        self.template = COMPOSE.replace("timeout: 5s", "timeout: 20s").replace("retries: 2", "retries: 9")
        super().write()


@dataclass
class World:
    """A project, what its files were before and are after, and whether an edge stood before."""

    rig: EdgeRig
    before: dict[str, Any]
    after: dict[str, Any]
    stood: bool
    serving: str = ""
    said: str = ""

    def check(self, *, closely: bool = True) -> str:
        """See that one colour serves, that files and edge are as before or as after; return the colour."""
        names = one(self.rig)
        (self.serving,) = names
        serving = self.serving
        now = files(self.rig)
        assert now in (self.before, self.after), sorted(now)
        edges = self.rig.edges()
        if now == self.after or self.stood:
            assert len(edges) == 2, edges
            assert all(f"{self.rig.project}-edge-" in e for e in edges), edges
            assert self.rig.publishes("old") == self.rig.publishes("new") == set()
        else:
            assert edges == [], edges
            assert not (self.rig.folder / ".cutover" / self.rig.project / "edge").exists()
            assert self.rig.publishes(serving) == {self.rig.zmq, self.rig.http}
            assert self.rig.publishes(*COLOURS - names) == set()
            assert self.rig.leftovers() == []
        assert holder_of(self.rig.folder / ".cutover", self.rig.project) is None
        if closely:
            assert self.rig.tables() == []
            assert self._nothing_to_do(serving)
        return serving

    def _nothing_to_do(self, serving: str) -> bool:
        """Say whether Compose would leave alone what serves; and the other, but for one that waits to be given back."""
        there = [n for n in sorted(COLOURS) if n == serving or (self.stood and self.rig.container(n))]
        said = self.rig.compose("up", "-d", "--no-deps", "--dry-run", *there).stderr
        return not any(word in said for word in ("Recreat", "Creat", "Remov"))

    def recovered(self, *, closely: bool = True, first: Callable[[], None] = lambda: None) -> str:
        """Recover, do what has to be done first, see that all is well, and that a second call changes nothing."""
        told = self.rig.cutover("recover", "--json")
        self.said = told.err
        assert told.code == 0, told
        first()
        serving = self.check(closely=closely)
        if closely:
            state = self.parts()
            told = self.rig.cutover("recover", "--json")
            assert told.code == 0, told
            assert told.json["recovered"] == []
            assert self.parts() == state
        return serving

    def parts(self) -> list[str]:
        """Return the containers and networks of the project, by their IDs."""
        ask = ["docker", "ps", "-aq", "--no-trunc", "--filter", f"name={self.rig.project}"]
        shown = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()
        return sorted([*shown, *self.rig.leftovers()])


@contextlib.contextmanager
def asked(rig: EdgeRig, within_s: float, told: list[dict]) -> Iterator[Alone]:
    """Have clients ask all the time, and see that nobody was left alone for longer than `within_s`."""
    with Alone(rig.http, rig.zmq, pause_s=0.05) as clients:
        yield clients
    told.append({"failed": dict(clients.kinds()), "silence_s": max(clients.silence_s.values(), default=0.0)})
    assert max(clients.silence_s.values()) < within_s, clients.silence_s
