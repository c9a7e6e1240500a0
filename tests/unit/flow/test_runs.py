"""How a run ended, read from its journal; and the folder that runs are kept in."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from cutover.errors import ExitCode, UsageError
from cutover.flow.journal import Journal, Kind
from cutover.flow.runs import Result, Run, Runs, state_folder
from tests.unit.flow.stage import PLAN
from tests.unit.flow.world import START, FakeClock

STEP = {"kind": "backup", "resource": "f", "prior": {}}


def run_of(folder: Path, script: str) -> Run:
    """Write a journal from words: `plan`, `+s01` (intent), `s01` (done), `-s01` (undo), `--s01`, `=done` (result)."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder, FakeClock())
    for word in script.split():
        if word == "plan":
            journal.write(Kind.PLAN, **PLAN.header())
        elif word == "failed":
            journal.write(Kind.FAILED, error=None)
        elif word.startswith("="):
            journal.write(Kind.RESULT, result=word[1:])
        else:
            kind = {"+": Kind.INTENT, "-": Kind.UNDO}.get(word[0], Kind.DONE)
            data = STEP if kind is Kind.INTENT else {}
            journal.write(Kind.UNDONE if word.startswith("--") else kind, word.lstrip("+-"), **data)
    return Run(folder)


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("", "unfinished"),
        ("plan", "unfinished"),
        ("plan +s01 s01", "unfinished"),
        ("plan +s01 s01 =done", "done"),
        ("plan +s01 failed -s01 --s01 =rolled_back", "rolled_back"),
        ("plan +s01 failed -s01 =needs_hands", "needs_hands"),
        ("plan +s01 s01 =done failed", "done"),
        ("plan +s01 s01 =done failed -s01", "unfinished"),
        ("plan +s01 s01 =done failed -s01 --s01", "unfinished"),
        ("plan +s01 s01 =done failed -s01 --s01 =rolled_back", "rolled_back"),
        ("plan +s01 s01 =done +c01", "unfinished"),
        ("plan +s01 s01 =done +c01 c01 =done", "done"),
        ("plan +s01 failed -s01 =needs_hands failed -s01 --s01 =rolled_back", "rolled_back"),
    ],
)
def test_outcome(tmp_path: Path, script: str, outcome: str) -> None:
    """A result counts until something is begun or undone after it."""
    run = run_of(tmp_path / "r", script)
    assert run.outcome == outcome
    assert (run.result is None) is (outcome == "unfinished")


def test_what_recover_is_for(tmp_path: Path) -> None:
    """Runs without an end, and those whose end needs hands; oldest first."""
    runs = Runs(tmp_path, "shop")
    for name, script in (("4", "plan =done"), ("3", "plan"), ("1", "plan =needs_hands"), ("2", "plan =rolled_back")):
        run_of(runs.folder / name, script)
    assert [r.id for r in runs.all()] == ["1", "2", "3", "4"]
    assert [r.id for r in runs.unfinished()] == ["1", "3"]


def test_a_run_tells_what_it_set_out_to_do(tmp_path: Path) -> None:
    """Nothing where the crash came before the first record."""
    run = run_of(tmp_path / "a", "plan =done")
    assert (run.header["green"], run.started_at) == ("old", START.isoformat())
    empty = run_of(tmp_path / "b", "")
    assert (empty.header, empty.started_at, empty.records) == ({}, "", ())


def test_a_new_run_has_a_folder_that_only_its_owner_reads(tmp_path: Path) -> None:
    """Its name says when; the state folder tells git to leave it alone."""
    run = Runs(tmp_path, "shop").new(FakeClock())
    assert run.id.startswith("20260301T120000.000-")
    assert run.folder.parent == tmp_path / ".cutover" / "shop"
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (run.folder, tmp_path / ".cutover")}
    assert modes == {run.id: 0o700, ".cutover": 0o700}
    assert (tmp_path / ".cutover" / ".gitignore").read_text() == "*\n"


def test_a_gitignore_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    """Whoever wants the journals in git may."""
    (tmp_path / ".cutover").mkdir()
    ignore = tmp_path / ".cutover" / ".gitignore"
    ignore.write_text("*.lock\n")
    Runs(tmp_path, "shop").new(FakeClock())
    assert ignore.read_text() == "*.lock\n"


def test_an_empty_gitignore_is_mended(tmp_path: Path) -> None:
    """A disk that was full left it so; and it is written whole or not at all."""
    ignore = tmp_path / ".cutover" / ".gitignore"
    ignore.parent.mkdir()
    ignore.touch()
    state_folder(ignore.parent)
    assert ignore.read_text() == "*\n"


def test_a_full_disk_keeps_nobody_from_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left half written, and who wants to go back can."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert list(state_folder(tmp_path / "state").iterdir()) == []


def test_looking_makes_nothing(tmp_path: Path) -> None:
    """A project without runs has none, and no folder afterwards."""
    runs = Runs(tmp_path, "shop")
    assert (runs.all(), runs.unfinished()) == ([], [])
    assert list(tmp_path.iterdir()) == []


def test_files_among_the_runs_are_no_runs(tmp_path: Path) -> None:
    """Somebody left a note there."""
    runs = Runs(tmp_path, "shop")
    run_of(runs.folder / "1", "plan =done")
    (runs.folder / "notes.txt").write_text("mine")
    assert [r.id for r in runs.all()] == ["1"]


def test_a_run_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    """The latest five, for a person who mistyped one."""
    runs = Runs(tmp_path, "shop")
    for number in range(7):
        run_of(runs.folder / f"r{number}", "plan")
    assert runs.get("r3").id == "r3"
    with pytest.raises(UsageError, match="There is no run 'r9'") as caught:
        runs.get("r9")
    assert caught.value.evidence == ("latest runs: r2, r3, r4, r5, r6",)
    assert caught.value.exit_code is ExitCode.USAGE


def test_results_are_the_words_of_the_exit_codes() -> None:
    """Every end of a run has an exit code."""
    from cutover.cli.render import EXIT_CODES  # noqa: PLC0415

    assert set(EXIT_CODES) == {str(r) for r in Result}


def test_a_run_sorts_behind_those_before_it_though_the_clock_was_set_back(tmp_path: Path) -> None:
    """`rollback` and `recover` mean the newest: an hour of daylight saving must not make it another one."""
    clock, runs = FakeClock(), Runs(tmp_path, "p")
    first = runs.new(clock)
    clock.seconds -= 3600
    later = [runs.new(clock) for _ in range(3)]
    assert [r.id for r in runs.all()] == [r.id for r in (first, *later)]


@pytest.mark.parametrize(
    "script", ["plan +s01 s01 =done", "plan +s01", "plan =needs_hands", "plan +s01 s01 =done +c01"]
)
def test_rolled_back_by_hand(tmp_path: Path, script: str) -> None:
    """What rollback.sh did counts, however the journal ends; such a run is neither open nor to be rolled back again."""
    run = run_of(tmp_path / ".cutover" / "shop" / "r1", script)
    assert run.script is None
    (run.folder / "rollback.sh").touch()
    (run.folder / "rolled-back-by-hand").touch()
    assert (run.outcome, run.by_hand, run.script) == ("rolled_back", True, run.folder / "rollback.sh")
    assert not Runs(tmp_path, "shop").unfinished()


def test_a_damaged_run_that_was_rolled_back_by_hand(tmp_path: Path) -> None:
    """Nobody can read its journal, and it went back all the same: it stands in nobody's way."""
    run = run_of(tmp_path / ".cutover" / "shop" / "r1", "plan +s01 s01")
    (run.folder / "journal.jsonl").write_text("nonsense\nnonsense\n")
    assert Run(run.folder).outcome == "damaged"
    (run.folder / "rolled-back-by-hand").touch()
    assert Run(run.folder).outcome == "rolled_back"
    assert not Runs(tmp_path, "shop").unfinished()
