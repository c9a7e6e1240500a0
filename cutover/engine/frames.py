"""The frames in which the Engine sends standard output and error over one connection."""

from __future__ import annotations

import struct
from collections.abc import Iterator

STDOUT = 1
HEAD = struct.Struct(">BxxxL")


class Frames:
    """Takes frames apart, however they arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def taken(self, received: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the frames that are whole now: the stream's number and its bytes."""
        self._buffer += received
        at = 0
        while len(self._buffer) - at >= HEAD.size:
            stream, length = HEAD.unpack_from(self._buffer, at)
            if len(self._buffer) - at < HEAD.size + length:
                break
            at += HEAD.size
            yield stream, bytes(memoryview(self._buffer)[at : at + length])
            at += length
        del self._buffer[:at]
