"""How long the legacy ports really were silent, measured by asking while they change hands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cutover.clock import Clock

INTERVAL_S = 0.03
AT_ONCE = 32
FIRST_ANSWER_S = 1.0


class StallMeter:
    """Asks at a fixed pace, each time in a thread of its own, and keeps the longest time between two good answers.

    The pace does not wait for answers: a question that hangs in the moment of the move does not hide those after it.
    """

    def __init__(self, question: Callable[[], bool], clock: Clock) -> None:
        self._question = question
        self._clock = clock
        self._lock = threading.Lock()
        self._free = threading.Semaphore(AT_ONCE)
        self._stop = threading.Event()
        self._answered = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_good: float | None = None
        self.longest_s: float | None = None

    def start(self) -> None:
        """Begin to ask; returns when the first good answer is in, or after a second without one."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._pace, name="stall-meter", daemon=True)
            self._thread.start()
            self._answered.wait(FIRST_ANSWER_S)

    def stop(self) -> None:
        """Ask no more; a silence that has not ended counts until now."""
        if self._thread is None or self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(timeout=10.0)
        with self._lock:
            self._measure(self._clock.monotonic())

    def _pace(self) -> None:
        with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="stall-meter") as pool:
            while not self._stop.wait(INTERVAL_S):
                if self._free.acquire(blocking=False):
                    pool.submit(self._ask)

    def _ask(self) -> None:
        try:
            good = self._question()
        finally:
            self._free.release()
        if good:
            with self._lock:
                self._measure(self._clock.monotonic())
            self._answered.set()

    def _measure(self, now: float) -> None:
        if self._last_good is not None:
            self.longest_s = max(self.longest_s or 0.0, now - self._last_good)
        self._last_good = max(now, self._last_good or now)
