"""A restore that is under way, written down: where it is cut short, the same command goes on with the same backup."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from cutover.files import private_folder, write_atomic

NOTE = "restoring.json"
SIGN_S = 5.0
"""How often a restore that fills a volume gives a sign of life."""
SLACK_S = 60.0
"""What is modified so long after the last sign was not written by the restore: whose it is nobody knows."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A volume that a restore fills: when it gave its last sign of life (seconds since 1970), whether it is done."""

    signed_s: float
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Underway:
    """A restore that began: of which archive, which backups keep what it overwrites, which volumes it fills."""

    archive: str
    rescues: tuple[str, ...] = ()
    volumes: Mapping[str, Mark] = field(default_factory=dict)

    def ours_until(self) -> dict[str, float]:
        """Return for each volume up to when (seconds since 1970) what was modified in it may be the restore's own."""
        return {name: mark.signed_s + SLACK_S for name, mark in self.volumes.items()}

    def marked(self, volumes: Iterable[str], now_s: float, *, filled: bool = False) -> Underway:
        """Return the same, with a sign of life at these volumes."""
        return replace(self, volumes={**self.volumes, **dict.fromkeys(volumes, Mark(now_s, filled))})

    @property
    def filled(self) -> bool:
        """Say whether every volume is."""
        return all(mark.filled for mark in self.volumes.values())


def underway(backups: Path) -> Underway | None:
    """Return the restore that was cut short, None where none was; a damaged note says nothing."""
    try:
        said = json.loads((backups / NOTE).read_bytes())
        marks = {str(n): Mark(float(m["signed_s"]), bool(m["filled"])) for n, m in said["volumes"].items()}
        return Underway(str(said["archive"]), tuple(map(str, said["rescues"])), marks)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def needed(backups: Path) -> set[str]:
    """Return the IDs of the backups that a restore which was cut short needs: its own, and what it overwrote."""
    found = underway(backups)
    return {Path(found.archive).name, *found.rescues} if found else set()


def write_down(backups: Path, found: Underway) -> None:
    """Write down what a restore is about to do, or has done."""
    private_folder(backups)
    write_atomic(backups / NOTE, json.dumps(asdict(found)).encode(), mode=0o600)


def forget(backups: Path) -> None:
    """Say that no restore is under way any more."""
    (backups / NOTE).unlink(missing_ok=True)


def with_signs(
    tell: Callable[[int, int | None], None], sign: Callable[[], None], clock: Callable[[], float]
) -> Callable[[int, int | None], None]:
    """Return what tells as `tell` does, and gives a sign of life on the way, every SIGN_S."""
    last = clock()

    def told(done: int, total: int | None) -> None:
        nonlocal last
        if clock() - last >= SIGN_S:
            last = clock()
            sign()
        tell(done, total)

    return told
