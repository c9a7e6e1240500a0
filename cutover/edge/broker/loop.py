"""One thread that waits on everything: descriptors (ZeroMQ's too), timers, and what other threads hand in.

`select.epoll` and not `zmq_poll`: a broker before a ROUTER has a socket per client, and zmq_poll looks at each.
A ZeroMQ descriptor tells only that something changed; a handler has to look until nothing is left, and says True
where it stopped before that.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import select
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable

Handler = Callable[[], object]
"""Returns True where it wants to be called again before the loop sleeps."""


class Timer:
    """A call to come; `cancel` forgets it."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Have it not be called."""
        self.call = None


class Loop:
    """Calls handlers when their descriptor is ready, and timers when they are due, in one thread."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._again: dict[Handler, None] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._handed: deque[Callable[[], object]] = deque()
        self._bell, self._ring = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._running = True
        self.watch(self._bell, self._take_handed)

    def watch(self, descriptor: int, handler: Handler, *, write: bool = False) -> None:
        """Call a handler while a descriptor can be read (or written)."""
        events = select.EPOLLIN | (select.EPOLLOUT if write else 0)
        if descriptor in self._handlers:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
        self._handlers[descriptor] = handler

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no more; before it is closed."""
        if self._handlers.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(descriptor)

    def soon(self, handler: Handler) -> None:
        """Call a handler before the loop sleeps, and again while it returns True."""
        self._again[handler] = None

    def after(self, delay_s: float, call: Callable[[], object]) -> Timer:
        """Call once after a while."""
        timer = Timer(call)
        heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._numbers), timer))
        return timer

    def every(self, period_s: float, call: Callable[[], object]) -> None:
        """Call again and again, for good."""

        def beat() -> None:
            self.after(period_s, beat)
            call()

        self.after(period_s, beat)

    def hand_in(self, call: Callable[[], object]) -> None:
        """Have the loop's thread call this; from any thread or signal handler."""
        self._handed.append(call)
        with contextlib.suppress(OSError):  # the pipe is full, so it will wake, or the loop is closed
            os.write(self._ring, b"!")

    def stop(self) -> None:
        """Have `run` return; from any thread or signal handler."""
        self._running = False
        self.hand_in(lambda: None)

    def run(self) -> None:
        """Work until somebody stops it."""
        poll, handlers = self._epoll.poll, self._handlers
        while self._running:
            last: Handler | None = None
            for descriptor, _ in poll(self._patience()):
                handler = handlers.get(descriptor)
                if handler is None or handler == last:  # both sockets of a port lead to the same one
                    continue
                last = handler
                if self._call(handler):
                    self._again[handler] = None
            if self._again:
                again, self._again = self._again, {}
                for handler in again:
                    if self._call(handler):
                        self._again[handler] = None
            if self._timers:
                self._run_timers()

    def close(self) -> None:
        """Let go of its descriptors."""
        self._epoll.close()
        os.close(self._bell)
        os.close(self._ring)

    def _patience(self) -> float:
        if self._again:
            return 0
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else -1

    def _run_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.call is not None:
                self._call(timer.call)

    def _take_handed(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell, 4096)
        while self._handed:
            self._call(self._handed.popleft())

    @staticmethod
    def _call(handler: Handler) -> bool:
        """Survive what one handler did not foresee: an edge that dies takes every port with it."""
        try:
            return handler() is True
        except Exception as error:  # noqa: BLE001
            at = traceback.extract_tb(error.__traceback__)[-1]
            log(f"defect: {type(error).__name__} at {os.path.basename(at.filename)}:{at.lineno}")  # noqa: PTH119
            return False


def log(text: str) -> None:
    """Say something on stderr; never what a message holds."""
    sys.stderr.write(f"broker: {text}\n")
    sys.stderr.flush()
