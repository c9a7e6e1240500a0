"""The status as a person reads it, always with the next command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cutover.flow.journal import Journal, Kind
from cutover.flow.look import _row, status_text
from cutover.flow.runs import Run
from tests.unit.flow.stage import PLAN
from tests.unit.flow.world import START, FakeClock

QUIET: dict[str, Any] = {
    "project": "shop",
    "serving": [],
    "parked": [],
    "edge": None,
    "canary": False,
    "lock": None,
    "last_run": None,
    "can_roll_back": None,
    "rollback_script": None,
    "committed": False,
    "unfinished": [],
}
ROW = {"run": "r2", "result": "done", "green": "old", "blue": "new", "strategy": "relink"}


def test_everything_at_once() -> None:
    """Who serves, who is parked, who is at work, what was last."""
    serving = [{"port": 5570, "protocol": "tcp", "service": "new", "container": "shop-new-1"}]
    found = {
        **QUIET,
        "serving": serving,
        "parked": ["old"],
        "lock": "process 7",
        "last_run": ROW,
        "can_roll_back": "r2",
    }
    assert status_text(found) == (
        "project shop\n"
        "  5570/tcp  new (shop-new-1)\n"
        "  parked: old\n"
        "at work: process 7\n"
        "last run: r2 done: old -> new by relink\n"
        "next: cutover commit, or cutover rollback r2"
    )


@pytest.mark.parametrize(
    ("found", "last_line"),
    [
        ({}, "next: cutover swap --dry-run"),
        ({"unfinished": ["r1", "r2"]}, "next: run r2 was cut short: cutover recover"),
        ({"unfinished": ["r2"], "lock": "process 7"}, "next: cutover swap --dry-run"),
        ({"can_roll_back": "r1"}, "next: cutover commit, or cutover rollback r1"),
        ({"can_roll_back": "r1", "committed": True}, "committed; still possible: cutover rollback r1"),
        ({"can_roll_back": "r1", "unfinished": ["r2"]}, "next: run r2 was cut short: cutover recover"),
    ],
)
def test_the_next_command(found: dict[str, Any], last_line: str) -> None:
    """What was cut short comes first, unless somebody is at work on it."""
    assert status_text({**QUIET, **found}).splitlines()[-1] == last_line


def test_a_row_of_the_history(tmp_path: Path) -> None:
    """From the journal alone; a run that never began has a row too."""
    journal = Journal(tmp_path, FakeClock())
    nothing = dict.fromkeys(("strategy", "green", "blue", "ports", "silence"), "")
    never = {"result": "unfinished", "committed": False, "by_hand": False, "images": None}
    assert _row(Run(tmp_path)) == {"run": tmp_path.name, "started_at": "", **never, **nothing}
    journal.write(Kind.PLAN, **PLAN.header())
    journal.write(Kind.RESULT, result="done", stall_measured_s=0.12345, committed=True)
    assert _row(Run(tmp_path)) == {
        "run": tmp_path.name,
        "started_at": START.isoformat(),
        "result": "done",
        "strategy": "relink",
        "green": "old",
        "blue": "new",
        "images": None,
        "ports": "5570",
        "silence": "0.123 s",
        "committed": True,
        "by_hand": False,
    }
