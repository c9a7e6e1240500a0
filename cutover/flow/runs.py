"""Where runs are kept: `.cutover/` beside the compose file, one folder a run, found again by its ID."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import Any

from cutover.clock import Clock
from cutover.errors import NeedsHandsError, UsageError
from cutover.files import UNREADABLE, private_folder, write_atomic
from cutover.flow.journal import NAME, Kind, Record, read
from cutover.trust import see_state_ours

STATE_FOLDER = ".cutover"
TESTS = "tests"
"""Beside the runs: what test stacks left to be taken down."""
EDGE = "edge"
"""Beside the runs: the standing edge."""
BACKUPS = "backups"
"""Beside the runs: the backups; one that a swap took has the ID of its run."""
SWITCH = "switch-edge"
"""The kind of step after which a canary is none any more."""
SCRIPT, BY_HAND = "rollback.sh", "rolled-back-by-hand"
"""In a run's folder: its way back without cutover, and what that leaves once it was run to the end: when."""
STAMP, TICK = len("20260102T030405.678"), timedelta(milliseconds=1)
OPEN = {"unfinished", "needs_hands"}


class Result(StrEnum):
    """How a run ended."""

    DONE = "done"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"
    NEEDS_HANDS = "needs_hands"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Run:
    """One run on disk, read from its journal."""

    folder: Path

    @property
    def id(self) -> str:
        """Return the run's ID."""
        return self.folder.name

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """Return its journal.

        Raises:
            NeedsHandsError: it is damaged, or of another version of cutover.

        """
        return _understood(self.folder, tuple(read(self.folder)))

    @cached_property
    def damaged(self) -> bool:
        """Say whether its journal cannot be read: one old run must not keep every other from being told."""
        try:
            return self.records is None
        except NeedsHandsError:
            return True

    @property
    def header(self) -> Mapping[str, Any]:
        """Return what the run set out to do; empty where the crash came before it was written, or it is damaged."""
        if self.damaged:
            return {}
        return next((r.data for r in self.records if r.kind is Kind.PLAN), {})

    @property
    def by_hand(self) -> bool:
        """Say whether its rollback.sh was run to its end: it went back without us, whatever the journal says."""
        return (self.folder / BY_HAND).exists()

    @property
    def script(self) -> Path | None:
        """Return the way back without cutover, None where the crash came before it was written."""
        path = self.folder / SCRIPT
        return path if path.exists() else None

    @property
    def result(self) -> Mapping[str, Any] | None:
        """Return the last result record, None for a run that did not come to an end."""
        if self.by_hand:
            return {"result": str(Result.ROLLED_BACK), "by_hand": True}
        if self.damaged:
            return None
        ends = [r for r in self.records if r.kind is Kind.RESULT]
        after = [r for r in self.records if r.kind in {Kind.UNDO, Kind.INTENT}]
        if not ends or (after and after[-1].seq > ends[-1].seq):
            return None
        return ends[-1].data

    @property
    def outcome(self) -> str:
        """Return how it ended in one word, `unfinished` where it did not, `damaged` where nobody can tell."""
        if self.damaged and not self.by_hand:
            return "damaged"
        return str(self.result["result"]) if self.result else "unfinished"

    @property
    def started_at(self) -> str:
        """Return when it began, in ISO 8601."""
        return self.records[0].at if not self.damaged and self.records else ""


class Runs:
    """All runs of one Compose project."""

    def __init__(self, project_folder: Path, project: str) -> None:
        self.state = project_folder / STATE_FOLDER
        self.folder = self.state / project

    def all(self) -> list[Run]:
        """Return the runs, oldest first."""
        if not self.folder.is_dir():
            return []
        return [Run(p) for p in sorted(self.folder.iterdir()) if p.is_dir() and p.name not in {TESTS, EDGE, BACKUPS}]

    def new(self, clock: Clock) -> Run:
        """Make the folder of a new run."""
        state_folder(self.state)
        last = max((run.id for run in self.all()), default="")
        return Run(private_folder(self.folder / new_id(clock, after=last)))

    def get(self, run_id: str) -> Run:
        """Return one run by its ID.

        Raises:
            UsageError: there is no such run.

        """
        for run in self.all():
            if run.id == run_id:
                return run
        known = [r.id for r in self.all()][-5:]
        raise UsageError(
            "unknown-run",
            f"There is no run {run_id!r} of this project.",
            evidence=[f"latest runs: {', '.join(known) or 'none'}"],
            hint="cutover history",
        )

    def unfinished(self) -> list[Run]:
        """Return the runs that never came to an end, or to one that needs hands: what `recover` is for."""
        runs = self.all()
        open_ = [r for r in runs[:-1] if r.outcome in OPEN]
        return open_ + [r for r in runs[-1:] if r.outcome in {*OPEN, "damaged"}]


def _understood(folder: Path, records: tuple[Record, ...]) -> tuple[Record, ...]:
    """Return records that say what this cutover writes, each where it has to be.

    Raises:
        NeedsHandsError: `journal-unknown`: they hold, and another cutover wrote them.

    """
    try:
        for record in records:
            _see_known(record)
    except UNREADABLE as error:
        raise NeedsHandsError(
            "journal-unknown",
            f"{folder / NAME}:{record.seq} is of another version of cutover; this one does not guess what it did.",
            evidence=[f"{record.kind} {record.step}: {type(error).__name__}: {str(error)[:200]}"],
            hint="use the cutover that wrote it; the run's folder holds the files as they were, under files/",
        ) from error
    return records


def _see_known(record: Record) -> None:
    """Raise one of UNREADABLE where a record does not say what it has to."""
    from cutover.flow.plan import Plan, StepKind  # noqa: PLC0415  (they know the edge's record, which knows this module)

    data = record.data
    datetime.fromisoformat(record.at)
    if record.kind is Kind.PLAN:
        Plan.from_header(data)
        for texts in (data.get("probes", []), *(data.get("source") or {}).values()):
            _see_kind(texts, list)
            "".join(texts)  # TypeError where one is no text
    elif record.kind is Kind.INTENT:
        StepKind(data["kind"])
        _see_kind(data["prior"], dict)
        _see_kind(data["resource"], str)
    elif record.kind is Kind.RESULT:
        _see_kind(data["result"], str)
        _see_kind(data.get("stall_measured_s"), float, int, NoneType)
    if "ready_s" in data:
        _see_kind(data["ready_s"], float, int)


def _see_kind(value: object, *kinds: type) -> None:
    if not isinstance(value, kinds):
        raise TypeError(f"{str(value)[:40]!r} is no {kinds[0].__name__}")


def new_id(clock: Clock, *, after: str = "") -> str:
    """Return the ID of a run or a backup that begins now: it sorts behind `after`, whatever the clock says."""
    now = clock.now()
    with contextlib.suppress(ValueError):  # a folder that somebody gave another name
        now = max(now, datetime.strptime(after[:STAMP], "%Y%m%dT%H%M%S.%f").replace(tzinfo=now.tzinfo) + TICK)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}-{secrets.token_hex(2)}"


def state_folder(path: Path) -> Path:
    """Make the folder that holds the runs and the locks, which tells git to leave it alone, and return it.

    Raises:
        RefusedError: it cannot be made, or is somebody else's.

    """
    see_state_ours(path)
    private_folder(path)
    ignore = path / ".gitignore"
    with contextlib.suppress(OSError):  # a disk that is full keeps nobody from going back
        if not ignore.exists() or not ignore.stat().st_size:  # an empty one is what a full disk left once
            write_atomic(ignore, b"*\n", mode=0o600)
    return path


def is_canary(run: Run) -> bool:
    """Say whether a run began a canary that was not promoted."""
    edge = run.header.get("edge") or {}
    if edge.get("share_percent") is None:
        return False
    switched = {r.step for r in run.records if r.kind is Kind.INTENT and r.data.get("kind") == SWITCH}
    return not any(r.kind is Kind.DONE and r.step in switched for r in run.records)
