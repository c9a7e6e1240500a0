"""What a dependant saw: requests, failures by kind, the longest silence, who answered.

Read it from outside: `docker compose exec agent_chat python3 -m language_stack.count [--reset]` prints it as JSON;
with --reset it starts to count anew.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread
from typing import Any

PLACE = Path("/tmp/count.sock")
MAX_CHANGES = 100


class Count:
    """Thread-safe; `clock` gives monotonic seconds."""

    def __init__(self, who: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._who = who
        self._clock = clock
        self._lock = Lock()
        self._begin(clock())

    def _begin(self, now: float) -> None:
        self._since = self._last = now
        self._requests = 0
        self._longest_s = 0.0
        self._failures: Counter[str] = Counter()
        self._by: Counter[str] = Counter()
        self._changes: list[dict[str, Any]] = []
        self._current = ""

    def answered(self, service: str) -> None:
        """Count a good answer and who gave it."""
        with self._lock:
            now = self._clock()
            self._requests += 1
            self._longest_s = max(self._longest_s, now - self._last)
            self._last = now
            self._by[service] += 1
            if service != self._current and len(self._changes) < MAX_CHANGES:
                self._changes.append({"after_s": round(now - self._since, 3), "to": service})
            self._current = service

    def failed(self, kind: str) -> None:
        """Count a request that got no good answer."""
        with self._lock:
            self._requests += 1
            self._failures[kind] += 1

    def read(self, *, reset: bool = False) -> dict[str, Any]:
        """Return the count; the silence that lasts now is in the longest."""
        with self._lock:
            now = self._clock()
            silent_now_s = now - self._last
            value = {
                "client": self._who,
                "seconds": round(now - self._since, 3),
                "requests": self._requests,
                "answered": sum(self._by.values()),
                "failed": sum(self._failures.values()),
                "failures": dict(self._failures),
                "longest_silence_s": round(max(self._longest_s, silent_now_s), 3),
                "silent_now_s": round(silent_now_s, 3),
                "answered_by": dict(self._by),
                "changes": list(self._changes),
            }
            if reset:
                self._begin(now)
            return value

    def publish(self, place: Path = PLACE) -> None:
        """Let `python3 -m language_stack.count` read it."""
        place.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(place))
        listener.listen()
        Thread(target=self._tell, args=(listener,), daemon=True, name="count").start()

    def _tell(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(1)
                try:
                    reset = connection.recv(16) == b"reset"
                    connection.sendall(json.dumps(self.read(reset=reset)).encode())
                except OSError as error:
                    print(f"nobody took the count: {error}")


def ask(*, reset: bool, place: Path = PLACE) -> dict[str, Any]:
    """Read the count of the dependant that runs beside this process."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect(str(place))
        connection.sendall(b"reset" if reset else b"read")
        parts = iter(lambda: connection.recv(65536), b"")
        value: dict[str, Any] = json.loads(b"".join(parts))
        return value


if __name__ == "__main__":
    print(json.dumps(ask(reset="--reset" in sys.argv[1:])))
