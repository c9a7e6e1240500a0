"""What `cutover cleanup` decides by: the project's runs, the Engine's things, temporary files, the compose files."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cutover.edge.image import edge_image_name
from cutover.engine.leftovers import container_facts, image_facts, network_facts
from cutover.errors import CutoverError
from cutover.flow.cleanup_choice import DONE, STALE_S, Facts, FileFacts, RunFacts
from cutover.flow.edge_record import load
from cutover.flow.journal import Kind
from cutover.flow.runs import BACKUPS, Run, Runs
from cutover.flow.session import Session
from cutover.flow.teststack_record import recorded

RUN_ID = re.compile(r"\d{8}T\d{6}\.\d{3}-[0-9a-f]{4}")
TEMPORARY = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}\.cutover-tmp")
"""What `files.write_atomic` calls a file before it has its name."""


def look(session: Session, runs: Runs, asked: frozenset[str]) -> Facts:
    """Return the facts as they are now; `asked` are the images that the compose files name."""
    project, here = runs.folder.name, tuple(_run(r) for r in runs.all() if RUN_ID.fullmatch(r.id))
    own = load(runs.state, project)
    edges = (edge_image_name(), session.settings.edge.image, own.image if own else None)
    others = [Runs(session.folder, p.name) for p in _folders(runs.state) if p.name != project]
    return Facts(
        project=project,
        now=session.clock.now(),
        runs=here,
        containers=container_facts(session.daemon),
        images=image_facts(session.daemon),
        networks=network_facts(session.daemon),
        files=tuple(_files(session, runs)),
        asked=asked,
        elsewhere=frozenset(image for other in others for image in _needed(other)),
        edges=frozenset(filter(None, (*edges, *map(_edge_of, others)))),
        edge_stands=own is not None,
        tests=tuple(recorded(session)),
    )


def images_asked(session: Session) -> frozenset[str]:
    """Return the images that the project's compose files name, those that Compose builds by its own names included.

    Raises:
        RefusedError: the files are not a valid Compose project, so nobody can tell.

    """
    model = session.stack.config()
    project, services = str(model["name"]), model.get("services") or {}
    named = {str(s["image"]) for s in services.values() if s.get("image")}
    built = {f"{project}{mark}{name}" for name, s in services.items() if not s.get("image") for mark in "-_"}
    return frozenset(named | built)


def trash_of(runs: Runs, run_id: str) -> Path:
    """Return where a run goes before it is removed: beside the projects' folders, where nobody takes it for a run."""
    return runs.state / f".{runs.folder.name}.{run_id}.cutover-tmp"


def _folders(state: Path) -> list[Path]:
    return [p for p in sorted(state.iterdir()) if p.is_dir() and p.name[0] != "."] if state.is_dir() else []


def _run(run: Run) -> RunFacts:
    size = sum(p.lstat().st_size for p in run.folder.rglob("*") if p.is_file())
    if run.damaged:
        return RunFacts(run.id, run.outcome, size_bytes=size, path=str(run.folder))
    header = run.header
    priors = [r.data.get("prior") or {} for r in run.records if r.kind is Kind.INTENT]
    green = [p for p in priors if p.get("image_id")]
    return RunFacts(
        run.id,
        run.outcome,
        committed=bool((run.result or {}).get("committed")),
        began=datetime.fromisoformat(run.started_at) if run.started_at else None,
        blue=str(header.get("blue") or ""),
        green_ids=frozenset(filter(None, (header.get("rolls"), *(p.get("id") or p.get("green") for p in green)))),
        green_images=frozenset((str(p["image"]), str(p["image_id"])) for p in green),
        edge_image=(header.get("edge") or {}).get("image"),
        size_bytes=size,
        path=str(run.folder),
    )


def _needed(other: Runs) -> Iterator[str]:
    """Yield the images that runs of another project in this folder go back to."""
    for run in other.all():
        if RUN_ID.fullmatch(run.id) and run.outcome == DONE:
            yield from (image_id for _, image_id in _run(run).green_images)


def _edge_of(other: Runs) -> str | None:
    with contextlib.suppress(CutoverError):  # another project's damaged record: its containers show what it uses
        record = load(other.state, other.folder.name)
        return record.image if record else None
    return None


def _files(session: Session, runs: Runs) -> Iterator[FileFacts]:
    """Yield the temporary files in the project's state, beside it, and beside the files that its runs edited."""
    now = session.clock.now().timestamp()
    for path in sorted({*_in_state(runs), *_beside_edited(runs)}):
        with contextlib.suppress(FileNotFoundError):
            info = path.lstat()
            if stat.S_ISREG(info.st_mode) and TEMPORARY.fullmatch(path.name):
                yield FileFacts(str(path), info.st_size, now - info.st_mtime)
    trash = re.compile(rf"\.{re.escape(runs.folder.name)}\.{RUN_ID.pattern}\.cutover-tmp")
    for path in sorted(runs.state.glob(".*.cutover-tmp")):
        if trash.fullmatch(path.name) and path.is_dir() and not path.is_symlink():  # only who holds our lock makes one
            yield FileFacts(str(path), sum(p.lstat().st_size for p in path.rglob("*")), STALE_S)


def _in_state(runs: Runs) -> Iterator[Path]:
    yield from runs.state.glob(".*.cutover-tmp")
    for folder, inner, names in os.walk(runs.folder):
        if Path(folder) == runs.folder:
            inner[:] = [name for name in inner if name != BACKUPS]
        yield from (Path(folder) / name for name in names if name.endswith(".cutover-tmp"))


def _beside_edited(runs: Runs) -> Iterator[Path]:
    edited = {Path(path) for run in runs.all() for path, *_ in run.header.get("edits") or ()}
    for path in edited:
        mark = f".{path.name}."
        yield from (p for p in path.parent.glob(".*.cutover-tmp") if p.name.startswith(mark))
