"""How long the legacy ports really were silent, measured by asking while they change hands."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cutover.clock import Clock

INTERVAL_S = 0.01


class StallMeter:
    """Asks a question over and over in a thread of its own, and keeps the longest time between two good answers."""

    def __init__(self, question: Callable[[], bool], clock: Clock) -> None:
        self._question = question
        self._clock = clock
        self._stop = threading.Event()
        self._answered = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_good: float | None = None
        self.longest_s: float | None = None

    def start(self) -> None:
        """Begin to ask; returns when the first good answer is in, or after a second without one."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._ask, name="stall-meter", daemon=True)
            self._thread.start()
            self._answered.wait(1.0)

    def stop(self) -> None:
        """Ask no more; a silence that has not ended counts until now."""
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join(timeout=10.0)
        self._take(self._clock.monotonic(), good=False)

    def _ask(self) -> None:
        while not self._stop.is_set():
            good = self._question()
            self._take(self._clock.monotonic(), good=good)
            if good:
                self._answered.set()
            self._stop.wait(INTERVAL_S)

    def _take(self, now: float, *, good: bool) -> None:
        if self._last_good is not None:
            self.longest_s = max(self.longest_s or 0.0, now - self._last_good)
        if good:
            self._last_good = now
