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
LOOK_EVERY_S = 0.2
"""How soon a stage that waits for another sees that all of it was stopped."""
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


_Ready = queue.Queue[bytes | BaseException | None]


@contextmanager
def apart(
    chunks: Iterable[bytes], *, stop: threading.Event | None = None, unblock: Callable[[], None] = lambda: None
) -> Iterator[Iterator[bytes]]:
    """Have a stage run in a thread of its own, and give what it yields; what it raises is raised here.

    The thread has ended when this is left. Stages over one another share `stop`: the first that is left, at the end of
    the stream or because of an error, stops them all. `unblock` has to make a read that waits return.
    """
    stop = stop or threading.Event()
    ready: _Ready = queue.Queue(DEPTH)
    thread = threading.Thread(target=_work, args=(chunks, ready, stop), name="cutover-stage", daemon=True)
    thread.start()
    try:
        yield _taken(ready, stop)
    finally:
        stop.set()
        if thread.is_alive():
            unblock()
        thread.join()


def _work(chunks: Iterable[bytes], ready: _Ready, stop: threading.Event) -> None:
    last: BaseException | None = None
    try:
        for chunk in chunks:
            _put(ready, chunk, stop)
            if stop.is_set():
                return
    except BaseException as error:  # noqa: BLE001  (raised again by whoever reads)
        last = error
    _put(ready, last, stop)


def _put(ready: _Ready, item: bytes | BaseException | None, stop: threading.Event) -> None:
    while not stop.is_set():
        with suppress(queue.Full):
            ready.put(item, timeout=LOOK_EVERY_S)
            return


def _taken(ready: _Ready, stop: threading.Event) -> Iterator[bytes]:
    while not stop.is_set():
        try:
            item = ready.get(timeout=LOOK_EVERY_S)
        except queue.Empty:
            continue
        if item is None:
            return
        if isinstance(item, BaseException):
            raise item
        yield item
