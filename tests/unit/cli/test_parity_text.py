"""How parity looks to people, and asking two hosts that are no part of a project."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cutover.cli.parity import parity
from cutover.cli.parity_text import MOST_KINDS, show_parity
from cutover.validate.results import Check, Verdict, error
from tests.unit.probes.conftest import over, zmq_server  # noqa: F401

MS = {"n": 3, "p50_s": 0.001, "p95_s": 0.002, "p99_s": 0.003, "max_s": 0.0041}


def group(number: int, **more: Any) -> dict[str, Any]:
    """Return one kind of difference."""
    return {
        "code": "text-differs", "path": f"$.k{number}", "severity": "error", "cases": 4, "message": "similarity 0.5",
        "diff": ['- "a"', '+ "b\x1b[2J"'], "cure": "mend it", "examples": ["one", "two", "three"], **more,
    }  # fmt: skip


def verdict(groups: list[dict[str, Any]], *findings: Any, **figures: Any) -> Verdict:
    """Return what a run has shown."""
    counts = {"equal": 5, "asked": 9, "different": 4, "unjudged": 0, "seconds": 1.5, "pairs_per_s": 6.0, "seed": 3}
    shown = {**counts, "latency": {"green": MS, "blue": MS}, "accuracy": None, "differences": groups, **figures}
    return Verdict("parity", "", "blue", (Check("one"),), shown, findings)


def test_what_differs_is_shown_once_for_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    """With the first cases, both values, and the cure; nothing that a reply says moves the cursor."""
    code = show_parity(verdict([group(1)], error("gate-equal", "too few", "5 equal", cure="rules")), as_json=False)
    out = capsys.readouterr().out
    assert code == 1
    assert out.startswith(
        "text-differs at $.k1, in 4 cases: one, two, three, ...\n    similarity 0.5\n"
        '    - "a"\n    + "b\N{MIDDLE DOT}[2J"\n    mend it\n'
    )
    assert "FAILED parity: 5 of 9 equal, 4 different; 1.5 s, 6 pairs/s, seed 3\n" in out
    assert out.endswith("  gate-equal: too few\n    | 5 equal\n    cure: rules\n")


def test_many_kinds_are_counted_and_not_all_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody reads ten thousand lines."""
    show_parity(verdict([group(n) for n in range(40)]), as_json=False)
    out = capsys.readouterr().out
    assert out.count("text-differs at") == MOST_KINDS
    assert f"and {40 - MOST_KINDS} more kinds of difference" in out


def test_both_colours_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    """Latency, and accuracy where it was measured; nothing measured is a dash."""
    nothing = {"n": 0, "p50_s": None, "p95_s": None, "p99_s": None, "max_s": None}
    score = {"n": 100, "exact": 0.9, "similarity": 0.95, "correct": 0.93}
    accuracy = {"green": score, "blue": score, "regression": 0.0}
    code = show_parity(verdict([], latency={"green": MS, "blue": nothing}, accuracy=accuracy), as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert ["green", "3", "1.0", "ms", "2.0", "ms", "3.0", "ms", "4.1", "ms"] in lines
    assert ["blue", "0", "-", "-", "-", "-"] in lines
    assert ["green", "100", "93.0%", "90.0%", "0.950"] in lines


def test_two_hosts_need_no_compose_file_and_no_engine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    zmq_server: Callable[..., int],  # noqa: F811
) -> None:
    """Only cutover.yaml, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    (tmp_path / "cutover.yaml").write_text("parity: {to: 'zmq://:5570', cases: [{request: {method: a}}]}\n")
    green, blue = (zmq_server(answer=lambda frames: [frames[-1]]) for _ in "gb")
    said = ["--json", f"--green-at=127.0.0.1:5570->{green}", f"--blue-on=127.0.0.1:5570->{blue}"]
    with pytest.raises(SystemExit) as ended:
        parity.main(said, standalone_mode=False)
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["verdicts"][0]["figures"]["equal"] == 1
    with pytest.raises(SystemExit) as ended:
        parity.main([said[0], said[1]], standalone_mode=False)
    assert (ended.value.code, "no-compose-file" in capsys.readouterr().out) == (2, True)
