"""A client beside a campaign: `python -m tests.faults.campaign.client HTTP ZMQ LOG`.

Asks the service to keep one number after the other, each on a new connection, and asks over one ZeroMQ connection that
stays. Every number that was acknowledged is a line of LOG before the next is asked for; so are failures.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import zmq

PAUSE_S = 0.05
TIMEOUT_S = 30.0


def main(http: int, zmq_port: int, log: Path) -> None:
    """Ask until somebody ends us."""
    with log.open("a", buffering=1) as written:
        for kind, ask in (("keep", keeping(http)), ("zmq", asking(zmq_port))):
            threading.Thread(target=each, args=(kind, ask, written.write), daemon=True).start()
        sys.stdin.read()


def each(kind: str, ask: Callable[[int], str], write: Callable[[str], object]) -> None:
    """Ask one number after the other, and write down what came of each: when, kind, number, who or why not."""
    for number in itertools.count(1):
        try:
            told = f"ok {ask(number)}"
        except Exception as error:  # noqa: BLE001  (every way to fail is written down)
            told = f"failed {type(error).__name__}"
        write(f"{time.monotonic():.3f} {kind} {number} {told}\n")
        time.sleep(PAUSE_S)


def keeping(port: int) -> Callable[[int], str]:
    """Return what has a number kept over HTTP."""

    def ask(number: int) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/keep/{number}", timeout=TIMEOUT_S) as reply:
            return str(json.load(reply)["name"])

    return ask


def asking(port: int) -> Callable[[int], str]:
    """Return what asks over one ZeroMQ connection; a request without a reply is asked again on the same one."""
    socket = zmq.Context().socket(zmq.REQ)
    socket.setsockopt(zmq.REQ_RELAXED, 1)
    socket.setsockopt(zmq.REQ_CORRELATE, 1)
    socket.rcvtimeo = socket.sndtimeo = 5000
    socket.connect(f"tcp://127.0.0.1:{port}")

    def ask(number: int) -> str:
        socket.send_json({"method": "health", "id": number})
        return str(socket.recv_json()["name"])

    return ask


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
