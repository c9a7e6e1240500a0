"""Plain TCP as it passes: the client speaks, green answers; a turn ends where the other one begins to speak."""

from __future__ import annotations

import json
import time

from cutover.probes import Kind
from cutover.validate.record.passed import MAX_BODY_BYTES, Emit, Passed


class TcpWatch:
    """Cuts one connection into turns; several lines that get as many lines back are as many exchanges."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._asked, self._told = bytearray(), bytearray()
        self._at = self._began = self._ended = 0.0
        self._too_long = False

    def sent(self, data: bytes) -> None:
        """Take what the client said; it ends green's turn."""
        if self._told and self._asked:
            self._tell()
        self._told.clear()  # a greeting that nobody asked for
        if not self._asked:
            self._at = time.time()
        self._began = time.perf_counter()
        self._keep(self._asked, data)

    def received(self, data: bytes) -> None:
        """Take what green said."""
        self._ended = time.perf_counter()
        if self._asked:
            self._keep(self._told, data)
            if self._is_whole():
                self._tell()

    def closed(self) -> None:
        """Tell of the last turn."""
        if self._asked:
            self._tell()

    def _is_whole(self) -> bool:
        """Say whether each line of the client has its line of JSON back: only then is a turn over before the next."""
        return self._lines_match() and all(map(_is_json, (*self._asked.splitlines(), *self._told.splitlines())))

    def _lines_match(self) -> bool:
        same = self._told.count(b"\n") == self._asked.count(b"\n")
        return same and self._asked.endswith(b"\n") and self._told.endswith(b"\n")

    def _keep(self, body: bytearray, data: bytes) -> None:
        if len(body) + len(data) > MAX_BODY_BYTES:
            self._too_long = True
        else:
            body += data

    def _tell(self) -> None:
        asked, told = bytes(self._asked), bytes(self._told)
        questions = asked.splitlines(keepends=True)
        pairs = [(asked, told)]
        if len(questions) > 1 and self._lines_match():
            pairs = list(zip(questions, told.splitlines(keepends=True), strict=True))
        for question, reply in pairs:
            self._emit(
                Passed(
                    kind=Kind.TCP,
                    at=self._at,
                    request=question,
                    reply=reply or None,
                    elapsed_s=max(0.0, self._ended - self._began) if reply else None,
                    failure="" if reply else "hung up without a reply",
                    too_long=self._too_long,
                )
            )
        self._asked.clear()
        self._told.clear()
        self._too_long = False


def _is_json(line: bytes | bytearray) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
