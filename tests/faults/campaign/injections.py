"""What a campaign does to a world: every fault, by the place at which it strikes; the same list for the same seed."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.faults.campaign.acts import DEEDS, Deed
from tests.faults.campaign.forks import Disk, Fault, Halt, Kill
from tests.faults.campaign.points import IN_CALL, telling
from tests.faults.campaign.worlds import EDGE, STANDING

VERBS = {
    "relink": ("swap", "rollback", "commit"),
    "recreate": ("swap", "rollback", "commit"),
    "adopt": ("swap", "rollback", "commit"),
    "edge": ("swap", "rollback", "commit", "canary", "promote", "upgrade"),
    "exclusive": ("swap", "rollback"),
    "rolled": ("swap", "rollback"),
    "engine": ("swap",),
}
DISKS = {
    "disk-full": Disk("fail", error="ENOSPC"),
    "disk-read-only": Disk("fail", error="EROFS"),
    "disk-error": Disk("fail", error="EIO", once=True),
    "torn-then-full": Disk("tear", error="ENOSPC"),
    "torn-then-killed": Disk("tear"),
    "clock-back": Disk("clock"),
}
COLOURED = {"relink", "recreate", "adopt", "edge", "exclusive"}
"""Worlds in which green and blue are services of their own."""
ANY = {*COLOURED, "rolled"}
ONLY = {
    **dict.fromkeys(("second-swap", "second-rollback", "second-recover", "edited-by-hand", "file-deleted"), ANY),
    "edge-killed": EDGE,
    "edge-crashed": EDGE,
    "edge-paused": EDGE,
    "edge-oom": EDGE,
    "park-network-removed": {"relink", "adopt", "rolled"},
    "engine-stopped": {"engine"},
    "engine-killed": {"engine"},
}
"""Deeds that mean something in some worlds only."""
BESIDE = {
    "swap": ("swap", "rollback", "recover", "commit", "backup", "upgrade"),
    "rollback": ("swap", "rollback", "recover", "commit"),
    "recover": ("swap", "rollback", "recover"),
}
"""Which verbs are called while another one runs."""
MOMENTS = {"swap": 200, "rollback": 60}
"""Random moments at which a verb is killed, in each world."""
DELAYS_S = (0.004, 0.03, 0.12, 0.35)
"""How long after its beginning a call to the Engine, to Compose or to the edge is cut off."""
PER_DISK = 40
"""How many writes of a swap each fault of a disk meets, in each world."""
OFFSETS = 4
"""How often two verbs meet, at a random distance."""
HEAD_START_S = 0.6
"""How much earlier the second of two verbs may begin: about what Python needs to start."""


@dataclass(frozen=True)
class Injection:
    """One fault, where or when a verb meets it, and where the recovery after it is killed, if it is."""

    world: str
    verb: str
    fault: str
    place: int = 0
    after_s: float = 0.0
    again: int = 0

    @property
    def id(self) -> str:
        """Return the name by which it is found again in the results."""
        where = [f"{self.place:04}"] * bool(self.place) + [f"{self.after_s:.4f}s"] * bool(self.after_s)
        return "/".join([self.world, self.verb, self.fault, "+".join(where + [f"{self.again:04}"] * bool(self.again))])

    @property
    def everything(self) -> bool:
        """Say whether Compose is killed as well, and whatever else cutover has started: every other time."""
        return zlib.crc32(self.id.encode()) % 2 == 0

    @property
    def beside(self) -> str:
        """Return the verb that is called while this one runs, "" for none."""
        return self.fault.removeprefix("beside-") if self.fault.startswith("beside-") else ""

    def suffered(self, deed: Deed) -> Fault:
        """Return what the verb is to suffer."""
        if self.beside:
            return None
        if self.fault in DISKS:
            return replace(DISKS[self.fault], at=self.place)
        if self.fault in DEEDS:
            return Halt(self.place, deed.do)
        return Kill(place=self.place or None, after_s=self.after_s or None, everything=self.everything)


@dataclass(frozen=True)
class Map:
    """What a campaign knows of a world: places and seconds by verb, the calls of a swap that the disk answers."""

    places: dict[str, list[str]]
    seconds: dict[str, float]
    calls: int
    writes: int

    def steps(self) -> list[int]:
        """Return the places of a swap at which a step begins."""
        labels = self.places["swap"]
        return [n for n, label in enumerate(labels, start=1) if label.startswith("after journal intent")]

    def calling(self, verb: str) -> list[int]:
        """Return the places of a verb at which a call begins that changes something and takes its time."""
        return [n for n, label in enumerate(self.places[verb], start=1) if IN_CALL.match(label)]


def injections(world: str, known: Map, seed: int) -> list[Injection]:
    """Return every injection of a world in a random order; last come kills between two looks, where nothing changed."""
    dice = random.Random(zlib.crc32(f"{seed} {world}".encode()))
    if world == "engine":  # half a minute each
        names = ("engine-stopped", "engine-killed")
        return [Injection(world, "swap", name, n) for n, name in itertools.product(known.steps(), names)]
    made = [*_kills(world, known), *_kills_in_calls(world, known, dice), *_moments(world, known, dice)]
    made += [*_kills_again(world, known, dice), *_disks(world, known, dice), *_pairs(world, known, dice)]
    deeds = [name for name in DEEDS if world in ONLY.get(name, COLOURED)]
    made += [Injection(world, "swap", name, n) for name in deeds for n in known.steps()]
    dice.shuffle(made)
    rest = [i for i in _all_kills(world, known) if i not in set(made)]
    dice.shuffle(rest)
    return made + rest


def _kills(world: str, known: Map) -> Iterator[Injection]:
    for verb in VERBS[world]:
        yield from (Injection(world, verb, "kill", n) for n in telling(known.places[verb]))


def _all_kills(world: str, known: Map) -> Iterator[Injection]:
    for verb in VERBS[world]:
        yield from (Injection(world, verb, "kill", n + 1) for n in range(len(known.places[verb])))


def _kills_in_calls(world: str, known: Map, dice: random.Random) -> Iterator[Injection]:
    for verb in ("swap", "rollback"):
        for n in known.calling(verb):
            most = 4 if "compose" in known.places[verb][n - 1] else 2
            for delay in dice.sample(DELAYS_S, most):
                yield Injection(world, verb, "kill-in-call", n, round(delay * dice.uniform(0.7, 1.4), 4))


def _moments(world: str, known: Map, dice: random.Random) -> Iterator[Injection]:
    for verb, count in MOMENTS.items():
        for _ in range(count):
            yield Injection(world, verb, "kill-at-random", after_s=round(dice.uniform(0.001, known.seconds[verb]), 4))


def _kills_again(world: str, known: Map, dice: random.Random) -> Iterator[Injection]:
    """Kill a verb somewhere, and the recovery at each of its places."""
    for verb, again in itertools.product(("swap", "rollback"), telling(known.places["recover"])):
        first = dice.randint(len(known.places[verb]) // 2, len(known.places[verb]))
        yield Injection(world, verb, "kill-recovery", first, again=again)


def _disks(world: str, known: Map, dice: random.Random) -> Iterator[Injection]:
    for name, disk in DISKS.items():
        count = known.writes if disk.how == "tear" else known.calls
        for n in dice.sample(range(1, count + 1), min(PER_DISK, count)):
            yield Injection(world, "swap", name, n)


def _pairs(world: str, known: Map, dice: random.Random) -> Iterator[Injection]:
    places = list(telling(known.places["swap"]))
    for verb, others in BESIDE.items():
        for other, _ in itertools.product(others, range(OFFSETS)):
            if other == "upgrade" and world not in STANDING:
                continue
            after = round(dice.uniform(0.01, HEAD_START_S + known.seconds[verb]), 4)
            place = dice.choice(places[len(places) // 3 :]) if verb == "recover" else 0
            yield Injection(world, verb, f"beside-{other}", place, after)
