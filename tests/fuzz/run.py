"""Fuzzes all targets one after the other and prints a table: `scripts/fuzz`."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.finding import name_of, smallest, wrong_with
from tests.fuzz.registry import TARGETS
from tests.fuzz.target import ROOT, Target

FOLDER = ROOT / "build" / "fuzz"
LONGEST_BYTES = 8192
HANGS_S = 30
MEMORY_MB = 2048
STARTS_S = 90.0
_STAT = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_COVER = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")


@dataclass
class Row:
    """What fuzzing one target came to. `findings` are faults, each with its smallest input."""

    target: str
    executions: int = 0
    seconds: float = 0.0
    coverage: str = "?"
    findings: dict[str, Path] = field(default_factory=dict)

    def cells(self) -> list[str]:
        """Return the row as the table shows it."""
        per_second = f"{self.executions / self.seconds:,.0f}" if self.seconds else "?"
        return [self.target, f"{self.executions:,}", per_second, self.coverage, str(len(self.findings))]


def main() -> int:
    """Fuzz what is asked for; 1 where anything was found."""
    given = _given()
    if given.cli:
        from tests.fuzz.cli import main as cli  # noqa: PLC0415

        return cli(given.seconds, given.seed)
    rows = []
    for name in given.only or TARGETS:
        rows.append(fuzzed(TARGETS[name], given.seconds, given.seed))
        print(f"{rows[-1].cells()}", file=sys.stderr, flush=True)
    show(rows)
    return 1 if any(row.findings for row in rows) else 0


def fuzzed(target: Target, seconds: int, seed: int) -> Row:
    """Fuzz one target in a process of its own, and see what it found once more without instruments."""
    place = FOLDER / target.name
    corpus, raw = place / "corpus", place / "raw"
    for folder in (corpus, raw):
        folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(target.seeds()):
        (corpus / f"seed-{number:03}").write_bytes(content)
    options = [
        f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LONGEST_BYTES}", f"-timeout={HANGS_S}",
        f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={raw}/", "-print_final_stats=1", "-verbosity=1", str(corpus),
    ]  # fmt: skip
    begun = time.monotonic()
    command = [sys.executable, "-m", "tests.fuzz.guided", target.name, str(raw), *options]
    log = place / "log"
    with log.open("wb") as out:
        try:
            subprocess.run(command, cwd=ROOT, stdout=out, stderr=out, check=False, timeout=seconds + STARTS_S + HANGS_S)
        except subprocess.TimeoutExpired:
            (raw / "stuck").write_bytes(b"")
    return _row(target, log.read_text(errors="replace"), raw, min(seconds, time.monotonic() - begun))


def _row(target: Target, told: str, raw: Path, seconds: float) -> Row:
    row = Row(target.name, seconds=seconds)
    if counted := _STAT.search(told):
        row.executions = int(counted[1])
    elif done := re.findall(r"^#(\d+)\s", told, re.MULTILINE):  # it did not come to an end
        row.executions = int(done[-1])
    if covered := _COVER.findall(told):
        row.coverage = "{} / {} / {}".format(*covered[-1])
    kept = raw.parent / "findings"
    kept.mkdir(exist_ok=True)
    for path in sorted(raw.iterdir()):
        data = path.read_bytes()
        found = (
            wrong_with(target, data) if not path.name.startswith(("timeout-", "stuck", "oom-", "crash-")) else path.name
        )
        if found is None:  # slow with the instruments only
            continue
        least = smallest(target, data, found)
        row.findings[found] = kept / name_of(found)
        row.findings[found].write_bytes(least)
    return row


def show(rows: list[Row]) -> None:
    """Print the table, and what was found."""
    heads = ["target", "executions", "per second", "edges / features / corpus", "findings"]
    cells = [heads, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    for line in cells:
        print(
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
        )
    for row in rows:
        for found, path in row.findings.items():
            print(f"{row.target}: {found}\n  {path}: {path.read_bytes()[:100]!r}")


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description="Coverage-guided fuzzing of all that cutover reads."
    )
    parser.add_argument(
        "--seconds", type=int, default=60, metavar="N", help="for each target (60), or for all of --cli"
    )
    parser.add_argument("--only", action="append", choices=list(TARGETS), metavar="TARGET", help="|".join(TARGETS))
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="where libFuzzer's dice begin (1)")
    parser.add_argument("--cli", action="store_true", help="whole commands on bad files instead, without atheris")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
