"""How verdicts look: text for people, one JSON object, JUnit XML for CI; and the exit code that they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.cli.plain import printable
from cutover.cli.render import show_json
from cutover.errors import ExitCode
from cutover.files import usual_mode, write_atomic
from cutover.model import Finding, Severity
from cutover.validate.junit import junit as as_junit
from cutover.validate.results import Check, Verdict

if TYPE_CHECKING:
    from rich.console import Console

Shown = tuple[str, str, str]
"""A mark, its style, a text."""
MOST_CHECKS = 40
_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}


def show_verdicts(verdicts: Sequence[Verdict], *, as_json: bool, junit: Path | None = None) -> int:
    """Print verdicts on stdout, write them to `junit` as XML, and return 0 if all passed, else 1.

    Raises:
        OSError: the XML file cannot be written.

    """
    write_junit(verdicts, junit)
    passed = all(v.passed for v in verdicts)
    if as_json:
        shown = {"passed": passed, "verdicts": [v.as_dict() for v in verdicts]}
        show_json(shown)
    else:
        from rich.console import Console  # noqa: PLC0415

        show_text(verdicts, Console(highlight=False, soft_wrap=True))
    return int(ExitCode.DONE if passed else ExitCode.REFUSED)


def write_junit(verdicts: Iterable[Verdict], place: Path | None) -> None:
    """Write verdicts as JUnit XML where a place was given: whole or not at all, but into a pipe or a device.

    Raises:
        OSError: it cannot be written.

    """
    if place is None:
        return
    if place.exists() and not place.is_file():  # /dev/stdout, or >(a command)
        place.write_bytes(as_junit(verdicts))
    else:
        write_atomic(place, as_junit(verdicts), mode=None if place.exists() else usual_mode())


def show_text(verdicts: Iterable[Verdict], console: Console) -> None:
    """Print verdicts for people: a line a check, and below it what was wrong."""
    for verdict in verdicts:
        _print(_lines(verdict), console)


def show_summaries(verdicts: Iterable[Verdict], console: Console) -> None:
    """Print a line a verdict: how many checks passed, or why none was made."""
    for verdict in verdicts:
        skipped = [c.skipped for c in verdict.checks]
        if skipped and all(skipped):
            _print([("  skip", "yellow", f"{verdict.verb} {verdict.name}".rstrip() + f": {skipped[0]}")], console)
        else:
            _print([next(_lines(verdict))], console)


def show_finding(finding: Finding, console: Console) -> None:
    """Print what was wrong: its evidence, and the cure."""
    _print(_told(finding), console)


def _print(lines: Iterable[Shown], console: Console) -> None:
    for mark, style, text in lines:
        console.print(mark, style=style, end=" ", markup=False)
        console.print(printable(text), markup=False)


def _lines(verdict: Verdict) -> Iterator[Shown]:
    word, style = ("passed", "bold green") if verdict.passed else ("FAILED", "bold red")
    named = " ".join(filter(None, [verdict.verb, verdict.name]))
    yield word, style, f"{named} on {verdict.subject}: {_summary(verdict)}"
    for finding in verdict.findings:
        yield from _told(finding)
    listed = verdict.checks if len(verdict.checks) <= MOST_CHECKS else [c for c in verdict.checks if _matters(c)]
    width = max((len(c.name) for c in listed[:MOST_CHECKS]), default=0)
    for check in listed[:MOST_CHECKS]:
        yield from _check(check, width)
    if len(listed) > MOST_CHECKS:
        yield "      ", "", f"and {len(listed) - MOST_CHECKS} more; --json shows all"


def _summary(verdict: Verdict) -> str:
    failed = sum(not c.passed for c in verdict.checks)
    skipped = sum(bool(c.skipped) for c in verdict.checks)
    total = len(verdict.checks)
    seconds = sum(c.seconds for c in verdict.checks)
    counts = [f"{total - failed - skipped} of {total} passed"]
    counts += [f"{failed} failed"] if failed else []
    counts += [f"{skipped} skipped"] if skipped else []
    return f"{', '.join(counts)}, in {seconds:.2f} s"


def _matters(check: Check) -> bool:
    return bool(check.findings or check.skipped)


def _check(check: Check, width: int) -> Iterator[Shown]:
    if check.skipped:
        yield "  skip", "yellow", f"{check.name:<{width}}  {check.skipped}"
    else:
        word, style = ("    ok", "green") if check.passed else ("FAILED", "bold red")
        yield word, style, f"{check.name:<{width}}  {check.detail}".rstrip()
    for finding in check.findings:
        yield from _told(finding)


def _told(finding: Finding) -> Iterator[Shown]:
    yield f"       {finding.code}:", _STYLES[finding.severity], finding.message
    for fact in finding.evidence:
        yield "         |", "dim", fact
    if finding.cure:
        yield "         cure:", "dim", finding.cure
