"""What is to be undone, and which way a run that was cut short goes, read from its journal alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cutover.errors import CutoverError
from cutover.flow.back import COMMIT_STEP, _all_done, _newest_done, _to_roll_back, _was_closing, commit_step, intents_of
from cutover.flow.journal import Journal, Kind
from cutover.flow.runs import Run, Runs
from tests.unit.flow.stage import PLAN
from tests.unit.flow.world import FakeClock

KINDS = {s.id: str(s.kind) for s in (*PLAN.steps, commit_step(PLAN))}
FORTH = "+s01 s01 +s02 s02 +s03 s03 +s04 s04"
PLANNED: Any = SimpleNamespace(plan=PLAN)


def run_of(folder: Path, script: str) -> Run:
    """Write a journal from words: `+s01` intent, `s01` done, `-s01` undo, `--s01` undone, `!` failed, `=x` result."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder, FakeClock())
    journal.write(Kind.PLAN, **PLAN.header())
    for word in script.split():
        step = word.lstrip("+-")
        if word == "!":
            journal.write(Kind.FAILED, error=None)
        elif word.startswith("="):
            journal.write(Kind.RESULT, result=word[1:])
        elif word.startswith("+"):
            journal.write(Kind.INTENT, step, kind=KINDS[step], resource="r", prior={"was": step})
        else:
            journal.write({0: Kind.DONE, 1: Kind.UNDO, 2: Kind.UNDONE}[len(word) - len(step)], step)
    return Run(folder)


@pytest.mark.parametrize(
    ("script", "left"),
    [
        ("", []),
        ("+s01", ["s01"]),
        ("+s01 s01 +s02", ["s01", "s02"]),
        (f"{FORTH} =done", ["s01", "s02", "s03", "s04"]),
        ("+s01 s01 +s02 ! -s02 --s02", ["s01"]),
        ("+s01 s01 +s02 ! -s02", ["s01", "s02"]),
        ("+s01 s01 +s02 ! -s02 --s02 -s01 =needs_hands", ["s01", "s02"]),
        ("+s01 s01 +s02 ! -s02 --s02 -s01 =needs_hands ! -s02 --s02", ["s01"]),
        (f"{FORTH} =done +c01", ["s01", "s02", "s03", "s04", "c01"]),
    ],
)
def test_what_was_begun_and_not_wholly_undone(tmp_path: Path, script: str, left: list[str]) -> None:
    """What was undone before the last end is undone once more: a person may have changed things since."""
    intents = list(intents_of(run_of(tmp_path, script)))
    assert [step.id for step, _ in intents] == left
    assert [prior for _, prior in intents] == [{"was": step} for step in left]


def test_an_intent_comes_back_as_the_step_it_was(tmp_path: Path) -> None:
    """Kind and resource; that of a commit, which stands in no plan, from its own record."""
    steps = [step for step, _ in intents_of(run_of(tmp_path, f"{FORTH} =done +c01"))]
    assert [(s.kind, s.resource) for s in steps[:4]] == [(s.kind, s.resource) for s in PLAN.steps]
    assert (steps[4].id, str(steps[4].kind), steps[4].resource) == (COMMIT_STEP, "retire-green", "r")


@pytest.mark.parametrize(
    ("script", "forward", "closing"),
    [
        (FORTH, True, False),
        ("+s01 s01 +s02 s02 +s03 s03 +s04", False, False),
        (f"{FORTH} ! -s04", False, False),
        (f"{FORTH} !", False, False),
        (f"{FORTH} =done +c01", True, True),
        (f"{FORTH} =done +c01 c01", True, True),
        (f"{FORTH} =done ! -s04", False, False),
        ("", False, False),
    ],
)
def test_forward_only_where_nothing_but_the_record_was_missing(
    tmp_path: Path, script: str, forward: bool, closing: bool
) -> None:
    """Everything done and nobody going back; or a commit that was cut short, which is done again."""
    run = run_of(tmp_path, script)
    assert _all_done(run, PLANNED) is forward
    assert _was_closing(run) is closing


@pytest.mark.parametrize(
    ("scripts", "asked", "reference"),
    [
        ({}, None, "nothing-done"),
        ({"1": "+s01 ! =rolled_back"}, None, "nothing-done"),
        ({"1": "+s01 ! =rolled_back"}, "1", "not-done"),
        ({"1": "=done"}, "2", "unknown-run"),
        ({"1": "=done", "2": "+s01"}, None, "unfinished-run"),
        ({"1": "=done", "2": "+s01"}, "1", "unfinished-run"),
        ({"1": "=done", "2": "=needs_hands"}, None, "unfinished-run"),
        ({"1": "=done", "2": "=done"}, "1", "later-run"),
    ],
)
def test_what_cannot_be_rolled_back(tmp_path: Path, scripts: dict[str, str], asked: str | None, reference: str) -> None:
    """Refused by reference."""
    runs = runs_of(tmp_path, scripts)
    with pytest.raises(CutoverError) as caught:
        _to_roll_back(runs, asked)
    assert caught.value.reference == reference


@pytest.mark.parametrize(
    ("scripts", "asked", "chosen"),
    [
        ({"1": "=done", "2": "=done"}, None, "2"),
        ({"1": "=done", "2": "! =rolled_back"}, None, "1"),
        ({"1": "=done", "2": "! =rolled_back"}, "1", "1"),
        ({"1": "=done", "2": "=done"}, "2", "2"),
    ],
)
def test_which_run_is_rolled_back(tmp_path: Path, scripts: dict[str, str], asked: str | None, chosen: str) -> None:
    """The newest that is done; a run that went back stands on nobody."""
    assert _to_roll_back(runs_of(tmp_path, scripts), asked).id == chosen


def test_a_refusal_names_the_verb(tmp_path: Path) -> None:
    """`commit` and `rollback` share the rule."""
    with pytest.raises(CutoverError, match="nothing to commit"):
        _newest_done(Runs(tmp_path, "shop"), None, "commit")


def runs_of(folder: Path, scripts: dict[str, str]) -> Runs:
    """Write several runs."""
    runs = Runs(folder, "shop")
    for name, script in scripts.items():
        run_of(runs.folder / name, script)
    return runs
