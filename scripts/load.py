"""Load on a manager: load.py ZMQ_PORT HTTP_PORT, until stdin ends; then what each client saw, as JSON.

Three clients at 200 requests a second each: new HTTP connections, one kept-alive HTTP connection, one ZeroMQ REQ.
Each request has its scheduled time, and latency counts from there: a client that had to wait does not get off lightly
because it asked less often meanwhile.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Event, Thread
from typing import Any

import zmq

RATE = 200.0
RECONNECT_MS = 10
"""libzmq's own 100 ms, doubled at random, would measure its patience and not the port's silence."""
BIN_S = 0.02
TIMEOUT_S = 0.2
"""A request that was lost is given up after this; it is the floor of a silence in which one was."""

Ask = Callable[[], str]


@dataclass
class Seen:
    """What one client saw: when each good answer came and how late it was, who gave it, what failed and why."""

    good: list[tuple[float, float]] = field(default_factory=list)
    by: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    marks: list[tuple[float, str]] = field(default_factory=list)

    def timeline(self, began: float, until: float) -> str:
        """Return a character for each BIN_S: `g`reen or `b`lue answered, `x` all failed, `.` nothing came."""
        bins = ["."] * (int((until - began) / BIN_S) + 1)
        for at, mark in self.marks:
            place = int((at - began) / BIN_S)
            if bins[place] in ".x":
                bins[place] = mark
        return "".join(bins)

    def summary(self, until: float) -> dict[str, Any]:
        """Return the figures, in seconds; the silence that lasts at the end counts."""
        times = [came for came, _ in self.good]
        gaps = [after - before for before, after in pairwise([*times, until])]
        late = sorted(latency for _, latency in self.good)
        return {
            "requests": len(self.good) + self.failures.total(),
            "failed": self.failures.total(),
            "failures": dict(self.failures),
            "answered_by": dict(self.by),
            "longest_silence_s": round(max(gaps, default=float("inf")), 4),
            "latency_s": {f"p{q}": round(late[len(late) * q // 100], 4) for q in (50, 99)} | {"max": round(late[-1], 4)}
            if late
            else {},
        }


class KeptAlive:
    """Asks over HTTP, on one connection for as long as it holds, or on a new one each time."""

    def __init__(self, port: int, *, keep: bool) -> None:
        self._port = port
        self._keep = keep
        self._connection: http.client.HTTPConnection | None = None

    def __call__(self) -> str:
        """Return the service that answers."""
        line = self._connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        self._connection = None  # and it stays so if anything fails
        try:
            line.request("GET", "/health")
            answer = line.getresponse()
            body = json.loads(answer.read())
        except BaseException:
            line.close()
            raise
        if self._keep and not answer.will_close:
            self._connection = line
        else:
            line.close()
        if answer.status != 200:
            raise ConnectionError(f"status {answer.status}")
        return str(body["service"])


class Requests:
    """Asks over one ZeroMQ REQ socket; one that got no answer is thrown away."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: zmq.Socket[bytes] | None = None

    def __call__(self) -> str:
        """Return the service that answers."""
        line = self._socket or self._open()
        self._socket = None
        try:
            line.send(b'{"method": "health_check"}')
            body = json.loads(line.recv())
        except BaseException:
            line.close()
            raise
        self._socket = line
        if body["status"] != "ok":
            raise ConnectionError(f"status {body['status']}")
        return str(body["service"])

    def _open(self) -> zmq.Socket[bytes]:
        line: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REQ)
        line.linger = 0
        line.reconnect_ivl = RECONNECT_MS
        line.sndtimeo = line.rcvtimeo = round(TIMEOUT_S * 1000)
        line.connect(f"tcp://127.0.0.1:{self._port}")
        return line


def ask_on_schedule(ask: Ask, seen: Seen, stop: Event) -> None:
    """Ask at the rate; behind schedule, at twice the rate: a burst of failures would slow the hand-over itself."""
    due = time.monotonic()
    while not stop.is_set():
        try:
            service = ask()
        except (OSError, http.client.HTTPException, zmq.ZMQError, ValueError, KeyError) as error:
            seen.failures[str(error) if str(error).startswith("status") else type(error).__name__] += 1
            seen.marks.append((time.monotonic(), "x"))
        else:
            now = time.monotonic()
            seen.good.append((now, now - due))
            seen.by[service] += 1
            seen.marks.append((now, "b" if service.endswith("suite") else "g"))
        due += 1 / RATE
        time.sleep(max(0.5 / RATE, due - time.monotonic()))


def main() -> None:
    """Load until stdin ends."""
    zmq_port, http_port = map(int, sys.argv[1:])
    asks: dict[str, Ask] = {
        "http_new": KeptAlive(http_port, keep=False),
        "http_kept": KeptAlive(http_port, keep=True),
        "zmq": Requests(zmq_port),
    }
    seen = {name: Seen() for name in asks}
    stop = Event()
    threads = [Thread(target=ask_on_schedule, args=(asks[name], seen[name], stop)) for name in asks]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    until = time.monotonic()
    told = {name: each.summary(until) | {"timeline": each.timeline(began, until)} for name, each in seen.items()}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
