"""`rollback.sh` as somebody runs it who has no cutover, with a client that asks meanwhile."""

from __future__ import annotations

import http.client
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.scenarios.rig import Rig, Told

BARE = ("env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
"""No virtual environment, no cutover, nothing of what the swap was called with."""


def runs_of(rig: Rig) -> list[Path]:
    """Return the folders of a project's runs, oldest first."""
    return sorted(p.parent for p in (rig.folder / ".cutover" / rig.project).glob("2*/rollback.sh"))


def by_hand(rig: Rig, *args: str, run: Path | None = None) -> Told:
    """Run a run's script, the newest's where none is said, from another folder."""
    script = (run or runs_of(rig)[-1]) / "rollback.sh"
    command = [*BARE, "sh", script, *args]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=120)
    return Told(done.returncode, done.stdout, done.stderr)


@dataclass
class Asking:
    """A client that asks all the time: `silence_s` is the longest time between two answers, `names` who gave them."""

    rig: Rig
    silence_s: float = 0.0
    names: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask until there is an answer, and no more."""
        end = time.monotonic() + 20
        self._over.set()
        self._thread.join(end - time.monotonic())

    def _answer(self) -> str | None:
        try:
            return self.rig.answers(1.0)
        except http.client.HTTPException:  # cut off in the middle of an answer
            return None

    def _ask(self) -> None:
        last = time.monotonic()
        while True:
            name = self._answer()
            if name is not None:
                now = time.monotonic()
                self.silence_s, last = max(self.silence_s, now - last), now
                if self.names[-1:] != [name]:
                    self.names.append(name)
                if self._over.is_set():
                    return
            time.sleep(0.01)


def went_back(rig: Rig, *args: str) -> Asking:
    """Run the newest script under load, see that it says so, and return what the client saw."""
    with Asking(rig) as client:
        told = by_hand(rig, *args)
        assert told.code == 0, told
        rig.wait_answer("old")
    return client
