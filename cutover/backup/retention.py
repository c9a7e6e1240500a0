"""Which backups are kept: as restic's `forget` does it; pure.

Each rule walks from the newest to the oldest and keeps the newest of each of its periods, until it has kept as many as
it says; a backup stays when any rule keeps it. Backups that hold other things are walked apart, as restic does by host
and paths: ten quick ones of files must not push out the one that has the volumes. Periods are those of UTC.

Source: restic, `internal/restic/snapshot_policy.go` (`ApplyPolicy`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from cutover.config.backup import Keep


@dataclass(frozen=True, slots=True)
class Kept:
    """One backup as retention sees it; `holds` says what it holds besides the files."""

    id: str
    made: datetime
    holds: tuple[str, ...] = ()


PERIODS: dict[str, Callable[[datetime], Hashable]] = {
    "daily": lambda at: at.date(),
    "weekly": lambda at: at.isocalendar()[:2],
    "monthly": lambda at: (at.year, at.month),
}


def to_forget(backups: Iterable[Kept], keep: Keep | None, protected: Collection[str] = ()) -> list[str]:
    """Return the IDs of the backups that no rule keeps, oldest first; never the newest, never one of `protected`."""
    found = sorted(backups, key=_age)
    if keep is None or not found:
        return []
    stay = {found[-1].id, *protected}
    by_content = sorted(found, key=lambda b: b.holds)
    for _, alike in groupby(by_content, key=lambda b: b.holds):
        stay |= _kept(sorted(alike, key=_age, reverse=True), keep)
    return [b.id for b in found if b.id not in stay]


def _age(backup: Kept) -> tuple[datetime, str]:
    return backup.made, backup.id


def _kept(newest_first: list[Kept], keep: Keep) -> set[str]:
    stay = {b.id for b in newest_first[: keep.last]}
    for rule, period_of in PERIODS.items():
        seen: set[Hashable] = set()
        for backup in newest_first:
            period = period_of(backup.made.astimezone(UTC))
            if period not in seen and len(seen) < getattr(keep, rule):
                seen.add(period)
                stay.add(backup.id)
    return stay
