"""Streams of bytes in stages, each in a thread of its own, with little memory between them.

Reading, hashing, compressing and writing let go of the interpreter while they work on a piece, so that the stages run
on as many processors. A stage is an iterator of pieces over another.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from time import monotonic

DEPTH = 4
"""Pieces of about a MiB that wait between two stages."""
TELL_EVERY_S = 0.1
Tell = Callable[[int, int | None], None]
"""Is told how many bytes are done, and of how many where that is known."""


def tell_nobody(done: int, total: int | None) -> None:
    """Tell nobody."""


class Tally:
    """The SHA-256 and the length of a stream that passes by; tells where it stands, ten times a second at most."""

    def __init__(self, tell: Tell = tell_nobody, total: int | None = None, *, hashing: bool = True) -> None:
        self._digest = sha256()
        self._hashing = hashing
        self._tell, self._total = tell, total
        self._told = 0.0
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of what passed, in hexadecimal."""
        return self._digest.hexdigest()

    def take(self, chunk: bytes) -> None:
        """Count a piece."""
        if self._hashing:
            self._digest.update(chunk)
        self.bytes += len(chunk)
        now = monotonic()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            self._tell(self.bytes, self._total)

    def end(self) -> None:
        """Tell the end."""
        self._tell(self.bytes, self._total)

    def over(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the pieces, counted."""
        for chunk in chunks:
            self.take(chunk)
            yield chunk


@contextmanager
def apart(chunks: Iterable[bytes], *, unblock: Callable[[], None] = lambda: None) -> Iterator[Iterator[bytes]]:
    """Have a stage run in a thread of its own, and give what it yields; what it raises is raised here.

    The thread has ended when this is left. Where that is before the stream's end `unblock` is called first: it has to
    make a read that waits return.
    """
    ready: queue.Queue[bytes | BaseException | None] = queue.Queue(DEPTH)
    left = threading.Event()

    def work() -> None:
        last: BaseException | None = None
        try:
            for chunk in chunks:
                _put(ready, chunk, left)
                if left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  (raised again by whoever reads)
            last = error
        _put(ready, last, left)

    thread = threading.Thread(target=work, name="cutover-stage", daemon=True)
    thread.start()
    try:
        yield _taken(ready)
    finally:
        left.set()
        if thread.is_alive():
            unblock()
        while thread.is_alive():
            _drain(ready)
            thread.join(0.01)


def _put(
    ready: queue.Queue[bytes | BaseException | None], item: bytes | BaseException | None, left: threading.Event
) -> None:
    while not left.is_set():
        with suppress(queue.Full):
            ready.put(item, timeout=1)
            return


def _drain(ready: queue.Queue[bytes | BaseException | None]) -> None:
    try:
        while True:
            ready.get_nowait()
    except queue.Empty:
        return


def _taken(ready: queue.Queue[bytes | BaseException | None]) -> Iterator[bytes]:
    while (item := ready.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item
