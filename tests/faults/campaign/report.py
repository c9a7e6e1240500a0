"""The figures of a campaign as tables in Markdown: docs/reliability.md is made by this and nothing else."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.faults.campaign.worker import read

TITLES = {
    "relink": "`relink`",
    "recreate": "`recreate`",
    "adopt": "`edge`, adopting an untouched stack",
    "edge": "`edge`, standing",
    "exclusive": "`edge`, standing, `--exclusive`",
    "engine": "`relink`, the Engine itself",
}
FAULTS = {
    "kill": "SIGKILL before and after a record, an Engine or Compose call, a word to the edge, an fsync, a rename",
    "kill-at-random": "SIGKILL at a random moment of a swap",
    "kill-recovery": "SIGKILL, and again in the recovery",
    "disk-full": "ENOSPC from the N-th write on",
    "disk-read-only": "EROFS from the N-th write on",
    "disk-error": "EIO at the N-th write",
    "torn-then-full": "half of the N-th write, then ENOSPC",
    "torn-then-killed": "half of the N-th write, then SIGKILL",
    "clock-back": "the clock jumps back by an hour",
    "green-killed": "`docker kill` green",
    "blue-killed": "`docker kill` blue",
    "edge-killed": "`docker kill` the edge",
    "green-crashed": "green's process dies",
    "blue-crashed": "blue's process dies",
    "green-removed": "`docker rm -f` green",
    "blue-removed": "`docker rm -f` blue",
    "both-paused": "both paused for 3 s",
    "green-oom": "the kernel kills green for memory",
    "blue-oom": "the kernel kills blue for memory",
    "park-network-removed": "the park network is emptied by force and removed",
    "edited-by-hand": "the compose file is edited",
    "second-swap": "another `swap` at the same time",
    "second-rollback": "another `rollback` at the same time",
    "second-recover": "another `recover` at the same time",
    "engine-stopped": "the Engine is stopped (SIGTERM) and started again",
    "engine-killed": "the Engine is killed and started again",
}
KILLS = {"kill", "kill-at-random", "kill-recovery"}
HEAD = f"| fault | times | converged | recover: median s | worst s | data lost | stuck |\n{'| --- ' * 7}|"


def report(results: Path, seed: int) -> str:
    """Return docs/reliability.md for what was fought so far."""
    worlds: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    lines = list(read(results))
    for line in lines:
        world, _, fault, _ = line["id"].split("/")
        worlds[world][fault].append(line)
    parts = [_INTRODUCTION.format(summary=_summary(lines, seed))]
    parts += [_table(world, worlds[world]) for world in sorted(worlds, key=list(TITLES).index)]
    parts += [_PROBLEMS.format(problems="\n".join(_problems(lines)) or "None."), _AFTERWORD]
    return "\n\n".join(parts) + "\n"


def _table(world: str, faults: dict[str, list[dict[str, Any]]]) -> str:
    start = statistics.median([line["start_s"] for lines in faults.values() for line in lines])
    kills = sum(len(lines) for fault, lines in faults.items() if fault in KILLS)
    told = (
        f"{kills} kill points. A container of this world takes {start:.1f} s from `docker start` to its first answer."
    )
    rows = [_row(fault, faults[fault]) for fault in FAULTS if fault in faults]
    return "\n".join([f"## {TITLES[world]}", "", told, "", HEAD, *rows])


def _row(fault: str, lines: list[dict[str, Any]]) -> str:
    times = sorted(line["recover_s"] for line in lines if "recover_s" in line)
    lost = sum("lost: " in line.get("problem", "") for line in lines)
    good = sum(line["converged"] for line in lines)
    median, worst = (statistics.median(times), times[-1]) if times else (0.0, 0.0)
    stuck = len(lines) - good - lost
    return f"| {FAULTS[fault]} | {len(lines)} | {good} | {median:.1f} | {worst:.1f} | {lost} | {stuck} |"


def _problems(lines: Iterable[dict[str, Any]]) -> Iterable[str]:
    for line in lines:
        if not line["converged"]:
            yield f"- `{line['id']}` ({line.get('at') or 'at no named place'}): {line['problem'].splitlines()[0][:200]}"


def _summary(lines: list[dict[str, Any]], seed: int) -> str:
    good = sum(line["converged"] for line in lines)
    kills = sum(line["id"].split("/")[2] in KILLS for line in lines)
    commits = ", ".join(dict.fromkeys(line["commit"] for line in lines))
    asked = ["docker", "version", "--format={{.Server.Version}}"]
    engine = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    machine = f"{os.cpu_count()} processors, Linux {platform.release()}, Engine {engine}"
    return (
        f"**{len(lines)} faults, {kills} of them kills: {good} converged, {len(lines) - good} did not.** {machine}; "
        f"seed {seed}; commit {commits}."
    )


_INTRODUCTION = """\
# Reliability

Made by `scripts/faults --report`, from what `scripts/faults` found; nothing here is typed.

{summary}

A real stack on a real Engine is swapped, rolled back, committed (behind an edge also: canary, promote) while a client
has one number after the other kept in a volume, and another asks over ZeroMQ. Something is done to it, and then:

- `cutover recover` ends with exit code 0, and once more, with nothing left to do;
- one colour answers over HTTP and ZeroMQ, holds the legacy ports, and the other holds none;
- compose file, `cutover.yaml` and the edge's files are as before or as after: bytes, mode, owner;
- the lock is free; no park network, helper container, redirect or half-written file is left; an edge stands where one
  stood or the swap is done, and nowhere else;
- every number that was acknowledged is in the volume (*data lost*: one is not; *stuck*: anything else of this list);
- every fourth time: `docker compose up` would change nothing.

*Recover* is the time of `cutover recover` without Python's own start (about 0.5 s); it may start containers. Several
worlds are fought in at once on the machine, so times are upper bounds."""

_PROBLEMS = """\
## What did not converge

{problems}"""

_AFTERWORD = """\
## What it does not cover

Power cuts (an fsync is believed), more than one host, Engines other than this one, userns-remap and rootless Engines,
faults in the Engine's own state, hardware that lies. The edge's upgrade and adoption at each of their own acts are in
`tests/faults/test_edge_crash.py` and `test_takeover.py`; a service that dies behind it in `test_edge_deaths.py`.

## Again

```sh
scripts/faults                       # all worlds, two workers: hours; goes on where it was stopped
scripts/faults --only relink --match disk-full
scripts/faults --report              # docs/reliability.md from what there is
```"""
