"""The record of a test stack: what is its own, by ID and time, and what a damaged one comes to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from cutover.flow.runs import Runs
from cutover.flow.teststack_record import (
    Dependency,
    Record,
    all_records,
    is_damaged,
    read_record,
    record_path,
    recorded,
    soon_after,
    write_record,
)
from cutover.model import Container, ContainerState

BEGUN = "2026-03-01T12:00:00+00:00"
NEVER = "0001-01-01T00:00:00Z"
STORE = Container(
    "s" * 64, "shop-store-1", "shop", "store", ContainerState.RUNNING, started_at="2026-03-01T12:00:03.1Z"
)
STARTED = Dependency(existed=False, begun_at=BEGUN, containers={STORE.id: STORE.started_at})
CRASHED = Dependency(existed=False, begun_at=BEGUN)
RECORD = Record("new_test", "new", "shop", "f.yml", BEGUN, {"5570": "20001:5570"}, ("n",), {"v": "", "w": BEGUN})


@pytest.fixture
def session(tmp_path: Path) -> SimpleNamespace:
    """Give what says where records are."""
    return SimpleNamespace(runs=lambda: Runs(tmp_path, "shop"))


@pytest.mark.parametrize(
    ("dependency", "changes", "own"),
    [
        (STARTED, {}, True),
        (STARTED, {"state": ContainerState.EXITED}, True),
        (STARTED, {"id": "t" * 64}, False),
        (STARTED, {"started_at": "2026-03-01T12:20:00Z"}, False),
        (STARTED, {"started_at": "2026-03-01T12:20:00Z", "restart_count": 2}, True),
        (CRASHED, {}, True),
        (CRASHED, {"started_at": "2026-03-01T12:20:00Z"}, False),
        (CRASHED, {"started_at": "2026-03-01T11:00:00Z"}, False),
        (CRASHED, {"started_at": NEVER, "state": ContainerState.CREATED}, True),
        (replace(CRASHED, existed=True), {"started_at": NEVER, "state": ContainerState.CREATED}, False),
        (Dependency(existed=False), {}, False),
        (Dependency(existed=False), {"started_at": NEVER, "state": ContainerState.CREATED}, False),
    ],
)
def test_what_up_started(dependency: Dependency, changes: dict[str, object], own: bool) -> None:
    """The same container since the same start; after a crash that kept it unwritten, one of that very minute."""
    assert dependency.is_own(replace(STORE, **changes)) is own  # type: ignore[arg-type]


@pytest.mark.parametrize("then", ["", "yesterday", "2026-03-01T12:00:03", "2026-03-01T12:01:01Z"])
def test_what_is_no_time_is_not_soon(then: str) -> None:
    """Then nothing is ours."""
    assert not soon_after(BEGUN, then)
    assert soon_after(BEGUN, "2026-03-01T12:00:03.123456789Z")


def test_which_volumes_were_made() -> None:
    """By the time of creation that was seen, or, before it was, by the minute."""
    assert RECORD.made("v", "2026-03-01T12:00:09Z")
    assert not RECORD.made("v", "2026-03-01T13:00:00Z")
    assert RECORD.made("w", BEGUN)
    assert not RECORD.made("w", "2026-03-01T12:00:09Z"), "another one of that name"
    assert not RECORD.made("x", BEGUN)
    seen = RECORD.seeing({"v": "T", "w": "U"})
    assert seen.volumes == {"v": "T", "w": BEGUN}
    assert seen.inheriting(("m",), {"x": "Z"}).volumes == {"v": "T", "w": BEGUN, "x": "Z"}


def test_a_record_comes_back_as_it_was(session: SimpleNamespace) -> None:
    """All of it; and what is known of a dependency can be taken out again."""
    record = RECORD.knowing("store", STARTED)
    write_record(session, record)
    assert read_record(session, "new_test") == record
    assert record.knowing("store", None) == RECORD
    assert (all_records(session), recorded(session)) == ([record], ["new_test"])


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[]", '{"service": "new_test", "version": 1, "dependencies": {"a": true}}']
)
def test_a_damaged_record(session: SimpleNamespace, text: str) -> None:
    """Nothing is known, and nobody is kept from anything; its name is still told."""
    write_record(session, RECORD)
    record_path(session, "new_test").write_text(text)
    assert read_record(session, "new_test") is None
    assert is_damaged(session, "new_test")
    assert (all_records(session), recorded(session)) == ([], ["new_test"])
    assert not is_damaged(session, "other_test")
