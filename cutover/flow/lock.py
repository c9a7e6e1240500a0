"""One cutover at a time on a project: flock, which dies with its process, and a note that says who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cutover.clock import Clock
from cutover.errors import LockHeldError
from cutover.files import UNREADABLE, write_atomic
from cutover.flow.runs import state_folder

PRIVATE = 0o600


@contextmanager
def locked(state: Path, project: str, clock: Clock) -> Iterator[None]:
    """Hold the project's lock.

    Raises:
        LockHeldError: another process holds it; the message says which, and since when.

    """
    state_folder(state)
    lock = FileLock(state / f"{project}.lock", mode=PRIVATE)
    holder = state / f"{project}.lock.json"
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LockHeldError(
            "lock-held",
            f"Another cutover works on project {project}: {_who(holder)}.",
            evidence=[str(state / f"{project}.lock")],
            hint="wait for it, or interrupt it (it goes back to green by itself): kill -INT PID",
        ) from error
    try:
        note = {"pid": os.getpid(), "since": clock.now().isoformat(timespec="seconds"), "command": sys.argv[1:2]}
        write_atomic(holder, json.dumps(note).encode(), mode=PRIVATE)
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def holder_of(state: Path, project: str) -> str | None:
    """Return who holds the project's lock, None where nobody does; takes nothing and makes nothing."""
    path = state / f"{project}.lock"
    if not path.exists():
        return None
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _who(state / f"{project}.lock.json")
    finally:
        os.close(descriptor)
    return None


def _who(holder: Path) -> str:
    try:
        note = json.loads(holder.read_text())
        command = " ".join(["cutover", *note["command"]])
        return f"`{command}`, process {note['pid']}, since {note['since']}"
    except (OSError, *UNREADABLE):  # it is about to be written, or somebody else wrote it
        return "a process that has not said who it is yet"
