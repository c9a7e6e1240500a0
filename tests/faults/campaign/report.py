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

from tests.faults.campaign.worker import LIMIT_S, read

TITLES = {
    "relink": "`relink`",
    "recreate": "`recreate`",
    "adopt": "`edge`, adopting an untouched stack",
    "edge": "`edge`, standing",
    "exclusive": "`edge`, standing, `--exclusive`",
    "rolled": "`relink`, a service rolled to another image",
    "engine": "`relink`, the Engine itself",
}
FAULTS = {
    "kill": "SIGKILL before and after a record, an Engine or Compose call, a word to the edge, an fsync, a rename",
    "kill-in-call": "SIGKILL in the middle of a call to the Engine, Compose or the edge",
    "kill-at-random": "SIGKILL at a random moment",
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
    "edge-crashed": "the edge's processes die",
    "edge-paused": "the edge paused for 3 s",
    "edge-oom": "the kernel kills the edge for memory",
    "green-crashed": "green's process dies",
    "blue-crashed": "blue's process dies",
    "green-removed": "`docker rm -f` green",
    "blue-removed": "`docker rm -f` blue",
    "both-paused": "both paused for 3 s",
    "green-oom": "the kernel kills green for memory",
    "blue-oom": "the kernel kills blue for memory",
    "park-network-removed": "the park network is emptied by force and removed",
    "edited-by-hand": "a comment is added to the compose file",
    "ports-edited": "the legacy port is changed in the compose file",
    "file-deleted": "the compose file is moved away",
    "file-unreadable": "there is a folder in the place of the compose file",
    "second-swap": "`swap` is called at each step of a swap",
    "second-rollback": "`rollback` is called at each step of a swap",
    "second-recover": "`recover` is called at each step of a swap",
    "beside-swap": "another verb, and `swap` at a random distance",
    "beside-rollback": "another verb, and `rollback` at a random distance",
    "beside-recover": "another verb, and `recover` at a random distance",
    "beside-commit": "another verb, and `commit` at a random distance",
    "beside-backup": "another verb, and `backup` at a random distance",
    "beside-upgrade": "another verb, and `edge upgrade` at a random distance",
    "engine-stopped": "the Engine is stopped (SIGTERM) and started again",
    "engine-killed": "the Engine is killed and started again",
}
KILLS = {"kill", "kill-in-call", "kill-at-random", "kill-recovery"}
COLUMNS = (
    "fault",
    "times",
    "converged",
    "recover: median s",
    "worst s",
    "without starts: worst s",
    "silence: worst s",
    "data lost",
    "stuck",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n{'| --- ' * len(COLUMNS)}|"


def report(results: Path, seed: int) -> str:
    """Return docs/reliability.md for what was fought so far."""
    worlds: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    lines = list(read(results))
    struck = [line for line in lines if line.get("hit", True)]
    for line in struck:
        world, _, fault, _ = line["id"].split("/")
        worlds[world][fault].append(line)
    parts = [_INTRODUCTION.format(summary=_summary(struck, len(lines) - len(struck), seed))]
    parts += [_table(world, worlds[world]) for world in sorted(worlds, key=list(TITLES).index)]
    parts += [_PROBLEMS.format(problems="\n".join(_problems(lines)) or "None."), _AFTERWORD]
    return "\n\n".join(parts) + "\n"


def _table(world: str, faults: dict[str, list[dict[str, Any]]]) -> str:
    start = statistics.median([line["start_s"] for lines in faults.values() for line in lines])
    kills = sum(len(lines) for fault, lines in faults.items() if fault in KILLS)
    own = [line["own_s"] for lines in faults.values() for line in lines if "own_s" in line]
    late = sum(s > LIMIT_S for s in own)
    told = (
        f"{kills} kill points. A container of this world takes {start:.1f} s from `docker start` to its first answer; "
        f"without that, {len(own) - late} of {len(own)} recoveries took at most {LIMIT_S:.0f} s."
    )
    rows = [_row(fault, faults[fault]) for fault in FAULTS if fault in faults]
    return "\n".join([f"## {TITLES[world]}", "", told, "", HEAD, *rows])


def _row(fault: str, lines: list[dict[str, Any]]) -> str:
    times = sorted(line["recover_s"] for line in lines if "recover_s" in line)
    own, silence = _worst(lines, "own_s"), _worst(lines, "silence_s")
    lost = sum("lost: " in line.get("problem", "") for line in lines)
    good = sum(line["converged"] for line in lines)
    median, worst = (statistics.median(times), times[-1]) if times else (0.0, 0.0)
    stuck = len(lines) - good - lost
    figures = f"{median:.1f} | {worst:.1f} | {own:.1f} | {silence:.1f}"
    return f"| {FAULTS[fault]} | {len(lines)} | {good} | {figures} | {lost} | {stuck} |"


def _worst(lines: list[dict[str, Any]], figure: str) -> float:
    return max((line[figure] for line in lines if figure in line), default=0.0)


def _problems(lines: Iterable[dict[str, Any]]) -> Iterable[str]:
    for line in lines:
        if not line["converged"]:
            yield f"- `{line['id']}` ({line.get('at') or 'at no named place'}): {line['problem'].splitlines()[0][:200]}"


def _summary(lines: list[dict[str, Any]], missed: int, seed: int) -> str:
    good = sum(line["converged"] for line in lines)
    kills = sum(line["id"].split("/")[2] in KILLS for line in lines)
    commits = ", ".join(dict.fromkeys(line["commit"] for line in lines))
    asked = ["docker", "version", "--format={{.Server.Version}}"]
    engine = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    machine = f"{os.cpu_count()} processors, Linux {platform.release()}, Engine {engine}"
    return (
        f"**{len(lines)} faults, {kills} of them kills: {good} converged, {len(lines) - good} did not.** {machine}; "
        f"seed {seed}; commit {commits}. Another {missed} did not strike: no two runs ask the Engine equally often."
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
- every number that was acknowledged is in the volume, once, from whoever acknowledged it (*data lost*: one is not;
  *stuck*: anything else of this list);
- every fourth time: `docker compose up` would make nothing anew.

*Recover* is the time of `cutover recover` without Python's own start (about 0.5 s); *without starts*, less the starts
of containers in it (counted by the Engine's events), each at what a bare `docker start` took to its first answer when
this world was made. *Silence* is the longest time without an answer to a client, from the beginning of the verb to
the end of the recovery. Several worlds are fought in at once, so times are upper bounds.
Every other kill takes all that cutover has started with it, Compose too, as the end of a cgroup does; the others leave
Compose to run on. Of two verbs at once, one is done and the other refused, or done after it."""

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
