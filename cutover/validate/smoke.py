"""A suite, run against one colour: its steps in their order, each a check of the verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cutover.clock import Clock, SystemClock
from cutover.config import Step, Suite
from cutover.errors import CutoverError, UsageError
from cutover.events import Observer, Progress
from cutover.model import Finding
from cutover.validate import expectations
from cutover.validate.judge import Judge
from cutover.validate.paths import find
from cutover.validate.results import Check, Verdict, error
from cutover.validate.shown import body
from cutover.validate.substitute import with_saved
from cutover.validate.talk import Line, Response, question_of, title_of


def run_suite(  # noqa: PLR0917  (in the order in which one says it)
    name: str,
    suite: Suite,
    line: Line,
    judge: Judge,
    subject: str,
    observer: Observer,
    *,
    clock: Clock | None = None,
) -> Verdict:
    """Ask every step of a suite over `line`, and say what was wrong; `subject` is what is asked, in words.

    A step that needs what a failed step should have saved is skipped; all others go on.

    Raises:
        UsageError: the suite cannot be run at all: a port leads nowhere, a request cannot be sent, it has no steps.

    """
    steps = suite.complete()
    _check(name, steps, line)
    run = _Run(line, judge, clock or SystemClock())
    checks: list[Check] = []
    title = f"{name} on {subject}"
    observer.tell(Progress(title, 0, len(steps)))
    for number, step in enumerate(steps, start=1):
        checks.append(run.check(number, step))
        observer.tell(Progress(title, number, len(steps), sum(not c.passed for c in checks)))
    figures = {
        "steps": len(checks),
        "failed": sum(not c.passed for c in checks),
        "skipped": sum(bool(c.skipped) for c in checks),
        "seconds": round(sum(c.seconds for c in checks), 6),
    }
    return Verdict("smoke", name, subject, tuple(checks), figures)


def check_suites(suites: Mapping[str, Suite], line: Line) -> None:
    """Refuse suites of which one cannot be run, before anything of the others is asked.

    Raises:
        UsageError: as `run_suite` has it.

    """
    for name, suite in suites.items():
        _check(name, suite.complete(), line)


def _check(name: str, steps: tuple[Step, ...], line: Line) -> None:
    """Refuse a suite that cannot be run before any of it has been asked."""
    if not steps:
        raise UsageError("no-steps", f"Suite {name} has no steps.", hint="cutover schema suite")
    for number, step in enumerate(steps, start=1):
        try:
            line.prepare(question_of(step))
        except UsageError as problem:
            told = f"suite {name}, step {number} ({title_of(step, number)}): {problem.message}"
            raise UsageError(problem.reference, told, evidence=problem.evidence, hint=problem.hint) from problem


@dataclass
class _Run:
    """What one run of a suite remembers: the values that were saved, and the names that could not be."""

    line: Line
    judge: Judge
    clock: Clock
    saved: dict[str, Any] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    def check(self, number: int, step: Step) -> Check:
        """Take one step."""
        title = title_of(step, number)
        lost = sorted(step.names() & self.lost.keys())
        if lost:
            self._lose(step, title)
            return Check(title, skipped=f"needs {', '.join(f'${{{n}}} of {self.lost[n]}' for n in lost)}")
        started = time.perf_counter()
        found, detail = self._try(step)
        if any(f.severity == "error" for f in found):
            self._lose(step, title)
        named = tuple(replace(f, message=f"step {number} ({title}): {f.message}") for f in found)
        return Check(title, time.perf_counter() - started, named, detail)

    def _try(self, step: Step) -> tuple[list[Finding], str]:
        try:
            filled = with_saved(step, self.saved)
            question = question_of(filled)
            asked = f"asked {question.kind}://{self.line.address_of(question)}"
        except KeyError as missing:
            known = f"saved so far: {', '.join(self.saved) or 'nothing'}"
            return [error("unknown-name", f"nothing is saved as {missing}", known, cure="$${ stands for ${")], ""
        except CutoverError as problem:
            return [error(problem.reference, problem.message, *problem.evidence, cure=problem.hint)], ""
        except ValueError as problem:
            return [error("bad-value", f"it makes no sense with what was saved: {_first_line(problem)}")], ""
        for attempt in range(1, step.retry.times + 2):
            response = self.line.ask(question)
            found = self._judged(filled, response)
            if not found or attempt > step.retry.times:
                break
            self.clock.sleep(step.retry.every_s)
        where = () if response.answered else (asked, *self.line.why(question, response))
        return [replace(f, evidence=(*where, *f.evidence)) for f in found], _detail(response, attempt)

    def _judged(self, step: Step, response: Response) -> list[Finding]:
        try:
            found = expectations.findings(step.expect, response, self.judge)
            return found or list(self._save(step.save, response))
        except UsageError as problem:
            return [error(problem.reference, problem.message, cure=problem.hint)]

    def _save(self, wanted: Mapping[str, str], response: Response) -> list[Finding]:
        found = {name: find(response.value, path) for name, path in wanted.items()}
        missing = [name for name, places in found.items() if not places]
        if not missing:
            self.saved.update({name: places[0][1] for name, places in found.items()})
            for name in wanted:
                self.lost.pop(name, None)
        told = "{}: nothing there to save as `{}`"
        return [error("nothing-to-save", told.format(wanted[name], name), body(response)) for name in missing]

    def _lose(self, step: Step, title: str) -> None:
        for name in step.save:
            self.lost[name] = title
            self.saved.pop(name, None)


def _detail(response: Response, attempts: int) -> str:
    parts = [f"HTTP {response.code}" if response.code else str(response.kind), f"{response.elapsed_s * 1000:.1f} ms"]
    return ", ".join([*parts, *([f"asked {attempts} times"] if attempts > 1 else [])])


def _first_line(problem: ValueError) -> str:
    told = getattr(problem, "errors", None)
    return str(told()[0]["msg"]) if callable(told) else str(problem).partition("\n")[0]
