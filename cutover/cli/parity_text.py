"""How parity looks to people: what differs by kind, latency and accuracy side by side, the gate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cutover.cli.plain import Mark, echo, one_line
from cutover.cli.render import table
from cutover.cli.verdicts import show_verdicts, write_junit
from cutover.errors import ExitCode
from cutover.validate.results import Verdict

MOST_KINDS = 12
"""Kinds of difference that are shown; `--json` has all of them."""
_SIGNS = {"-": "red", "+": "green"}


def show_parity(verdict: Verdict, *, as_json: bool, junit: Path | None = None) -> int:
    """Print what parity has shown, and return 0 if the gate holds, else 1.

    Raises:
        OSError: the XML file cannot be written.

    """
    if as_json:
        return show_verdicts([verdict], as_json=True, junit=junit)
    write_junit([verdict], junit)
    _differences(verdict.figures["differences"])
    _latency(verdict.figures["latency"])
    _accuracy(verdict.figures["accuracy"])
    _gate(verdict)
    return int(ExitCode.DONE if verdict.passed else ExitCode.REFUSED)


def _differences(groups: list[Mapping[str, Any]]) -> None:
    for group in groups[:MOST_KINDS]:
        cases = "1 case" if group["cases"] == 1 else f"{group['cases']} cases"
        colour = "red" if group["severity"] == "error" else "yellow"
        more = ", ..." if group["cases"] > len(group["examples"]) else ""
        named = f" at {group['path']}, in {cases}: {', '.join(group['examples'])}{more}"
        echo(Mark(group["code"], colour, bold=True), one_line(named))
        echo(f"    {one_line(group['message'])}")
        for line in group["diff"]:
            echo(Mark(f"    {one_line(line)}", _SIGNS.get(line[:1])))
        if group["cure"]:
            echo(Mark(f"    {one_line(group['cure'])}", dim=True))
    if len(groups) > MOST_KINDS:
        echo(f"and {len(groups) - MOST_KINDS} more kinds of difference; --json shows all")
    if groups:
        echo()


def _latency(latency: Mapping[str, Mapping[str, Any]]) -> None:
    columns = ["latency", "n", "p50", "p95", "p99", "max"]
    rows = [
        [colour, str(f["n"]), *(_ms(f[name]) for name in ("p50_s", "p95_s", "p99_s", "max_s"))]
        for colour, f in latency.items()
    ]
    table("", columns, rows)


def _accuracy(accuracy: Mapping[str, Any] | None) -> None:
    if accuracy is None:
        return
    rows = [
        [who, str(f["n"]), *(f"{f[name]:.1%}" for name in ("correct", "exact")), f"{f['similarity']:.3f}"]
        for who, f in accuracy.items()
        if isinstance(f, Mapping) and f.get("correct") is not None
    ]
    echo()
    table("", ["accuracy", "n", "correct", "exact", "similarity"], rows)


def _gate(verdict: Verdict) -> None:
    figures = verdict.figures
    counts = [f"{figures['equal']} of {figures['asked']} equal", f"{figures['different']} different"]
    counts += [f"{figures['unjudged']} not judged"] if figures["unjudged"] else []
    skipped = sum(bool(c.skipped) for c in verdict.checks)
    counts += [f"{skipped} not asked"] if skipped else []
    speed = f"{figures['seconds']:.1f} s, {figures['pairs_per_s']:.0f} pairs/s, seed {figures['seed']}"
    echo()
    word, colour = ("passed", "green") if verdict.passed else ("FAILED", "red")
    echo(Mark(word, colour, bold=True), f" parity: {', '.join(counts)}; {speed}")
    for finding in verdict.findings:
        echo("  ", Mark(finding.code, "red"), f": {one_line(finding.message)}")
        for fact in finding.evidence:
            echo(f"    | {one_line(fact)}")
        if finding.cure:
            echo(f"    cure: {one_line(finding.cure)}")


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"
