"""The journal of one run: a line per record, each fsynced before the next act, readable after any crash.

A record is one JSON object on one line with its number and a CRC-32 of the rest. Half a last line is what a crash
leaves, and is dropped; a bad line anywhere else, one that is missing, or one that is there twice, means that somebody
touched the file.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from cutover.clock import Clock
from cutover.errors import NeedsHandsError
from cutover.files import UNREADABLE, fsync_folder

NAME = "journal.jsonl"
FORMAT = 1


class Kind(StrEnum):
    """What a record says."""

    PLAN = "plan"
    INTENT = "intent"
    DONE = "done"
    FAILED = "failed"
    UNDO = "undo"
    UNDONE = "undone"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the journal: `at` is UTC in ISO 8601, `step` is "" for records about the whole run."""

    seq: int
    at: str
    kind: Kind
    step: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Journal:
    """Appends records to a run's journal; each is on the disk when `write` returns."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.path = folder / NAME
        self._clock = clock
        self._seq = len(list(read(folder))) if self.path.exists() else 0
        self._drop_torn_tail()

    def write(self, kind: Kind, step: str = "", /, **data: Any) -> None:
        """Append one record and make it last.

        Raises:
            OSError: the disk is full or read-only.

        """
        body = {
            "seq": self._seq + 1,
            "at": self._clock.now().isoformat(),
            "kind": str(kind),
            "step": step,
            "data": data,
        }
        self._append((json.dumps({**body, "crc": _crc(body)}, separators=(",", ":")) + "\n").encode())
        self._seq += 1

    def _append(self, line: bytes) -> None:
        new = not self.path.exists()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        before = os.fstat(descriptor).st_size
        try:
            if new:
                os.fchmod(descriptor, 0o600)  # whatever the umask took away
            written = 0
            while written < len(line):
                written += os.write(descriptor, line[written:])
            os.fsync(descriptor)
        except BaseException:  # a full disk takes half a line, and the next record must not stand behind it
            os.ftruncate(descriptor, before)
            raise
        finally:
            os.close(descriptor)
        if new:
            fsync_folder(self.path.parent)

    def _drop_torn_tail(self) -> None:
        """Cut half a last line off, so that the next record starts on a line of its own."""
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.truncate(self.path, content.rfind(b"\n") + 1)


def read(folder: Path) -> Iterator[Record]:
    """Yield the records of a run, oldest first.

    Raises:
        NeedsHandsError: a line that is not the last one does not hold, or the journal is from a newer cutover.

    """
    path = folder / NAME
    if not path.exists():
        return
    expected = 0
    whole = path.read_bytes().rpartition(b"\n")[0]  # no newline after it: the crash came in the middle of the write
    for number, line in enumerate(whole.split(b"\n"), start=1):
        if not line:
            continue
        record = _parse(line)
        expected += 1
        if record is None or record.seq != expected:
            raise NeedsHandsError(
                "journal-damaged",
                f"{path}:{number} is damaged; cutover does not guess what a run did.",
                evidence=[line[:120].decode(errors="replace")],
                hint="put the port back by hand: the run's folder holds the files as they were, under files/",
            )
        yield record


def _parse(line: bytes) -> Record | None:
    try:
        body = json.loads(line)
        crc = body.pop("crc")
        if crc != _crc(body):
            return None
        record = Record(body["seq"], body["at"], Kind(body["kind"]), body["step"], body["data"])
    except UNREADABLE:
        return None
    kinds = ((record.seq, int), (record.at, str), (record.step, str), (record.data, dict))
    return record if all(isinstance(value, kind) for value, kind in kinds) else None


def _crc(body: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(body, separators=(",", ":"), sort_keys=True).encode())
