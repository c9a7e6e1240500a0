"""What came of the cases so far: bounded in memory, however many there are and however much differs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cutover.config import Case, Gate
from cutover.model import Finding, Severity
from cutover.validate.parity.accuracy import Accuracy, Measured, score, scored
from cutover.validate.parity.cures import cure_for
from cutover.validate.parity.difference import Difference
from cutover.validate.parity.latency import Latency
from cutover.validate.parity.replies import GREEN_FAILED, NOT_JUDGED, STACK_TRACE
from cutover.validate.parity.values import general_path
from cutover.validate.results import Check
from cutover.validate.talk import Response

PER_CASE = 20
"""Differences of one case that are kept."""
SHOWN_IN_FULL = 500
"""Differences of the whole run that are kept with both values; the others keep their name and path."""
MOST_GROUPS = 200
EXAMPLES = 3
ASKED_AGAIN = 5
"""Kinds of difference for which green's reply is kept, to be compared with what it says when it is asked again."""


@dataclass
class Group:
    """One kind of difference at one path: in how many cases, and the first of them, a case with what green said."""

    code: str
    path: str
    severity: Severity
    first: Difference
    case: Case
    said: Any
    cure: str | None = None
    cases: int = 0
    names: list[str] = field(default_factory=list)


class Tally:
    """Takes one pair of replies after the other; whoever calls it holds the lock."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.latency = {"green": Latency(), "blue": Latency()}
        self.accuracy = {"green": Accuracy(), "blue": Accuracy()}
        self.checks: dict[int, Check] = {}
        self.groups: dict[tuple[str, str, Severity], Group] = {}
        self.measured = Measured(gate)
        self.equal = self.different = self.leaked = 0
        self.failed = {GREEN_FAILED: 0, NOT_JUDGED: 0}
        self.compare_s = 0.0
        self._in_full = 0
        self.silent = {"green": 0, "blue": 0}
        self.unanswered: dict[str, tuple[Case, Response]] = {}
        self.gave_up = ""

    def add(
        self, number: int, name: str, case: Case, replies: tuple[Response, Response], found: tuple[Difference, ...]
    ) -> None:
        """Take what one case gave; `number` is its place among all."""
        green, blue = replies
        for colour, response in (("green", green), ("blue", blue)):
            self.silent[colour] = 0 if response.answered else self.silent[colour] + 1
            if not response.answered:
                self.unanswered.setdefault(colour, (case, response))
            else:
                self.latency[colour].add(response.elapsed_s)
            if scored(case):
                self.measured.add(case, response, colour)
                self.accuracy[colour].add(score(case, response, self._gate))
        self._count(found)
        self._group(name, case, green, found)
        detail = f"green {green.elapsed_s * 1000:.1f} ms, blue {blue.elapsed_s * 1000:.1f} ms"
        self.checks[number] = Check(name, green.elapsed_s + blue.elapsed_s, self._findings(found), detail)

    @property
    def done(self) -> int:
        """Return how many cases were asked."""
        return self.equal + self.different + self.unjudged

    @property
    def unjudged(self) -> int:
        """Return how many cases say nothing about blue, as there was nothing that it could be compared with."""
        return sum(self.failed.values())

    @property
    def judged(self) -> int:
        """Return how many cases green answered, so that blue could be compared."""
        return self.equal + self.different

    def _count(self, found: tuple[Difference, ...]) -> None:
        errors = {d.code for d in found if d.severity is Severity.ERROR}
        self.leaked += STACK_TRACE in errors
        unjudged = next((code for code in self.failed if code in errors), None)
        if unjudged:
            self.failed[unjudged] += 1
        elif errors:
            self.different += 1
        else:
            self.equal += 1

    def _group(self, name: str, case: Case, green: Response, found: tuple[Difference, ...]) -> None:
        firsts = {(d.code, general_path(d.path), d.severity): d for d in reversed(found)}
        for key, difference in reversed(firsts.items()):
            if key not in self.groups:
                if len(self.groups) >= MOST_GROUPS:
                    continue
                said = green.value if len(self.groups) < ASKED_AGAIN else None
                self.groups[key] = Group(*key, difference, case, said, cure_for(difference))
            group = self.groups[key]
            group.cases += 1
            if len(group.names) < EXAMPLES:
                group.names.append(name)

    def _findings(self, found: tuple[Difference, ...]) -> tuple[Finding, ...]:
        return tuple(self._finding(d) for d in found[:PER_CASE])

    def _finding(self, difference: Difference) -> Finding:
        message = f"{difference.path}: {difference.message}"
        if self._in_full >= SHOWN_IN_FULL:
            return Finding(difference.code, difference.severity, message)
        self._in_full += 1
        return Finding(difference.code, difference.severity, message, difference.lines(), cure_for(difference))
