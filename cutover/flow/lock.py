"""One cutover at a time on a project: flock, which dies with its process, and a note that says who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
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
COMPOSE_S = 60.0
"""How long a Compose may go on that outlived its cutover: it stops and starts containers, each within its grace."""
LOOK_S = 0.05


@contextmanager
def locked(state: Path, project: str, clock: Clock) -> Iterator[None]:
    """Hold the project's lock, once no Compose of a cutover that was killed is at work any more.

    Raises:
        LockHeldError: another process holds it; the message says which, and since when. Or that Compose does not end.

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
        _see_compose_ended(compose_lock(state, project), clock)
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def compose_lock(state: Path, project: str) -> Path:
    """Return the file on which Compose holds a lock while it changes something: it may outlive its cutover."""
    return state / f"{project}.compose.lock"


def _see_compose_ended(path: Path, clock: Clock) -> None:
    """Wait for a Compose that outlived its cutover: it removes and makes containers under the feet of a recovery.

    Raises:
        LockHeldError: it does not end.

    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
    end = clock.monotonic() + COMPOSE_S
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != PRIVATE:  # the umask took too much away
            os.fchmod(descriptor, PRIVATE)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if clock.monotonic() >= end:
                    raise LockHeldError(
                        "compose-works",
                        f"A docker compose of a cutover that was killed still works, after {COMPOSE_S:.0f} s.",
                        evidence=[str(path)],
                        hint=f"wait for it, or end it: fuser -v {path}; then cutover recover",
                    ) from error
                clock.sleep(LOOK_S)
            else:
                return
    finally:
        os.close(descriptor)


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
    import psutil  # noqa: PLC0415  (seldom needed)

    try:
        note = json.loads(holder.read_text())
        if not psutil.pid_exists(int(note["pid"])):
            return "a process that does not say who it is, rollback.sh perhaps"
        command = " ".join(["cutover", *note["command"]])
        return f"`{command}`, process {note['pid']}, since {note['since']}"
    except (OSError, *UNREADABLE):  # it is about to be written, or somebody else wrote it
        return "a process that has not said who it is yet"
