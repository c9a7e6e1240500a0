"""Which backups are kept: by the rules, and never the newest or a protected one removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cutover.backup.retention import PERIODS, Kept, to_forget
from cutover.config.backup import Keep

START = datetime(2026, 1, 1, tzinfo=UTC)
NONE = Keep(last=0, daily=0, weekly=0, monthly=0)
BACKUPS = st.lists(
    st.builds(
        lambda minutes, holds: (START + timedelta(minutes=minutes), holds),
        st.integers(0, 60 * 24 * 400),
        st.sampled_from([(), ("data",), ("data", "images/")]),
    ),
    max_size=40,
).map(lambda made: [Kept(f"b{n}", at, holds) for n, (at, holds) in enumerate(made)])
RULES = st.builds(
    Keep, last=st.integers(0, 5), daily=st.integers(0, 5), weekly=st.integers(0, 5), monthly=st.integers(0, 5)
)


def daily(days: int) -> list[Kept]:
    """Return one backup a day, at noon."""
    return [Kept(f"d{n:03}", START + timedelta(days=n, hours=12)) for n in range(days)]


def test_the_rules_add_up() -> None:
    """Of a hundred days: the last two, one of each of three weeks, one of each of two months."""
    forgotten = set(to_forget(daily(100), Keep(last=2, daily=0, weekly=3, monthly=2)))
    kept = sorted({b.id for b in daily(100)} - forgotten)
    # 2026-04-10 is d099, a Friday; Sundays before are d094 and d087; March ended with d089.
    assert kept == ["d087", "d089", "d094", "d098", "d099"]


def test_of_one_day_the_newest_stays() -> None:
    """Four of one day, and one of the day before."""
    backups = [Kept(f"b{n}", START + timedelta(hours=h)) for n, h in enumerate([-3, 1, 2, 3, 4])]
    assert to_forget(backups, Keep(last=0, daily=2, weekly=0, monthly=0)) == ["b1", "b2", "b3"]


def test_one_of_files_does_not_push_out_one_with_volumes() -> None:
    """They are walked apart."""
    backups = [Kept("old", START, ("data",)), *(Kept(f"n{n}", START + timedelta(minutes=n + 1)) for n in range(5))]
    assert to_forget(backups, Keep(last=1, daily=0, weekly=0, monthly=0)) == ["n0", "n1", "n2", "n3"]


def test_without_rules_all_stay() -> None:
    """`keep: null`."""
    assert to_forget(daily(50), None) == []


@given(BACKUPS, RULES, st.sets(st.integers(0, 39).map("b{}".format)))
def test_the_newest_and_the_protected_stay(backups: list[Kept], keep: Keep, protected: set[str]) -> None:
    """Whatever the rules are."""
    forgotten = to_forget(backups, keep, protected)
    assert not set(forgotten) & protected
    assert len(set(forgotten)) == len(forgotten)
    if backups:
        assert max(backups, key=lambda b: (b.made, b.id)).id not in forgotten


@given(BACKUPS, RULES)
def test_pruning_twice_removes_nothing_more(backups: list[Kept], keep: Keep) -> None:
    """What stayed by a rule stays by it."""
    forgotten = set(to_forget(backups, keep))
    rest = [b for b in backups if b.id not in forgotten]
    assert to_forget(rest, keep) == []


@given(BACKUPS, RULES)
def test_each_rule_keeps_what_it_says(backups: list[Kept], keep: Keep) -> None:
    """In each group: the newest of each of its newest periods, as far as there are any."""
    forgotten = set(to_forget(backups, keep))
    for holds in {b.holds for b in backups}:
        group = sorted((b for b in backups if b.holds == holds), key=lambda b: (b.made, b.id), reverse=True)
        assert not {b.id for b in group[: keep.last]} & forgotten
        for rule, period_of in PERIODS.items():
            first = [b for n, b in enumerate(group) if not n or period_of(b.made) != period_of(group[n - 1].made)]
            assert not {b.id for b in first[: getattr(keep, rule)]} & forgotten


@given(BACKUPS)
def test_with_every_rule_at_nothing_one_stays(backups: list[Kept]) -> None:
    """The newest of all."""
    assert len(backups) - len(to_forget(backups, NONE)) == min(1, len(backups))


@given(BACKUPS, RULES)
def test_what_goes_is_told_oldest_first(backups: list[Kept], keep: Keep) -> None:
    """So that a removal that is cut short leaves the newer ones."""
    made = {b.id: (b.made, b.id) for b in backups}
    assert all(made[a] < made[b] for a, b in pairwise(to_forget(backups, keep)))
