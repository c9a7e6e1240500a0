"""Accuracy ("blind evaluation"): questions whose right answer is known, and how often each colour gives it.

For each answer: *exact* (the same value), *similarity* (0 to 1, of texts; of other values 1 or 0), and *correct*: the
same, or a text at least as similar as `gate.similar`, or a number within `gate.tolerance`. An answer that did not come,
or is not at the path, scores nothing. Blue's regression is (green - blue) / green of the share that is correct.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cutover.config import Case, Gate
from cutover.model import Finding
from cutover.validate.parity.difference import SHOWN, value_text
from cutover.validate.parity.leaves import as_written, similarity, within
from cutover.validate.parity.values import ABSENT, kind_of, same
from cutover.validate.paths import find
from cutover.validate.results import error
from cutover.validate.talk import Response

NOTHING_MEASURED = "nothing-measured"


@dataclass(frozen=True, slots=True)
class Score:
    """How good one answer is."""

    exact: bool = False
    similarity: float = 0.0
    correct: bool = False


class Accuracy:
    """The scores of one colour, summed up."""

    def __init__(self) -> None:
        self.n = 0
        self._exact = 0
        self._similarity = 0.0
        self._correct = 0

    def add(self, score: Score) -> None:
        """Take one."""
        self.n += 1
        self._exact += score.exact
        self._similarity += score.similarity
        self._correct += score.correct

    def figures(self) -> dict[str, Any]:
        """Return n and the shares, exact and correct, with the mean similarity; None where nothing was scored."""
        if not self.n:
            return {"n": 0, "exact": None, "similarity": None, "correct": None}
        sums = {"exact": self._exact, "similarity": self._similarity, "correct": self._correct}
        return {"n": self.n, **{name: round(value / self.n, 6) for name, value in sums.items()}}


class Measured:
    """Whether there was anything to measure: what green's replies have where the answers should be."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._paths: dict[str, list[int]] = {}
        self._first: dict[str, Any] = {}
        self._wrong: tuple[str, ...] = ()

    def add(self, case: Case, response: Response, colour: str) -> None:
        """Take a reply to a case whose right answer is known; only green's counts."""
        if colour != "green" or not response.answered:
            return
        path = case.answer or self._gate.answer or "$"
        answer = answer_in(response, path)
        counts = self._paths.setdefault(path, [0, 0])
        counts[0] += 1
        counts[1] += answer is not ABSENT
        if answer is ABSENT:
            self._first.setdefault(path, value_text(response.value)[:SHOWN])
        elif not self._wrong and not score(case, response, self._gate).correct:
            self._wrong = tuple(f"{who} {value_text(v)[:SHOWN]}" for who, v in _both(case.expected, answer))

    def findings(self, reference: dict[str, Any], what: str) -> Iterator[Finding]:
        """Yield that the accuracy says nothing: no answer stands where it is looked for, or none is right."""
        empty = [(path, counts[0]) for path, counts in self._paths.items() if not counts[1]]
        for path, cases in empty:
            yield error(
                NOTHING_MEASURED,
                f"no reply of green has anything at {path}, where the answer should be ({_cases(cases)})",
                f"green: {self._first[path]}",
                cure="`answer:` of the case, or of the gate, is the JSONPath of the answer in the reply",
            )
        asked = sum(counts[0] for counts in self._paths.values())
        if asked and not empty and not reference["correct"]:
            yield error(
                NOTHING_MEASURED,
                f"{what} has the right answer to none of {_cases(asked)}: being no worse proves nothing",
                *self._wrong,
                cure="are `expected:` and `answer:` right? cutover parity --json shows each case",
            )


def _both(expected: Any, answer: Any) -> tuple[tuple[str, Any], ...]:
    return ("expected:", expected), ("green:", answer)


def _cases(number: int) -> str:
    return "1 case" if number == 1 else f"{number} cases"


def scored(case: Case) -> bool:
    """Say whether the right answer to a case is known."""
    return "expected" in case.model_fields_set


def score(case: Case, response: Response, gate: Gate) -> Score:
    """Return how good a reply's answer is; `gate` says where it stands and what counts as correct."""
    answer = answer_in(response, case.answer or gate.answer)
    if answer is ABSENT:
        return Score()
    exact = same(case.expected, answer)
    alike = 1.0 if exact else _alike(case.expected, answer)
    text = kind_of(answer) == "text" and kind_of(case.expected) == "text"
    near = (text and alike >= gate.similar) or _near(case.expected, answer, gate)
    return Score(exact, alike, exact or near)


def answer_in(response: Response, path: str | None) -> Any:
    """Return the answer in a reply: the first value at the path, the whole without one; ABSENT where there is none."""
    if not response.answered:
        return ABSENT
    if path is None:
        return response.value
    return next((value for _, value in find(response.value, path)), ABSENT)


def regression(reference: dict[str, Any], blue: dict[str, Any]) -> float | None:
    """Return how much less is correct, as a share of the reference; negative where blue is better."""
    before, after = reference["correct"], blue["correct"]
    if before is None or after is None:
        return None
    return round((before - after) / before, 6) if before else 0.0


def regressed(reference: dict[str, Any], blue: dict[str, Any], gate: Gate, what: str = "green") -> Finding | None:
    """Return that blue is less accurate than the gate allows; `what` is whose accuracy the reference is."""
    lost = regression(reference, blue)
    if lost is None or lost <= gate.regression:
        return None
    return error(
        "accuracy-regression",
        f"blue is less accurate: {blue['correct']:.1%} correct, {what} {reference['correct']:.1%}: {lost:.1%} less, "
        f"the gate allows {gate.regression:.1%}",
        f"{what}: {_line(reference)}",
        f"blue: {_line(blue)}",
        cure="look at the cases with `expected:` that blue gets wrong: cutover parity --json",
    )


def _alike(expected: Any, answer: Any) -> float:
    both = kind_of(expected) == kind_of(answer) == "text"
    return similarity(expected, answer) if both else 0.0


def _near(expected: Any, answer: Any, gate: Gate) -> bool:
    """Say whether a number is near enough; a text that is nothing but a number counts as one."""
    if kind_of(expected) != "number":
        return False
    try:
        right, given = as_written(expected), as_written(float(answer) if isinstance(answer, str) else answer)
    except (ValueError, TypeError, OverflowError):
        return False
    return kind_of(answer) != "boolean" and within(abs(given - right), right, gate.tolerance.abs, gate.tolerance.rel)


def _line(figures: dict[str, Any]) -> str:
    parts = (f"{name} {figures[name]:.3f}" for name in ("correct", "exact", "similarity"))
    return ", ".join([*parts, f"n {figures['n']}"])
