"""A stream in pieces as a file."""

from __future__ import annotations

import io
from collections.abc import Iterator


class Chunks(io.RawIOBase):
    """A stream in pieces as a file that can be read once, forwards; `keep` has `passed` give what was read again."""

    def __init__(self, chunks: Iterator[bytes], *, keep: bool = False) -> None:
        super().__init__()
        self._chunks = chunks
        self._keep = keep
        self._kept: list[memoryview] = []
        self._left = memoryview(b"")
        self._at = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def tell(self) -> int:
        """Return how many bytes were passed."""
        return self._at

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        """Pass over what lies before `position`; less where the stream ends before."""
        assert whence == io.SEEK_SET
        if position < self._at:
            raise io.UnsupportedOperation("the stream goes forwards only")
        while self._at < position and self._refill():
            self._take(position - self._at)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer at the end; all that is left where `size` is negative."""
        if 0 <= size <= len(self._left):
            return bytes(self._take(size))
        found = []
        while size and self._refill():
            found.append(bytes(self._take(size if size > 0 else len(self._left))))
            size -= len(found[-1]) if size > 0 else 0
        return b"".join(found)

    def blocks(self) -> Iterator[memoryview]:
        """Yield what is left."""
        while self._refill():
            yield self._take(len(self._left))

    def passed(self, position: int) -> Iterator[memoryview]:
        """Yield what was read or passed over since this was called last, and then what comes before `position`."""
        kept, self._kept = self._kept, []
        yield from kept
        while self._at < position and self._refill():
            self._take(position - self._at)
            yield self._kept.pop()

    def _refill(self) -> bool:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._left = memoryview(chunk)
        return True

    def _take(self, size: int) -> memoryview:
        taken, self._left = self._left[:size], self._left[size:]
        self._at += len(taken)
        if self._keep:
            self._kept.append(taken)
        return taken
