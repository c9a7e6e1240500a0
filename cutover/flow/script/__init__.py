"""`rollback.sh`, which every swap leaves beside its saved files: the way back where there is no cutover any more.

The head holds the facts of the run, every value quoted for the shell; the rest is the same for all, in rollback.sh.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from shlex import join, quote

from cutover.backup.files import Saved
from cutover.engine.stack import ProjectFiles
from cutover.files import private_folder, write_atomic
from cutover.flow.context import Context
from cutover.flow.edge_record import edge_file, edge_folder, load
from cutover.flow.plan import Plan
from cutover.flow.runs import BY_HAND
from cutover.model import Colour, Container

NAME = "rollback.sh"
EDGE = "edge"
"""In the run's folder: what a standing edge had been told before the run."""


class Way(StrEnum):
    """How green gets the ports back: Docker moves them, an edge that the run made goes, or one that stood is told."""

    PORTS = "ports"
    ADOPTED = "adopted"
    EDGE = "edge"


@dataclass(frozen=True)
class Facts:
    """What the script has to know that the plan does not say."""

    folder: Path
    state: Path
    source: ProjectFiles
    host: str
    context: str | None
    green: Container | None
    blue_was_there: bool
    saved: tuple[Saved, ...]
    edge_file: Path
    generation: int = 0


def leave_script(ctx: Context, saved: list[Saved]) -> None:
    """Write the script for a run, and keep what a standing edge is told now.

    Raises:
        OSError: the disk is full or read-only; nothing was changed yet.

    """
    record = load(ctx.state, ctx.plan.project)
    address = ctx.daemon.address
    facts = Facts(
        folder=ctx.folder.resolve(),
        state=ctx.state.resolve(),
        source=ctx.stack.source,
        host=address.url,
        context=address.context,
        green=ctx.find(Colour.GREEN),
        blue_was_there=ctx.plan.rolls is None and ctx.find(Colour.BLUE) is not None,
        saved=tuple(saved),
        edge_file=edge_file(ctx.state.resolve().parent, ctx.plan.project),
        generation=record.generation if record else 0,
    )
    if way_of(ctx.plan) is Way.EDGE:
        _keep_edge(edge_folder(ctx.state, ctx.plan.project), ctx.folder / EDGE)
    write_atomic(ctx.folder / NAME, render(ctx.plan, facts).encode(), mode=0o700)


def _keep_edge(edge: Path, kept: Path) -> None:
    for path in sorted(p for p in edge.rglob("*") if p.is_file() and not p.is_symlink()):
        private_folder((kept / path.relative_to(edge)).parent)
        shutil.copy2(path, kept / path.relative_to(edge))


def way_of(plan: Plan) -> Way:
    """Return how green gets its ports back."""
    if plan.edge is None:
        return Way.PORTS
    return Way.ADOPTED if plan.edge.adopt else Way.EDGE


def render(plan: Plan, facts: Facts) -> str:
    """Return the script of a run."""
    body = files(__package__).joinpath(NAME).read_text()
    return "\n".join([*_head(plan, facts), body])


def _head(plan: Plan, facts: Facts) -> Iterator[str]:
    yield "#!/bin/sh"
    yield "# The way back from a swap, without cutover: it takes sh, docker with Compose, and coreutils."
    yield f"# {_comment(_SILENCE[way_of(plan)])}"
    yield "# Look first: sh rollback.sh --dry-run. With cutover at hand: cutover rollback (or recover) does it better."
    yield "set -eu"
    yield ""
    for name, value in _values(plan, facts).items():
        yield f"{name}={quote(value)}"
    yield 'kept="$run_folder/before-rollback"'
    yield ""
    yield f'engine() {{ {join(_docker(facts))} "$@"; }}'
    yield f'compose() {{ {join([*_docker(facts), "compose", *_compose(plan, facts.source)])} "$@"; }}'
    yield "# The files that the swap edits: where, the saved copy, SHA-256 before and after, mode, owner."
    yield "each_file() {"
    yield from (f'    "$1" {join(words)}' for words in _edits(plan, facts))
    yield "    :"
    yield "}"


_SILENCE = {
    Way.PORTS: "The ports are silent for as long as green takes to start: seconds.",
    Way.ADOPTED: "The ports are silent from the moment that the edge goes until green has them: a second, or so.",
    Way.EDGE: "The edge is started again: for about a second nobody answers.",
}


def _comment(text: str) -> str:
    return " ".join(text.split())


def _values(plan: Plan, facts: Facts) -> dict[str, str]:
    green = facts.green
    ports = dict.fromkeys(f"{m.binding.host_port}/{m.binding.protocol}" for m in plan.moves)
    return {
        "run": facts.folder.name,
        "run_folder": str(facts.folder),
        "state": str(facts.state),
        "mark": BY_HAND,
        "project": plan.project,
        "green": plan.green,
        "blue": plan.blue,
        "ports": " ".join(ports),
        "way": str(way_of(plan)),
        "exclusive": "yes" if plan.edge is not None and plan.edge.exclusive else "no",
        "old": plan.rolls or "",
        "blue_was_there": "yes" if facts.blue_was_there else "no",
        "image": green.image if green else "",
        "image_id": green.image_id if green else "",
        "restart": (green.restart_policy if green else "") or "no",
        "park": plan.park_network,
        "edge_file": str(facts.edge_file),
        "generation": str(facts.generation),
        "wait_s": str(max(1, int(plan.ready_timeout_s))),
    }


def _docker(facts: Facts) -> list[str]:
    return ["docker", "--context", facts.context] if facts.context else ["docker", "--host", facts.host]


def _compose(plan: Plan, source: ProjectFiles) -> list[str]:
    return [
        *(f"--file={f.absolute()}" for f in source.files),
        *(f"--profile={p}" for p in source.profiles),
        *(f"--env-file={f.absolute()}" for f in source.env_files),
        f"--project-name={plan.project}",
        f"--project-directory={source.folder.absolute()}",
    ]


def _edits(plan: Plan, facts: Facts) -> Iterator[list[str]]:
    copies = {s.path: s for s in facts.saved}
    for edit in plan.edits:
        saved = copies[edit.path]
        state = saved.state
        yield [
            str(edit.path.resolve()),
            str(saved.copy.resolve()),
            edit.before_sha256,
            edit.after_sha256,
            f"{state.mode:04o}",
            f"{state.uid}:{state.gid}",
        ]
