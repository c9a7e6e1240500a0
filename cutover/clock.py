"""Time, injected: monotonic seconds for deadlines, wall time for records."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the flow needs of time."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def now(self) -> datetime:
        """Return the wall time, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the wall time, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Deadline:
    """A moment on the monotonic clock, `seconds` from its making."""

    def __init__(self, seconds: float, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.seconds = seconds
        self._end = self._clock.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Return the seconds that are left, never less than zero."""
        return max(0.0, self._end - self._clock.monotonic())

    @property
    def passed(self) -> bool:
        """Say whether the time is up."""
        return self.left_s <= 0.0


def seconds_since(clock: Clock, moment: str) -> float:
    """Return how many seconds ago an RFC 3339 text was, 0 where it says nothing."""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return 0.0
    return max(0.0, (clock.now() - then).total_seconds()) if then.year > 1 else 0.0
