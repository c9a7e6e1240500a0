"""How long answers took."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.config import Gate
from cutover.validate.parity.latency import Latency, percentile, slower


@pytest.mark.parametrize(
    ("count", "share", "rank"), [(100, 0.95, 95), (20, 0.95, 19), (10, 0.95, 10), (1, 0.5, 1), (3, 0.5, 2), (4, 0.5, 2)]
)
def test_a_percentile_is_the_nearest_rank(count: int, share: float, rank: int) -> None:
    """One that was measured."""
    assert percentile([float(n) for n in range(1, count + 1)], share) == rank


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_not_exceeded_by_its_share(seconds: list[float], share: float) -> None:
    """That is its definition."""
    ordered = sorted(seconds)
    found = percentile(ordered, share)
    assert found is not None
    assert sum(s <= found for s in ordered) >= share * len(ordered) - 1e-9


def measured(*seconds: float) -> dict[str, float]:
    """Return the figures of durations."""
    latency = Latency()
    for each in seconds:
        latency.add(each)
    return latency.figures()


def test_nothing_measured_is_nothing() -> None:
    """And nobody is slower."""
    assert measured() == {"n": 0, "p50_s": None, "p95_s": None, "p99_s": None, "max_s": None}
    assert slower(measured(), measured(1), Gate()) is None


@pytest.mark.parametrize(("blue_s", "fails"), [(0.25, False), (0.2501, True)])
def test_blue_may_be_as_slow_as_the_gate_says(blue_s: float, fails: bool) -> None:
    """Twice green's p95 and 50 ms, the end included."""
    finding = slower(measured(0.1), measured(blue_s), Gate())
    assert bool(finding) is fails
    if finding:
        assert finding.code == "slower"
        assert finding.message == "blue is slower: p95 250.1 ms, green 100.0 ms; the gate allows 250.0 ms"
