"""Gather what each source says about green and blue, and compare."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

from cutover.config import Errors, Surface
from cutover.errors import UsageError
from cutover.events import Observer, Progress
from cutover.model import Colour, Finding, Severity
from cutover.validate.judge import Judge
from cutover.validate.results import Check, Verdict, error, warning
from cutover.validate.surface.ask import Answers, ask_for, can_ask
from cutover.validate.surface.compare import Row, Standing, compared, names_of
from cutover.validate.surface.evidence import Evidence, Side, State
from cutover.validate.surface.openapi import openapi_routes
from cutover.validate.surface.recorded import recorded_methods
from cutover.validate.surface.source import Reading, Wanted, read_source
from cutover.validate.talk import Address

Addresses = Mapping[int, Address]
_SKIPPED_SHOWN = 20


@dataclass
class _Gathered:
    """What is known of one colour while it is being gathered, and what was found wrong on the way."""

    colour: Colour
    addresses: Addresses | None
    reading: Reading | None
    listed: dict[str, str] = field(default_factory=dict)
    recorded: frozenset[str] = frozenset()
    answers: Answers = field(default_factory=Answers)
    findings: list[Finding] = field(default_factory=list)

    def side(self) -> Side:
        """Return it as a value."""
        listed = {**self.answers.listed, **self.listed}
        answers = self.answers
        return Side(
            colour=str(self.colour),
            reading=self.reading,
            asked=answers.asked,
            listed=listed,
            recorded=self.recorded,
            reached=answers.reached,
            has_openapi=bool(self.listed),
            lists_all=answers.lists_all,
        )


def run_surface(  # noqa: PLR0917
    surface: Surface,
    folder: Path,
    green: Addresses | None,
    blue: Addresses | None,
    errors: Errors,
    observer: Observer,
) -> Verdict:
    """Return which methods blue lacks, from every source that there is: a check for each method.

    `folder` is what the paths of sources and recordings are relative to; a side whose addresses are None is not asked.

    Raises:
        UsageError: there is nothing to compare, a source or recording is not there, or the question cannot be sent.

    """
    _require(surface, green, blue)
    ours = _Gathered(Colour.GREEN, green, _reading(surface.green_source, folder, surface))
    theirs = _Gathered(Colour.BLUE, blue, _reading(surface.blue_source, folder, surface))
    ours.recorded, about_recordings = recorded_methods(surface.recordings, folder, surface.keys)
    for side in (ours, theirs):
        _read_openapi(side, surface)
    _ask_both(ours, theirs, surface, Judge(errors), observer)
    rows = compared(ours.side(), theirs.side(), surface.ignore)
    about_recordings += _about_named(surface.methods, {r.name for r in rows})
    findings = [*about_recordings, *_about(ours), *_about(theirs), *_about_rows(rows)]
    return Verdict("surface", "", "blue", tuple(map(_check, rows)), _figures(rows, ours, theirs), tuple(findings))


def _require(surface: Surface, green: Addresses | None, blue: Addresses | None) -> None:
    asks = can_ask(surface) or surface.openapi is not None or surface.http is not None
    has_green = bool(surface.green_source or surface.recordings or (green is not None and asks))
    has_blue = bool(surface.blue_source or (blue is not None and asks))
    if has_green and has_blue:
        return
    lacking = " and ".join(name for name, has in (("green", has_green), ("blue", has_blue)) if not has)
    raise UsageError(
        "nothing-to-compare",
        f"Nothing says which methods {lacking} has.",
        evidence=['surface: {to: "zmq://:5570", request: {method: "{method}"}} in cutover.yaml has both asked'],
        hint="or read the sources: cutover surface --green-source DIR --blue-source DIR",
    )


def _reading(sources: tuple[str, ...], folder: Path, surface: Surface) -> Reading | None:
    if not sources:
        return None
    paths = [folder / s for s in sources]
    for path in paths:
        if not path.exists():
            raise UsageError("no-such-source", f"There is no source {path}.", hint="a Python file or folder")
    return read_source(paths, Wanted(surface.keys, surface.classes), relative_to=folder)


def _read_openapi(side: _Gathered, surface: Surface) -> None:
    if surface.openapi is None or side.addresses is None:
        return
    side.listed, wrong = openapi_routes(surface.openapi, side.addresses, verify=surface.verify)
    if wrong:
        side.findings.append(warning("no-openapi", f"{side.colour}: {wrong}"))


def _ask_both(ours: _Gathered, theirs: _Gathered, surface: Surface, judge: Judge, observer: Observer) -> None:
    """Ask both colours at once, and then each for what only the other one lists."""
    for _ in range(2):
        names = list(dict.fromkeys([*surface.methods, *names_of((ours.side(), theirs.side()))]))
        todo = {
            side.colour: [n for n in names if n not in side.answers.asked] for side in (ours, theirs) if side.addresses
        }
        count = _Count(observer, sum(map(len, todo.values())))
        with ThreadPoolExecutor(max_workers=2) as pool:
            jobs = [
                (side, pool.submit(ask_for, todo[side.colour], surface, side.addresses, judge, tell=count.one))
                for side in (ours, theirs)
                if side.addresses and (todo[side.colour] or not side.answers.asked)
            ]
            for side, job in jobs:
                side.answers = _merged(side.answers, job.result())


def _merged(before: Answers, after: Answers) -> Answers:
    return replace(
        after,
        asked={**after.asked, **before.asked},
        listed={**before.listed, **after.listed},
        reached=before.reached or after.reached,
        trouble=before.trouble or after.trouble,
        lists_all=before.lists_all and after.lists_all,
    )


class _Count:
    """Tells how many were asked, from two threads."""

    def __init__(self, observer: Observer, total: int) -> None:
        self._observer, self._total, self._done, self._lock = observer, total, 0, Lock()

    def one(self) -> None:
        """Count one more."""
        with self._lock:
            self._done += 1
            self._observer.tell(Progress("surface", self._done, max(self._total, self._done)))


def _about_named(methods: tuple[str, ...], found: set[str]) -> list[Finding]:
    nobodys = [m for m in methods if m not in found]
    told = f"Neither green nor blue has what `methods:` names: {', '.join(nobodys)}."
    return [warning("unknown-to-both", told)] if nobodys else []


def _about(side: _Gathered) -> list[Finding]:
    found = [*side.findings, *_about_asking(side)]
    if side.answers.trouble:
        make = error if side.answers.trouble.startswith("does not answer") else warning
        found.append(make("cannot-ask", f"{side.colour} {side.answers.trouble}."))
    unread = (
        [s for s in side.reading.skipped if s.reason not in {"tests", "a test", "not the service's own source"}]
        if (side.reading)
        else []
    )
    if unread:
        lines = [f"{s.file}: {s.reason}" for s in unread[:_SKIPPED_SHOWN]]
        found.append(warning("source-not-read", f"{side.colour}: {len(unread)} files or names were left out", *lines))
    if side.reading is not None and not side.reading.files:
        found.append(error("no-source", f"{side.colour}: no Python file could be read in its source."))
    return found


def _about_asking(side: _Gathered) -> list[Finding]:
    """Say which methods were not asked for, and why."""
    unasked = [f"{name}: {a.told}" for name, a in side.answers.asked.items() if a.state is State.UNASKED]
    told = f"{side.colour} was not asked for {len(unasked)} methods."
    return [Finding("not-asked", Severity.INFO, told, tuple(unasked))] if unasked else []


def _about_rows(rows: tuple[Row, ...]) -> list[Finding]:
    untold = [r for r in rows if r.standing is Standing.UNTOLD]
    if not any(r.standing is not Standing.UNTOLD for r in rows):
        message = "No method of green could be compared." if untold else "No method was found at all."
        return [error("no-methods", message, cure="name some under `methods:` of `surface:`, or a source")]
    if not untold:
        return []
    lines = [f"{r.name}: {r.why}" for r in untold]
    return [Finding("untold-methods", Severity.INFO, f"{len(untold)} methods could not be compared", tuple(lines))]


def _check(row: Row) -> Check:
    skipped = row.why if row.standing is Standing.UNTOLD else "ignored" if row.standing is Standing.IGNORED else ""
    seconds = row.green.asked.seconds + row.blue.asked.seconds
    detail = f"{row.standing}; green: {_said(row.green)}; blue: {_said(row.blue)}"
    return Check(row.name, seconds, row.findings, detail, skipped)


def _said(evidence: Evidence) -> str:
    """Return who says that it is there, or that it is not."""
    who = ", ".join(evidence.sources)
    if not evidence.present:
        return f"not there ({who or 'source'})"
    return who or "nothing"


def _figures(rows: tuple[Row, ...], ours: _Gathered, theirs: _Gathered) -> dict[str, Any]:
    return {
        **{str(s).replace(" ", "_"): sum(r.standing is s for r in rows) for s in Standing},
        "sources": {str(side.colour): _sources(side) for side in (ours, theirs)},
        "methods": [
            {
                "name": r.name,
                "standing": str(r.standing),
                "near": r.near or None,
                "green": _evidence_dict(r.green),
                "blue": _evidence_dict(r.blue),
            }
            for r in rows
        ],
    }


def _sources(side: _Gathered) -> dict[str, Any]:
    return {
        "asked": sum(a.state is not State.UNASKED for a in side.answers.asked.values()),
        "listed": len({**side.listed, **side.answers.listed}),
        "recorded": len(side.recorded),
        "source_files": side.reading.files if side.reading else 0,
        "source_methods": len(side.reading.named()) if side.reading else 0,
        "source_skipped": len(side.reading.skipped) if side.reading else 0,
    }


def _evidence_dict(evidence: Evidence) -> dict[str, Any]:
    return {
        "present": evidence.present,
        "sure": evidence.sure,
        "stubbed": evidence.stub or None,
        "sources": list(evidence.sources),
        "asked": {"state": str(evidence.asked.state), "told": evidence.asked.told},
        "places": [{"file": m.file, "line": m.line, "how": str(m.how), "stubbed": m.stubbed} for m in evidence.places],
    }
