"""Deadlines on a clock that the test moves."""

from __future__ import annotations

from datetime import UTC

from cutover.clock import Deadline, SystemClock
from tests.unit.flow.world import FakeClock


def test_a_deadline_runs_down_and_stays_at_zero() -> None:
    """Never less."""
    clock = FakeClock()
    deadline = Deadline(2.0, clock)
    assert (deadline.left_s, deadline.passed) == (2.0, False)
    clock.sleep(1.5)
    assert (deadline.left_s, deadline.passed) == (0.5, False)
    clock.sleep(5.0)
    assert (deadline.left_s, deadline.passed) == (0.0, True)


def test_no_time_at_all_is_over_at_once() -> None:
    """Zero seconds from now is now."""
    assert Deadline(0.0, FakeClock()).passed


def test_the_systems_clock_tells_utc_and_never_goes_back() -> None:
    """Records are compared between machines, deadlines within one."""
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
