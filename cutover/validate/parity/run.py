"""Asks both colours every case, compares as the replies come, and keeps no reply."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cutover.config import Case, Errors, Parity, Rule
from cutover.errors import RefusedError, UsageError
from cutover.events import Observer, Progress, Silence
from cutover.model import Finding, Severity
from cutover.validate.judge import Judge
from cutover.validate.parity.asking import Addresses, Pair
from cutover.validate.parity.baseline import fingerprint
from cutover.validate.parity.compare import compare
from cutover.validate.parity.cures import unsteady
from cutover.validate.parity.gate import Baseline, verdict_of
from cutover.validate.parity.replies import compare_replies
from cutover.validate.parity.tally import Tally
from cutover.validate.parity.values import general_path
from cutover.validate.results import Check, Verdict
from cutover.validate.talk import Line, question_of
from cutover.validate.talk.line import Explain

GIVE_UP = 10
"""Cases in a row without any answer of one colour, each worker counted, after which it is not asked any more."""
TELL_EVERY_S = 0.1
PATIENCE_S = 0.3
TITLE = "parity"

Task = tuple[int, int, int]
"""Its turn, the index of its case, which repetition it is."""


def run_parity(  # noqa: PLR0917  (in the order in which one says it)
    cases: Sequence[Case],
    green: Addresses,
    blue: Addresses,
    parity: Parity,
    errors: Errors,
    observer: Observer | None = None,
    *,
    baseline: Baseline | None = None,
    explain: Explain | None = None,
) -> Verdict:
    """Ask both colours every case, shuffled by the seed, and say whether blue answers as green does.

    `green` and `blue` say where each answers for a legacy port; `parity` holds rules, gate, order and workers. A case
    that depends on what another one did is the user's to avoid: the order is shuffled. `explain` says why a colour did
    not answer, of the first question that each was asked in vain.

    Raises:
        UsageError: there are no cases, or a case's port leads nowhere.
        RefusedError: both are the same address.

    """
    refuse_senseless(cases, green, blue)
    run = _Run(cases, (green, blue), parity, errors, observer or Silence())
    began = time.perf_counter()
    run.to_the_end()
    seconds = time.perf_counter() - began
    run.ask_green_again()
    figures: dict[str, Any] = {
        "cases": len(cases),
        "asked": run.tally.done,
        "seed": parity.seed,
        "mode": str(parity.mode),
        "workers": parity.workers,
        "seconds": round(seconds, 6),
        "pairs_per_s": round(run.tally.done / seconds, 1),
        "compare_s": round(run.tally.compare_s, 6),
        "baseline_of_other_cases": baseline is not None and baseline.get("cases") != fingerprint(cases),
    }
    run.skip_the_rest()
    verdict = verdict_of(run.tally, parity, figures, baseline)
    return replace(verdict, findings=(*verdict.findings, *run.explained(explain))) if explain else verdict


def refuse_senseless(cases: Sequence[Case], green: Addresses, blue: Addresses) -> None:
    """Refuse a comparison that would prove nothing.

    Raises:
        UsageError: there are no cases, or a case's port leads nowhere.
        RefusedError: both colours answer at the same address for a port that is asked.

    """
    if not cases:
        raise UsageError("no-cases", "There are no cases: nothing to ask green and blue.", hint=EXAMPLE)
    one, other = Line(green), Line(blue)
    for case in cases:
        question = question_of(case)
        try:
            here, there = one.address_of(question), other.address_of(question)
        except UsageError as error:
            told = f"case {case.name}: {error.message}"
            raise UsageError(error.reference, told, evidence=error.evidence, hint=error.hint) from error
        if here == there:
            raise RefusedError(
                "same-address",
                "Green and blue are the same: comparing green with itself proves nothing.",
                evidence=[f"port {question.port} of both is answered at {here}"],
                hint="cutover up starts blue as a test stack, then: cutover parity --blue-on test",
            )


EXAMPLE = """write some in cutover.yaml, or record them (cutover record):
parity:
  to: zmq://:5570
  cases:
    - {request: {method: health_check}}
    - {request: {method: generate_text, params: {prompt: "The harbour ", seed: 1}}, repeat: 3}
  rules:
    - {path: $.service, rule: ignore}"""


class _Run:
    """One run: workers that take tasks from one list, and one tally."""

    def __init__(
        self,
        cases: Sequence[Case],
        colours: tuple[Addresses, Addresses],
        parity: Parity,
        errors: Errors,
        observer: Observer,
    ) -> None:
        self._cases = cases
        self._colours = colours
        self._parity = parity
        self._judge = Judge(errors)
        self._observer = observer
        self._lock = threading.Lock()
        self._tasks = list(shuffled(cases, parity.seed))
        self._next: Iterator[Task] = iter(self._tasks)
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._told = 0.0
        self.tally = Tally(parity.gate)

    def to_the_end(self) -> None:
        """Work until every case was asked, or one colour has fallen silent."""
        count = min(self._parity.workers, len(self._tasks))
        workers = [threading.Thread(target=self._work, name=f"parity-{n}", daemon=True) for n in range(count)]
        self._tell(force=True)
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                worker.join()
        finally:
            self._stop.set()
            for worker in workers:  # an interrupted run does not wait for the time limit of what is under way
                worker.join(PATIENCE_S)
        if self._failure:
            raise self._failure
        self._tell(force=True)

    def ask_green_again(self) -> None:
        """Find what green itself does not answer twice alike: a clock, a counter, chance; none of blue's faults."""
        doubted = [g for g in self.tally.groups.values() if g.said is not None and g.cure and not self.tally.gave_up]
        with Line(self._colours[0]) as line:
            for group in doubted:
                again = line.ask(question_of(group.case))
                found = compare(group.said, again.value, self._rules(group.case)) if again.answered else ()
                if any(general_path(d.path) == group.path for d in found):
                    group.cure = unsteady(group.first)

    def explained(self, explain: Explain) -> Iterator[Finding]:
        """Yield why a colour did not answer the first question that it was asked in vain."""
        for number, colour in enumerate(("green", "blue")):
            if colour in self.tally.unanswered:
                case, response = self.tally.unanswered[colour]
                question = question_of(case)
                for told in explain(question, Line(self._colours[number]).address_of(question), response):
                    yield Finding("explained", Severity.INFO, f"{colour} does not answer {case.name}: {told}")

    def skip_the_rest(self) -> None:
        """Note the cases that were not asked because a colour has fallen silent."""
        for _, index, repetition in self._tasks if self.tally.gave_up else ():
            number = self._number(index, repetition)
            if number not in self.tally.checks:
                self.tally.checks[number] = Check(self._name(index, repetition), skipped=self.tally.gave_up)

    def _work(self) -> None:
        try:
            with Pair(*self._colours, self._parity.mode) as pair:
                while not self._stop.is_set():
                    with self._lock:
                        task = next(self._next, None)
                    if task is None:
                        return
                    self._do(pair, task)
        except BaseException as failure:  # noqa: BLE001  (raised again in the thread that waits)
            self._failure = self._failure or failure
            self._stop.set()

    def _do(self, pair: Pair, task: Task) -> None:
        turn, index, repetition = task
        case = self._cases[index]
        question = question_of(case)
        replies = pair.ask(question, turn)
        began = time.perf_counter()
        found = compare_replies(
            *replies, self._rules(case), self._judge, own=pair.own(question), warn=self._parity.warn
        )
        took_s = time.perf_counter() - began
        with self._lock:
            self.tally.compare_s += took_s
            self.tally.add(self._number(index, repetition), self._name(index, repetition), case, replies, found)
            self._give_up()
            self._tell()

    def _rules(self, case: Case) -> tuple[Rule, ...]:
        return (*self._parity.rules, *case.rules)

    def _give_up(self) -> None:
        for colour, times in self.tally.silent.items():
            if times >= GIVE_UP * self._parity.workers:
                self.tally.gave_up = f"{colour} did not answer {times} times in a row"
                self._stop.set()

    def _name(self, index: int, repetition: int) -> str:
        case = self._cases[index]
        return f"{case.name} ({repetition + 1} of {case.repeat})" if case.repeat > 1 else str(case.name)

    def _number(self, index: int, repetition: int) -> int:
        """Return a number that sorts tasks as the cases are written."""
        return index << 32 | repetition

    def _tell(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._told >= TELL_EVERY_S:
            self._told = now
            failed = self.tally.different + self.tally.unjudged
            self._observer.tell(Progress(TITLE, self.tally.done, len(self._tasks), failed))


def shuffled(cases: Sequence[Case], seed: int) -> Iterator[Task]:
    """Yield every repetition of every case, in the order that the seed gives."""
    tasks = [(index, repetition) for index, case in enumerate(cases) for repetition in range(case.repeat)]
    random.Random(seed).shuffle(tasks)  # noqa: S311  (an order that can be repeated, not a secret)
    yield from ((turn, *task) for turn, task in enumerate(tasks))
