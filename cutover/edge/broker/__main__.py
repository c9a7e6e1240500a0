"""`python3 -m cutover.edge.broker FOLDER`: serve what FOLDER/broker.json says until SIGTERM."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import sys
from pathlib import Path

import zmq

from cutover.edge.broker.broker import Broker
from cutover.edge.broker.loop import log
from cutover.edge.broker.words import WordsError


def main(arguments: list[str]) -> int:
    """Serve; return 2 where that cannot begin."""
    if len(arguments) != 1:
        log("usage: python3 -m cutover.edge.broker FOLDER")
        return 2
    folder = Path(arguments[0])
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # two brokers would take the control socket from each other
        broker = Broker(folder)
    except BlockingIOError:
        log(f"another broker serves {folder}")
        return 2
    except (WordsError, OSError, zmq.ZMQError) as error:
        log(str(error))
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: broker.leave())
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # what comes and goes with messages holds no cycles
    broker.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
