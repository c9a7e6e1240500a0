"""One worker of a campaign: fights its share of the injections of one world, and writes a line for each."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import random
import signal
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import filelock

from tests.faults.campaign.acts import DEEDS, Deed
from tests.faults.campaign.forks import Disk, Ended, Fault, Halt, Kill
from tests.faults.campaign.worlds import EDGE, ROOT, World
from tests.scenarios.own_engine import OwnEngine, made

VERBS = {
    "relink": ("swap", "rollback", "commit"),
    "recreate": ("swap", "rollback", "commit"),
    "adopt": ("swap", "rollback", "commit"),
    "edge": ("swap", "rollback", "commit", "canary", "promote"),
    "exclusive": ("swap", "rollback"),
    "engine": ("swap",),
}
MOMENTS = 200
"""Random moments of a swap at which it is killed, in each world."""
CLOSELY = 4
"""Every so many injections the dearer checks are made too."""


DISKS = {
    "disk-full": Disk("fail", error="ENOSPC"),
    "disk-read-only": Disk("fail", error="EROFS"),
    "disk-error": Disk("fail", error="EIO", once=True),
    "torn-then-full": Disk("tear", error="ENOSPC"),
    "torn-then-killed": Disk("tear"),
    "clock-back": Disk("clock"),
}
CLONE_NEWNET = 0x40000000
PER_DISK = 40
"""How many writes of a swap each of these faults meets, in each world."""
ONLY = {
    "edge-killed": EDGE,
    "park-network-removed": {"relink", "adopt"},
    "engine-stopped": {"engine"},
    "engine-killed": {"engine"},
}
"""Deeds that mean something in some worlds only."""


@dataclass(frozen=True)
class Injection:
    """One fault, where a verb meets it, and where the recovery after it is killed, if it is."""

    world: str
    verb: str
    fault: str
    place: int = 0
    after_s: float = 0.0
    again: int = 0

    @property
    def id(self) -> str:
        """Return the name by which it is found again in the results."""
        where = f"{self.after_s:.4f}s" if self.after_s else f"{self.place:04}"
        return f"{self.world}/{self.verb}/{self.fault}/{where}" + (f"+{self.again:04}" if self.again else "")

    @property
    def group(self) -> bool:
        """Say whether Compose is killed as well, and whatever else cutover has started: every other time."""
        return zlib.crc32(self.id.encode()) % 2 == 0


@dataclass(frozen=True)
class Map:
    """What a campaign knows of a world: the places by verb, the writes of a swap, how long one takes in seconds."""

    places: dict[str, list[str]]
    writes: int
    seconds: float

    def steps(self) -> list[int]:
        """Return the places of a swap at which a step begins, and the one at which the last is done."""
        labels = self.places["swap"]
        return [n for n, label in enumerate(labels, start=1) if label.startswith("after journal intent")]


def injections(world: str, known: Map, seed: int) -> list[Injection]:
    """Return every injection of a world in a random order: the same for the same seed and map."""
    dice = random.Random(zlib.crc32(f"{seed} {world}".encode()))
    if world == "engine":  # half a minute each
        return [
            Injection(world, "swap", name, n) for n in known.steps() for name in ("engine-stopped", "engine-killed")
        ]
    made = [Injection(world, v, "kill", n + 1) for v in VERBS[world] for n in range(len(known.places[v]))]
    moments = [dice.uniform(0.001, known.seconds) for _ in range(MOMENTS)]
    made += [Injection(world, "swap", "kill-at-random", after_s=s) for s in moments]
    for verb, n in itertools.product(("swap", "rollback"), range(1, len(known.places["recover"]) + 1, 2)):
        first = dice.randint(len(known.places[verb]) // 3, len(known.places[verb]))
        made.append(Injection(world, verb, "kill-recovery", first, again=n))
    for name in DISKS:
        writes = dice.sample(range(1, known.writes + 1), min(PER_DISK, known.writes))
        made += [Injection(world, "swap", name, n) for n in writes]
    deeds = [name for name in DEEDS if world in ONLY.get(name, {world})]
    made += [Injection(world, "swap", name, n) for name in deeds for n in known.steps()]
    dice.shuffle(made)
    return made


class Worker:
    """Fights a share of the injections of one world."""

    def __init__(self, kind: str, edge_image: str, results: Path, seed: int, share: tuple[int, int]) -> None:
        self.kind, self.edge_image, self.results, self.seed, self.share = kind, edge_image, results, seed, share
        self.engine: OwnEngine | None = None
        self.world = World(kind, edge_image)
        self.commit = _commit()

    def fight(self, end: float, only: str = "") -> None:
        """Do as `work` does, with an Engine of its own where the world takes one."""
        if self.kind != "engine":
            self.work(end, only)
            return
        with made(OwnEngine(Path(tempfile.mkdtemp(prefix="engine")))) as self.engine:
            _enter(self.engine)
            self.world.engine = self.engine
            self.work(end, only)

    def work(self, end: float, only: str = "") -> None:
        """Fight until all is done, or until a moment (monotonic seconds); `only` those whose ID has this in it."""
        self.world.up()
        try:
            known = self._map()
            done = {line["id"] for line in read(self.results)}
            mine = injections(self.kind, known, self.seed)[self.share[0] :: self.share[1]]
            mine = [i for i in mine if i.id not in done and only in i.id]
            for number, injection in enumerate(mine):
                if time.monotonic() > end:
                    return
                self._one(injection, closely=number % CLOSELY == 0)
        finally:
            self.world.down()

    def _map(self) -> Map:
        """Return what is known of the world; kept beside the results, so that all workers fight over the same."""
        kept = self.results.with_suffix(f".{self.kind}.map")
        with filelock.FileLock(f"{kept}.lock"):
            if not kept.exists():
                kept.write_text(json.dumps(asdict(self._surveyed())))
            return Map(**json.loads(kept.read_text()))

    def _surveyed(self) -> Map:
        world, places, seconds = self.world, {}, 0.0
        for verb in VERBS[self.kind]:
            world.ready(verb)
            told = world.run(world.command(verb), Kill())
            assert told.code == 0, told
            places[verb] = list(told.places)
            seconds = told.seconds if verb == "swap" else seconds
            world.check(verb, closely=False)
        world.ready("swap")
        world.run(world.command("swap"), Kill(place=len(places["swap"]) * 3 // 4))
        told = world.run(["recover"], Kill())
        assert told.code == 0, told
        places["recover"] = list(told.places)
        world.ready("swap")
        told = world.run(world.command("swap"), Disk("count"))
        assert told.code == 0, told
        return Map(places, int(told.places[-1]), seconds)

    def _one(self, injection: Injection, *, closely: bool) -> None:
        world, began = self.world, time.monotonic()
        line: dict[str, Any] = {"id": injection.id, "commit": self.commit, "start_s": round(world.start_s, 2)}
        told: list[Ended] = []
        try:
            world.ready(injection.verb)
            since, deed = time.monotonic(), Deed(world, injection.fault)
            ended = world.run(world.command(injection.verb), fault_of(injection, deed))
            told.append(ended)
            line |= {"code": ended.code, "at": ended.places[-1] if ended.places else None}
            assert ended.code in ({0, 1, 3, 4, -signal.SIGKILL}), "an exit code that says nothing"
            assert "Traceback" not in ended.err, "a traceback"
            with deed.undone():
                if injection.again:
                    told.append(world.run(["recover"], Kill(place=injection.again, group=injection.group)))
                    line["recovery_killed"] = told[-1].killed
                told.append(world.run(["recover", "--json"]))
                line["recover_s"] = round(told[-1].seconds, 2)
                assert told[-1].code == 0, "recover failed"
            line["serving"] = world.check(injection.verb, closely=closely)
            line["silence_s"] = _silence(world, since)
            told.append(world.run(["recover", "--json"]))
            assert (told[-1].code, json.loads(told[-1].out)["recovered"]) == (0, []), "recover again did something"
            line["converged"] = True
        except Exception as error:  # noqa: BLE001  (whatever it is, it is a result)
            line |= {"converged": False, "problem": f"{type(error).__name__}: {error}"[:3000]}
            line |= {"said": [f"{e.code}: {e.out[-1500:]} {e.err[-1500:]}" for e in told]}
            self._anew()
        line["seconds"] = round(time.monotonic() - began, 2)
        append(self.results, line)

    def _anew(self) -> None:
        """Make another world: nobody knows what this one is."""
        self.world.down()
        self.world = World(self.kind, self.edge_image, engine=self.engine)
        self.world.up()


def fault_of(injection: Injection, deed: Deed) -> Fault:
    """Return what a verb is to suffer."""
    if injection.after_s:
        return Kill(after_s=injection.after_s, group=injection.group)
    if injection.fault in DISKS:
        return replace(DISKS[injection.fault], at=injection.place)
    if injection.fault in DEEDS:
        return Halt(injection.place, deed.do)
    return Kill(place=injection.place, group=injection.group)


def _enter(engine: OwnEngine) -> None:
    """Go to where an Engine's ports are, with all that this process starts from now on."""
    os.environ["DOCKER_HOST"] = engine.host
    with Path(f"/var/run/netns/{engine.name}").open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def _silence(world: World, since: float) -> float:
    """Return the longest time in seconds without an answer to a client since a moment."""
    longest = 0.0
    for kind in ("keep", "zmq"):
        times = [float(words[0]) for words in world.client.lines(since) if words[1] == kind and words[3] == "ok"]
        ends = [since, *times, time.monotonic()]
        longest = max([longest, *(b - a for a, b in itertools.pairwise(ends))])
    return round(longest, 3)


def _commit() -> str:
    asked = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def read(results: Path) -> Iterator[dict[str, Any]]:
    """Yield the results that were written so far."""
    if results.exists():
        for line in results.read_text().splitlines():
            yield json.loads(line)


def append(results: Path, line: dict[str, Any]) -> None:
    """Write one result so that it lasts, also where several workers write."""
    descriptor = os.open(results, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
