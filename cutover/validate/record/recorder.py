"""A recording in the making: a relay in front of green, and a file that fills."""

from __future__ import annotations

import queue
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cutover import __version__
from cutover.config import Recording
from cutover.errors import CutoverError
from cutover.probes import Kind
from cutover.validate.record.case import line_of
from cutover.validate.record.masking import Masker
from cutover.validate.record.passed import Passed
from cutover.validate.record.reading import VERSION
from cutover.validate.record.relay import Relay, Watch
from cutover.validate.record.watch_tcp import TcpWatch
from cutover.validate.record.writer import RecordingFile
from cutover.validate.talk import Address

# What waits to be written is bounded; a full queue makes the relay wait, and with it the clients: nothing is dropped.
_MOST_WAITING = 20_000
# Masking must not hold up what passes: Python's own 5 ms between threads would be seen in the clients' p95.
_SWITCH_S = 0.0001


@dataclass(frozen=True, slots=True)
class Summary:
    """What was recorded; `masked` exchanges do not say what the client said.

    `unread` connections and `unwritten` exchanges passed, and could not be read; `reason` is the first one's. Of
    `undecoded` exchanges something is neither JSON, msgpack nor text, and was masked whole.
    """

    file: Path
    exchanges: int
    masked: int
    without_reply: int
    connections: int
    refused: int
    unread: int
    unwritten: int
    undecoded: int = 0
    reason: str = ""


class Recorder:
    """Records until it is left: `with Recorder(...) as recorder: recorder.wait(...)`."""

    def __init__(
        self,
        file: Path,
        target: Address,
        kind: Kind,
        *,
        legacy_port: int,
        recording: Recording,
        listen: int = 0,
        count: int | None = None,
    ) -> None:
        self._kind, self._legacy_port, self._count = kind, legacy_port, count
        self._masker = Masker(recording)
        self._queue: queue.Queue[Passed | None] = queue.Queue(_MOST_WAITING)
        self._relay = Relay(target, self._watch, listen)
        try:
            self._file = RecordingFile(file)
            self._file.write(self._header(target))
        except BaseException:
            self._relay.stop()
            raise
        self._switch_s = sys.getswitchinterval()
        self.done = threading.Event()
        self.error: CutoverError | None = None
        self._exchanges = self._masked = self._without_reply = self._unwritten = self._undecoded = 0
        self._writer = threading.Thread(target=self._write, name="recording", daemon=True)

    @property
    def port(self) -> int:
        """Return the port on loopback that clients are to use."""
        return self._relay.port

    @property
    def exchanges(self) -> int:
        """Return how many are written."""
        return self._exchanges

    def __enter__(self) -> Self:
        sys.setswitchinterval(_SWITCH_S)
        self._writer.start()
        self._relay.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._relay.stop()
        self._queue.put(None)
        self._writer.join()
        self._file.close()
        sys.setswitchinterval(self._switch_s)

    def wait(self, seconds: float | None) -> bool:
        """Return True when `count` exchanges are written or writing failed, False when the time is up."""
        return self.done.wait(seconds)

    def summary(self) -> Summary:
        """Return what was recorded so far."""
        relay = self._relay
        return Summary(
            file=self._file.path,
            exchanges=self._exchanges,
            masked=self._masked,
            without_reply=self._without_reply,
            connections=relay.connections,
            refused=relay.refused,
            unread=relay.unread,
            unwritten=self._unwritten,
            undecoded=self._undecoded,
            reason=relay.reason,
        )

    def _header(self, target: Address) -> dict[str, Any]:
        return {
            "recording": VERSION,
            "tool": f"cutover {__version__}",
            "to": f"{self._kind}://:{self._legacy_port}",
            "green": str(target),
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }

    def _watch(self) -> Watch:
        match self._kind:
            case Kind.ZMQ:
                from cutover.validate.record.watch_zmq import ZmqWatch  # noqa: PLC0415

                return ZmqWatch(self._queue.put)
            case Kind.HTTP:
                from cutover.validate.record.watch_http import HttpWatch  # noqa: PLC0415  (h11 costs 20 ms)

                return HttpWatch(self._queue.put)
            case _:
                return TcpWatch(self._queue.put)

    def _write(self) -> None:
        while (passed := self._queue.get()) is not None:
            if self.error is not None or (self._count is not None and self._exchanges >= self._count):
                continue  # what passes after the end of the recording is not written
            try:
                self._one(passed)
            except CutoverError as error:
                self.error = error
                self.done.set()
            except Exception:  # noqa: BLE001  (what cannot be masked for certain is not written)
                self._unwritten += 1

    def _one(self, passed: Passed) -> None:
        line = line_of(passed, self._legacy_port, self._masker)
        self._file.write(line)
        self._exchanges += 1
        self._masked += bool(line["masked"])
        self._undecoded += "undecoded" in line
        self._without_reply += passed.reply is None
        if self._count is not None and self._exchanges >= self._count:
            self.done.set()
