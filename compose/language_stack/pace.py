"""A bounded, steady rate."""

from __future__ import annotations

import time
from collections.abc import Iterator


def ticks(rate: float) -> Iterator[int]:
    """Yield 0, 1, 2 ... at most `rate` times a second; what was missed is not made up for."""
    due = time.monotonic()
    number = 0
    while True:
        yield number
        number += 1
        due = max(due + 1 / rate, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
