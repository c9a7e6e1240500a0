"""Verdicts for people, programs and CI, and the exit code that they mean."""

from __future__ import annotations

import json
import os
import stat
from xml.etree import ElementTree as ET

import pytest

from cutover.cli.verdicts import MOST_CHECKS, show_verdicts, write_junit
from cutover.validate.results import Check, Verdict, error, warning

PASSED = Verdict("smoke", "manager", "green", (Check("health", 0.25, detail="answer, 2.0 ms"),), {"steps": 1})
FAILED = Verdict(
    "smoke",
    "manager",
    "blue",
    (
        Check("health", 0.5, (error("no-match", "$.a: seen [red]x[/]\x1b[2J", "| fact", cure="do this"),), "answer"),
        Check("a longer name", skipped="needs ${a} of health"),
    ),
    findings=(warning("odd", "worth knowing"),),
)


def test_text(capsys):
    """A line a check, below it what was wrong; markup and control characters of a reply are only shown."""
    assert show_verdicts([PASSED, FAILED], as_json=False) == 1
    assert capsys.readouterr().out.splitlines() == [
        "passed smoke manager on green: 1 of 1 passed, in 0.25 s",
        "    ok health  answer, 2.0 ms",
        "FAILED smoke manager on blue: 0 of 2 passed, 1 failed, 1 skipped, in 0.50 s",
        "       odd: worth knowing",
        "FAILED health         answer",
        "       no-match: $.a: seen [red]x[/]\N{MIDDLE DOT}[2J",
        "         | | fact",
        "         cure: do this",
        "  skip a longer name  needs ${a} of health",
    ]


def test_json(capsys):
    """One object with everything."""
    assert show_verdicts([PASSED], as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {"passed": True, "verdicts": [PASSED.as_dict()]}


def test_junit(capsys, tmp_path):
    """Beside what is printed."""
    assert show_verdicts([FAILED], as_json=True, junit=tmp_path / "x.xml") == 1
    assert ET.parse(tmp_path / "x.xml").getroot().get("failures") == "1"
    assert json.loads(capsys.readouterr().out)["passed"] is False


def test_junit_into_a_new_file_an_old_one_and_a_pipe(tmp_path):
    """A new one is for whom the umask says, an old one keeps its mode, a pipe (`>(a command)`) stays one."""
    before = os.umask(0o027)
    try:
        write_junit([PASSED], tmp_path / "new.xml")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.xml").stat().st_mode) == 0o640
    (tmp_path / "new.xml").chmod(0o600)
    write_junit([FAILED], tmp_path / "new.xml")
    assert stat.S_IMODE((tmp_path / "new.xml").stat().st_mode) == 0o600
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_junit([FAILED], pipe)
    assert ET.fromstring(os.read(reader, 1 << 16)).get("failures") == "1"
    os.close(reader)
    assert pipe.is_fifo()
    write_junit([PASSED], None)


def test_a_file_that_cannot_be_written(capsys, tmp_path):
    """Nothing is printed as if all had gone well."""
    with pytest.raises(OSError, match="nowhere"):
        show_verdicts([PASSED], as_json=False, junit=tmp_path / "nowhere" / "x.xml")
    assert capsys.readouterr().out == ""


def test_many_checks(capsys):
    """Only those that matter are listed, and not all of them."""
    good = tuple(Check(f"good {n}") for n in range(100))
    bad = tuple(Check(f"bad {n}", findings=(error("c", "m"),)) for n in range(MOST_CHECKS + 5))
    show_verdicts([Verdict("parity", "", "blue", (*good, *bad))], as_json=False)
    out = capsys.readouterr().out
    assert "good" not in out
    assert out.count("FAILED bad") == MOST_CHECKS
    assert out.splitlines()[-1].strip() == "and 5 more; --json shows all"
