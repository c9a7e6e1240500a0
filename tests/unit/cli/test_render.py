"""How things look: errors, reports, progress and tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cutover.cli.render import EXIT_CODES, Progress, error_text, exit_code, report_text, show_report, table
from cutover.errors import CutoverError, StepError
from cutover.events import Note, StepEvent, StepState
from cutover.flow.runner import Outcome, StepReport
from cutover.flow.runs import Result, Run
from cutover.flow.swap import SwapReport
from tests.unit.flow.stage import PLAN

ERROR = StepError("not-bound", "Docker did not bind 80.", evidence=["wanted: 80", "bound: -"], hint="cutover ports")
PREDICTED = replace(PLAN, stall_predicted_s=0.15, stall_cause="measured")
RUN = Run(Path("/srv/shop/.cutover/shop/20260301T120000-ab12"))


def report(result: Result, error: CutoverError | None = None, stall: float | None = None) -> SwapReport:
    """Return how a run ended."""
    steps = [StepReport(PLAN.steps[0], StepState.DONE, 0.12345)]
    outcome = Outcome(result, steps, error, stall, ["green was left parked"])
    return SwapReport(RUN, PREDICTED, outcome, f"cutover rollback {RUN.id}")


def test_an_error_is_what_happened_the_evidence_and_the_next_command() -> None:
    """And its reference, for a search."""
    assert error_text(ERROR) == (
        "cutover: Docker did not bind 80.\n  | wanted: 80\n  | bound: -\n  next: cutover ports\n  (not-bound)"
    )
    assert error_text(CutoverError("x", "It is so.")) == "cutover: It is so.\n  (x)"


def test_a_run_that_is_done() -> None:
    """With the silence, measured and predicted, and the way back."""
    assert report_text(report(Result.DONE, stall=0.1234)) == (
        "done: run 20260301T120000-ab12, old -> new, ports 5570\n"
        "silence of the legacy ports: 0.123 s measured, 0.15 s (measured) predicted\n"
        "warning: green was left parked\n"
        "go back:  cutover rollback 20260301T120000-ab12"
    )


def test_a_run_that_went_back() -> None:
    """With why; there is nothing to go back from."""
    assert report_text(report(Result.ROLLED_BACK, ERROR)) == (
        "rolled_back: run 20260301T120000-ab12, old -> new, ports 5570\n"
        "warning: green was left parked\n"
        "cutover: Docker did not bind 80.\n  | wanted: 80\n  | bound: -\n  next: cutover ports\n  (not-bound)"
    )


def test_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One object on stdout."""
    show_report(report(Result.ROLLED_BACK, ERROR, stall=0.98765), as_json=True)
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "run": "20260301T120000-ab12",
        "result": "rolled_back",
        "strategy": "relink",
        "green": "old",
        "blue": "new",
        "images": None,
        "ports": [5570],
        "steps": [
            {"id": "s01", "kind": "backup", "resource": "compose.yaml", "state": "done", "duration_s": 0.123},
        ],
        "stall_predicted_s": 0.15,
        "stall_measured_s": 0.988,
        "warnings": ["green was left parked"],
        "error": ERROR.as_dict(),
        "rollback_command": None,
        "rollback_script": None,
    }


@pytest.mark.parametrize(
    ("result", "code"), [("done", 0), ("refused", 1), ("rolled_back", 3), ("needs_hands", 4), ("interrupted", 130)]
)
def test_exit_codes(result: str, code: int) -> None:
    """As documented."""
    assert exit_code(report(Result(result))) == code
    assert set(EXIT_CODES) == {str(r) for r in Result}


def tell_all() -> None:
    """Tell one of everything."""
    progress = Progress()
    for state in StepState:
        progress.tell(StepEvent("s07", "relink", state, "relink 5570 [bold]", 1.234))
    progress.tell(Note("who is [red]there"))
    progress.close()


def test_progress_is_told_on_stderr_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    """No spinner and no colours where it is no terminal; brackets are text, not markup."""
    tell_all()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "    ok s07 relink 5570 [bold]  1.23 s",
        "FAILED s07 relink 5570 [bold]  1.23 s",
        "undone s07 relink 5570 [bold]  1.23 s",
        "       who is [red]there",
    ]


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_no_color_is_honoured(
    no_color: str | None, coloured: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal too."""
    for name in ("NO_COLOR", "TERM", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    progress = Progress()
    progress.tell(StepEvent("s07", "relink", StepState.DONE, "relink 5570"))
    err = capsys.readouterr().err
    assert ("\x1b[32m" in err) is coloured
    assert "ok" in err


def test_a_table_in_a_pipe_is_plain_and_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """One row a line, however long; brackets are text."""
    long = "x" * 150
    table("", ["service", "held by"], [["old", long], ["new", "[red]nobody"]])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert [line.split() for line in lines] == [["service", "held", "by"], ["old", long], ["new", "[red]nobody"]]
