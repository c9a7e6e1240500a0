"""One worker of a campaign: fights its share of the injections of one world, and writes a line for each."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import filelock

from tests.faults.campaign.acts import Deed
from tests.faults.campaign.forks import Disk, Ended, Fault, Kill
from tests.faults.campaign.injections import HEAD_START_S, VERBS, Injection, Map, injections
from tests.faults.campaign.rolled import Rolled
from tests.faults.campaign.worlds import ROOT, World
from tests.scenarios.own_engine import OwnEngine, made

CLOSELY = 4
"""Every so many injections the dearer checks are made too."""
USAGE = 2
"""Exit code: there is no compose file."""
LIMIT_S = 5.0
"""How long a recovery may take beside the starts of containers in it."""
CLONE_NEWNET = 0x40000000


class Worker:
    """Fights a share of the injections of one world."""

    def __init__(self, kind: str, edge_image: str, results: Path, seed: int, share: tuple[int, int]) -> None:
        self.kind, self.edge_image, self.results, self.seed, self.share = kind, edge_image, results, seed, share
        self.engine: OwnEngine | None = None
        self.world = self._made()
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
            self._each([i for i in mine if i.id not in done and only in i.id], end)
        finally:
            self.world.down()

    def sample(self, chosen: Iterable[Injection]) -> None:
        """Do a few that need no map of the world."""
        self.world.up()
        try:
            self._each(list(chosen), float("inf"))
        finally:
            self.world.down()

    def _each(self, mine: list[Injection], end: float) -> None:
        for number, injection in enumerate(mine):
            if time.monotonic() > end:
                return
            self._one(injection, closely=number % CLOSELY == 0)

    def _map(self) -> Map:
        """Return what is known of the world; kept beside the results, so that all workers fight over the same."""
        kept = self.results.with_suffix(f".{self.kind}.map")
        with filelock.FileLock(f"{kept}.lock"):
            if not kept.exists():
                kept.write_text(json.dumps(asdict(self._surveyed())))
            return Map(**json.loads(kept.read_text()))

    def _surveyed(self) -> Map:
        world, places, seconds = self.world, {}, {}
        for verb in VERBS[self.kind]:
            world.ready(verb)
            told = world.run(world.command(verb), Kill())
            assert told.code == 0, told
            places[verb], seconds[verb] = list(told.places), told.seconds
            world.check(verb, closely=False)
        world.ready("recover", places["swap"][len(places["swap"]) * 3 // 4])
        told = world.run(["recover"], Kill())
        assert told.code == 0, told
        places["recover"], seconds["recover"] = list(told.places), told.seconds
        world.ready("swap")
        told = world.run(world.command("swap"), Disk("count"))
        assert told.code == 0, told
        calls, writes = map(int, told.places[-2:])
        return Map(places, seconds, calls, writes)

    def _one(self, injection: Injection, *, closely: bool) -> None:
        world, began = self.world, time.monotonic()
        line: dict[str, Any] = {"id": injection.id, "commit": self.commit, "start_s": round(world.start_s, 2)}
        told: list[Ended] = []
        try:
            world.ready(injection.verb, injection.place)
            since = time.monotonic()
            self._inject(injection, line, told)
            line["serving"] = world.check(injection.verb, closely=closely)
            line |= _seen(world, since)
            told.append(world.run(["recover", "--json"]))
            assert (told[-1].code, json.loads(told[-1].out)["recovered"]) == (0, []), "recover again did something"
            line["converged"] = True
        except Exception as error:  # noqa: BLE001  (whatever it is, it is a result)
            line |= {"converged": False, "problem": f"{type(error).__name__}: {error}"[:3000]}
            line |= {"said": [f"{e.code}: {e.out[-1500:]} {e.err[-1500:]}" for e in told]}
            self._anew()
        line["seconds"] = round(time.monotonic() - began, 2)
        append(self.results, line)

    def _inject(self, injection: Injection, line: dict[str, Any], told: list[Ended]) -> None:
        """Have a verb suffer it, and recover."""
        world, deed = self.world, Deed(self.world, injection.fault)
        fault = injection.suffered(deed)
        if injection.beside:
            told += world.run_beside(injection.verb, injection.beside, injection.after_s - HEAD_START_S)
            see_one_worked(*told)
        else:
            told.append(world.run(world.command(injection.verb), fault))
        ended = told[0]
        line |= {
            "code": ended.code,
            "at": ended.places[-1] if ended.places else None,
            "hit": hit(fault, ended) and deed.struck,
        }
        for each in told:
            assert each.code in {0, 1, 3, 4, -signal.SIGKILL} or (deed.is_for_hands and each.code == USAGE), (
                "an exit code that says nothing"
            )
            assert "Traceback" not in each.err, "a traceback"
        with deed.undone():
            if injection.again:
                again = Kill(place=injection.again, everything=injection.everything)
                told.append(world.run(["recover"], again))
                line["hit"] = told[-1].killed
            told.append(self._recovered(line))
            assert told[-1].code == 0 or (deed.is_for_hands and told[-1].code in {1, USAGE, 4}), "recover failed"
            if injection.beside:
                assert json.loads(told[-1].out)["recovered"] == [], "one of two left something undone"
        if told[-1].code != 0:
            told.append(self._recovered(line))
            assert told[-1].code == 0, "recover failed once the file was back"

    def _recovered(self, line: dict[str, Any]) -> Ended:
        """Recover, and note how long it took: in all, and without the starts of containers in it."""
        began = time.time()
        told = self.world.run(["recover", "--json"])
        starts = self.world.starts(began)
        own_s = told.seconds - starts * self.world.start_s
        line |= {"recover_s": round(told.seconds, 2), "starts": starts, "own_s": round(max(own_s, 0.0), 2)}
        if own_s > LIMIT_S:
            line |= {"slow": told.err[-2000:], "load": os.getloadavg()[0]}
        return told

    def _anew(self) -> None:
        """Make another world: nobody knows what this one is."""
        self.world.down()
        self.world = self._made()
        self.world.up()

    def _made(self) -> World:
        return (Rolled if self.kind == "rolled" else World)(self.kind, self.edge_image, engine=self.engine)


def hit(fault: Fault, ended: Ended) -> bool:
    """Say whether a fault struck: the places of one run are not exactly those of another."""
    if isinstance(fault, Kill):
        return ended.killed
    if isinstance(fault, Disk):
        return ended.killed or int(ended.places[-1 if fault.how == "tear" else -2]) >= fault.at
    return fault is None or bool(ended.places)


def see_one_worked(first: Ended, second: Ended) -> None:
    """See that of two verbs at the same time at least one was done, and the other done after it or refused."""
    codes = sorted([first.code, second.code])
    assert codes in ([0, 0], [0, 1]), f"two at once: {codes}"


def _enter(engine: OwnEngine) -> None:
    """Go to where an Engine's ports are, with all that this process starts from now on."""
    os.environ["DOCKER_HOST"] = engine.host
    with Path(f"/var/run/netns/{engine.name}").open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def _seen(world: World, since: float) -> dict[str, Any]:
    """Return the longest time in seconds without an answer to a client since a moment, and how many got none."""
    longest, failed = 0.0, {}
    for kind in ("keep", "zmq"):
        lines = [words for words in world.client.lines(since) if words[1] == kind]
        ends = [since, *(float(words[0]) for words in lines if words[3] == "ok"), time.monotonic()]
        longest = max([longest, *(b - a for a, b in itertools.pairwise(ends))])
        failed[kind] = sum(words[3] == "failed" for words in lines)
    return {"silence_s": round(longest, 3), "failed": failed}


def _commit() -> str:
    asked = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def read(results: Path) -> Iterator[dict[str, Any]]:
    """Yield the results that were written so far; half a line is what a campaign that was killed leaves."""
    for line in results.read_text().splitlines() if results.exists() else ():
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def append(results: Path, line: dict[str, Any]) -> None:
    """Write one result so that it lasts, also where several workers write."""
    descriptor = os.open(results, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, ("\n" * bool(torn) + json.dumps(line) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
