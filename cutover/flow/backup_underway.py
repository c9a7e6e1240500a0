"""A restore that is under way, written down: where it is cut short, the same command goes on with the same backup."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from cutover.backup.pipeline import Tell
from cutover.files import private_folder, write_atomic

NOTE = "restoring.json"
SIGN_S = 5.0
"""How often a restore that fills a volume gives a sign of life, by the modification time of its note."""
SLACK_S = 60.0
"""What is modified so long after the last sign was not written by the restore: whose it is nobody knows."""


@dataclass(frozen=True, slots=True)
class Underway:
    """A restore that began: of which archive, which backups keep what it overwrites, which volumes it fills."""

    archive: str
    rescues: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()


def underway(backups: Path) -> Underway | None:
    """Return the restore that was cut short, None where none was; a damaged note says nothing."""
    try:
        said = json.loads((backups / NOTE).read_bytes())
        return Underway(str(said["archive"]), *(tuple(map(str, said[n])) for n in ("rescues", "volumes", "filled")))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def needed(backups: Path) -> set[str]:
    """Return the IDs of the backups that a restore which was cut short needs: its own, and what it overwrote."""
    found = underway(backups)
    return {Path(found.archive).name, *found.rescues} if found else set()


def ours_until(backups: Path) -> float:
    """Return the time (seconds since 1970) up to which what lies in a half filled volume may be the restore's own."""
    try:
        return (backups / NOTE).stat().st_mtime + SLACK_S
    except OSError:
        return 0.0


def write_down(backups: Path, found: Underway) -> None:
    """Write down what a restore is about to do."""
    private_folder(backups)
    write_atomic(backups / NOTE, json.dumps(asdict(found)).encode(), mode=0o600)


def forget(backups: Path) -> None:
    """Say that no restore is under way any more."""
    (backups / NOTE).unlink(missing_ok=True)


def with_signs(backups: Path, tell: Tell, clock: Callable[[], float] = time.monotonic) -> Tell:
    """Return what tells as `tell` does, and gives a sign of life on the way."""
    last = clock()

    def told(done: int, total: int | None) -> None:
        nonlocal last
        if clock() - last >= SIGN_S:
            last = clock()
            os.utime(backups / NOTE)
        tell(done, total)

    return told
