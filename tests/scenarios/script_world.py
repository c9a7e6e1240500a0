"""`rollback.sh` run where there is no cutover, no Python and no jq; and a client that measures the silence."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.scenarios.rig import Rig

TOOLS = (
    "bash", "cat", "chmod", "chown", "cp", "cut", "date", "docker", "flock", "grep", "head", "id", "mkdir", "mktemp",
    "mv", "readlink", "rm", "rmdir", "sed", "sh", "sha256sum", "sleep", "sync", "tail", "tr",
)  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What the script gave; how long the legacy HTTP port was silent meanwhile (seconds), how many asked in vain."""

    code: int
    out: str
    err: str
    silent_s: float
    failed: int

    def __repr__(self) -> str:
        """Show all of it, as a person would want to read it in a failed assertion."""
        return f"exit code {self.code}, silent {self.silent_s:.2f} s\n{self.out}\n{self.err}"


def script_of(rig: Rig, run: str = "*") -> Path:
    """Return the newest rollback.sh of a project, or that of a run."""
    return max((rig.folder / ".cutover" / rig.project).glob(f"{run}/rollback.sh"))


def bare_path(folder: Path) -> Path:
    """Return a folder that holds, as links, all the programs that the script may use: none of them is Python."""
    place = folder / "bare-bin"
    if not place.is_dir():
        place.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (place / tool).symlink_to(found)
    return place


def run_script(rig: Rig, folder: Path, *options: str, script: Path | None = None, **env: str) -> Said:
    """Run the newest script from the root folder, with an environment that holds nothing but such a PATH."""
    command = ["env", "-i", f"PATH={bare_path(folder)}", *(f"{k}={v}" for k, v in env.items())]
    command += ["sh", str(script or script_of(rig)), *options]
    with Watched(rig.http) as watched:
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=180)
    return Said(done.returncode, done.stdout, done.stderr, watched.longest_s, watched.failed)


@dataclass
class Watched:
    """A client that asks all the time on a connection of its own each, and remembers the longest silence."""

    port: int
    answered: Counter = field(default_factory=Counter)
    failed: int = 0
    longest_s: float = 0.0

    def __enter__(self) -> Self:
        """Begin to ask, once somebody has answered."""
        self._over, self._first = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        self._first.wait(2)
        return self

    def __exit__(self, *_: object) -> None:
        """Ask no more."""
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        last = time.monotonic()
        while not self._over.is_set():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=20) as reply:
                    self.answered[json.load(reply)["name"]] += 1
            except (OSError, ValueError, http.client.HTTPException):
                self.failed += 1
            else:
                now = time.monotonic()
                self.longest_s = max(self.longest_s, now - last) if self._first.is_set() else 0.0
                last = now
                self._first.set()
            self._over.wait(0.01)
        self.longest_s = max(self.longest_s, time.monotonic() - last)
