"""SIGINT and SIGTERM turn a swap back; on the way back they are only answered with a word."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked the run to stop. `signal` is its name."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number).name
        super().__init__(self.signal)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted in the main thread when a signal arrives: once, for the second must not stop the way back."""
    heard = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        del frame
        if not heard:
            heard = True
            raise Interrupted(number)

    with _handled_by(interrupt):
        yield


@contextmanager
def deferred(tell: Callable[[], None]) -> Iterator[None]:
    """Answer signals with a word and go on."""

    def answer(number: int, frame: FrameType | None) -> None:
        del number, frame
        tell()

    with _handled_by(answer):
        yield


@contextmanager
def postponed() -> Iterator[None]:
    """Keep a signal until the end of the block: an Engine's or Compose's work that is cut off goes on by itself."""
    kept: list[tuple[int, FrameType | None]] = []
    before = {int(number): signal.getsignal(number) for number in CAUGHT}
    try:
        with _handled_by(lambda number, frame: kept.append((number, frame))):
            yield
    finally:
        for number, frame in kept[:1]:
            handler = before[number]
            if callable(handler):
                handler(number, frame)
            elif handler is signal.SIG_DFL:
                signal.raise_signal(number)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in CAUGHT}
    for number in CAUGHT:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
