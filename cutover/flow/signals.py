"""SIGINT and SIGTERM turn a swap back; on the way back they are only answered with a word."""

from __future__ import annotations

import gc
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_AGAIN_S = 0.2


class Interrupted(BaseException):
    """A signal asked the run to stop. `signal` is its name."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number).name
        super().__init__(self.signal)


class _Heard:
    """The signal that a block has heard, and whether the exception that told of it is still on its way.

    Python prints and drops an exception that is raised in a destructor, a weak reference's callback or a C library's:
    where the signal falls into one of these, the run would go on as if nobody had asked it to stop.
    """

    def __init__(self) -> None:
        self.answered = False
        self.over = threading.Event()
        self._number: int | None = None
        self._raised: weakref.ref[Interrupted] | None = None

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Raise Interrupted, unless one is on its way already or was answered."""
        del frame
        if self.answered or not self._lost(untold=True):
            return
        if self._number is None:
            self._number = number
            threading.Thread(target=self._see_to_it, daemon=True).start()
        raised = Interrupted(self._number)
        self._raised = weakref.ref(raised)
        try:
            raise raised
        finally:
            del raised  # its own traceback would keep it alive

    def _lost(self, *, untold: bool = False) -> bool:
        return untold if self._raised is None else self._raised() is None

    def _see_to_it(self) -> None:
        """Send the signal again, as often as its exception gets lost on the way."""
        main = threading.main_thread().ident
        while not self.over.wait(LOOK_AGAIN_S):
            gc.collect()
            if self._number is not None and main is not None and self._lost() and not self.answered:
                signal.pthread_kill(main, self._number)


_heard: list[_Heard] = []
"""What the blocks that are open now have heard, the innermost last. The main thread's alone."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted in the main thread when a signal arrives: once, for the second must not stop the way back."""
    heard = _Heard()
    with _handled_by(heard.interrupt):
        _heard.append(heard)
        try:
            yield
        finally:
            heard.answered = True
            heard.over.set()
            _heard.remove(heard)


@contextmanager
def deferred(tell: Callable[[], None]) -> Iterator[None]:
    """Answer signals with a word and go on."""

    def answer(number: int, frame: FrameType | None) -> None:
        del number, frame
        tell()

    with _handled_by(answer):
        if threading.current_thread() is threading.main_thread():
            for heard in _heard:
                heard.answered = True
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
