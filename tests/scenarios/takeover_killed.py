"""Take ports over, and be killed at a moment of it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.scenarios.takeover_world import World


def die(*_: object) -> None:
    """End as nobody can prevent."""
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run to the moment."""
    when, image, folder, project, zmq, http = sys.argv[1:]
    world = World(Path(folder), project, int(zmq), int(http))

    def parked() -> None:
        world.park("old")
        if when == "parked":
            die()

    def unparked() -> None:
        world.unpark("new")
        if when == "held":
            die()

    world.take(image, "old", "new", park=parked, unpark=unparked, prove=die if when == "redirecting" else None)


main()
