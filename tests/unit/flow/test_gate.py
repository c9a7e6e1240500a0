"""The gate between the steps of a canary."""

from __future__ import annotations

import pytest

from cutover.config import Canary
from cutover.edge.shape import Sample, Slot
from cutover.flow.gate import judged, seen

GATE = Canary(min_requests=10, max_error_rate=0.01, max_p95_ratio=1.5, p95_slack_s=0.01)


def samples(slot: Slot, elapsed_s: float, *, number: int = 100, errors: int = 0) -> list[Sample]:
    """Return so many answers of one colour."""
    return [Sample(6570, slot, elapsed_s, n < errors) for n in range(number)]


def test_p95_is_the_smallest_that_95_of_100_do_not_exceed() -> None:
    """By nearest rank."""
    found = seen([Sample(1, Slot.A, n / 100, error=False) for n in range(1, 101)])
    assert (found.requests, found.error_rate, found.p95_s) == (100, 0.0, 0.95)
    assert seen([]).p95_s is None


@pytest.mark.parametrize(
    ("green", "blue", "wrong"),
    [
        (samples(Slot.A, 0.1), samples(Slot.B, 0.14), ()),
        (samples(Slot.A, 0.001), samples(Slot.B, 0.010), ()),
        (samples(Slot.A, 0.1), samples(Slot.B, 0.16), ("p95 is 160.0 ms",)),
        (samples(Slot.A, 0.1), samples(Slot.B, 0.1, errors=2), ("2.00% of its answers are errors",)),
        (samples(Slot.A, 0.1, errors=5), samples(Slot.B, 0.1, errors=6), ()),
        ([], samples(Slot.B, 9.0), ()),
        (samples(Slot.A, 0.1), samples(Slot.B, 0.5, errors=50), ("50.00%", "p95")),
    ],
    ids=["as-good", "slower-by-noise", "slower", "errors", "green-errs-too", "green-was-not-asked", "both"],
)
def test_blue_is_held_against_green(green: list[Sample], blue: list[Sample], wrong: tuple[str, ...]) -> None:
    """By errors above green's, and by p95 as a multiple of green's."""
    found = judged(green + blue, Slot.A, GATE)
    assert found.enough
    assert len(found.wrong) == len(wrong)
    assert all(part in text for part, text in zip(wrong, found.wrong, strict=True))


def test_too_few_answers_decide_nothing() -> None:
    """However bad they are; the figures are told all the same."""
    found = judged(samples(Slot.A, 0.1) + samples(Slot.B, 9.0, number=9, errors=9), Slot.A, GATE)
    assert not found.enough
    assert found.wrong == ()
    assert found.evidence[1] == "blue: 9 answers, 100.00% errors, p95 9000.0 ms"
