"""Prints one table: how the edits of `cutover.document` do on a corpus of compose files and its mutations."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from figures_cases import Tally, eligible, try_edits, try_hopeless, try_moves, try_sets
from figures_compose import ROW as COMPOSE
from figures_compose import judge
from figures_mutations import mutations

from cutover.document import HAS_LIBYAML, Document, move_ports
from cutover.errors import EditRefusedError

CORPUS, MUTATED = "moves, the corpus", "moves, its mutations"
PROCESSES = 2
FEWEST = 200  # a share of fewer tries than these says nothing, unless it must be all of them


@dataclass(frozen=True)
class Scope:
    """How much is tried: every n-th file, and of each so many moves, moves a mutation, services, and so on."""

    every: int
    moves: int | None
    mutated: int
    services: int
    sets: int | None
    judged: int


FULL, QUICK = Scope(1, None, 2, 4, 5, 1), Scope(6, 10, 1, 2, 2, 1)


@dataclass(frozen=True)
class Figure:
    """One line of the table; `passed` is None where there is nothing to reach."""

    name: str
    value: str
    target: str = ""
    passed: bool | None = None


def main() -> int:
    """Measure, print, and return 1 if a figure is not reached."""
    parser = argparse.ArgumentParser(prog="scripts/figures", description=__doc__)
    parser.add_argument("corpus", type=Path, help="folder with compose files, or with a folder `files` of them")
    parser.add_argument("--text-only", action="store_true", help="measure no times and do not ask docker compose")
    parser.add_argument("--quick", action="store_true", help="a sample, in under half a minute")
    options = parser.parse_args()
    folder = options.corpus / "files" if (options.corpus / "files").is_dir() else options.corpus
    paths = sorted(path for path in folder.iterdir() if path.suffix in {".yml", ".yaml"})
    if not paths:
        parser.error(f"no compose files in {folder}")
    scope = QUICK if options.quick else FULL
    files = {path.name: path.read_bytes() for path in paths[:: scope.every]}
    started = time.monotonic()
    times = [] if options.text_only else list(latencies(files, scope))
    tally = Tally()
    with ProcessPoolExecutor(PROCESSES) as pool:
        spread = map if options.quick else pool.map
        parts = [spread(examine, files.items(), [scope] * len(files))]
        if not options.text_only:
            parts.append(spread(judge, files.values(), files, [scope.judged] * len(files)))
        for part in itertools.chain(*parts):
            tally.merge(part)
    lines = [*figures(tally, len(files)), *([] if options.text_only else judged(tally, len(files))), *times]
    return report(lines, tally, time.monotonic() - started)


def examine(file: tuple[str, bytes], scope: Scope) -> Tally:
    """Try everything on one file."""
    name, content = file
    tally = try_moves(content, name, CORPUS, scope.moves)
    tally.merge(try_edits(content, name, scope.services))
    tally.merge(try_hopeless(content, name))
    tally.merge(try_sets(content, name, scope.sets))
    for dress, mutate in mutations().items():
        try:
            mutated = mutate(content)
        except Exception:  # noqa: BLE001 - this file cannot be put into this dress
            tally.counts[MUTATED, "no such dress"] += 1
            continue
        if mutated == content:
            continue
        part = try_moves(mutated, f"{name} [{dress}]", MUTATED, scope.mutated)
        if part.counts[MUTATED, "eligible"]:
            tally.counts["dress", dress] += 1
        tally.merge(part)
    return tally


def latencies(files: dict[str, bytes], scope: Scope) -> Iterator[Figure]:
    """Time whole moves, parsing and proof included: of the corpus with both parsers, and in a large file."""
    if HAS_LIBYAML:
        times = sorted(_times(files, scope.moves, 1, pure=False))
        yield _below("median of a move, libyaml (CPU time)", statistics.median(times) * 1e3, 5)
        yield _below("99th percentile, libyaml", times[int(len(times) * 0.99)] * 1e3, 30)
        large = statistics.median(_one_large(pure=False) for _ in range(3))
        yield _below("1,000 services, 24,000 lines, libyaml", large * 1e3, 1000)
    times = sorted(_times(files, scope.moves, 12 if scope is FULL else 4, pure=True))
    yield Figure("median, pure parser", f"{statistics.median(times) * 1e3:.1f} ms of {len(times):,}")
    yield _below("99th percentile, pure parser", times[int(len(times) * 0.99)] * 1e3, 250)


def _times(files: dict[str, bytes], most: int | None, every: int, *, pure: bool) -> Iterator[float]:
    for name, content in files.items():
        try:
            cases = list(eligible(content, name))[:most][::every]
        except EditRefusedError:
            continue
        for document, source, entry, target in cases:
            yield _time(document.content, name, (source, target, entry.published), pure=pure)


def _time(content: bytes, name: str, move: tuple, *, pure: bool) -> float:
    """Return the better of two runs, in CPU time: nothing here waits, but the machine may be at work for others."""
    source, target, published = move
    runs = []
    for _ in range(2):
        begin = time.process_time()
        with contextlib.suppress(EditRefusedError):
            move_ports(Document.parse(content, name, pure=pure), source, target, published)
        runs.append(time.process_time() - begin)
    return min(runs)


def _one_large(*, pure: bool) -> float:
    body = "".join(f"      KEY_{n}: value {n}\n" for n in range(17))
    services = "".join(
        f'  service-{n}:\n    image: busybox:{n}\n    restart: always\n    ports:\n      - "{n + 2000}:80"\n'
        f"    environment:\n{body}\n"
        for n in range(1000)
    )
    move = ("service-500", "service-900", None)
    return _time(f"services:\n{services}".encode(), "large.yml", move, pure=pure)


def figures(tally: Tally, files: int) -> Iterator[Figure]:
    """Turn counts into lines of the table."""
    counts = tally.counts
    yield Figure("files", f"{files:,}")
    for row in (CORPUS, MUTATED):
        yield from _moves(tally, row)
    dresses = sum(1 for row, _ in counts if row == "dress")
    yield Figure("mutations in use", str(dresses), ">= 20", dresses >= 20)
    yield _share(tally, "restore", "restore the bytes", 100)
    yield _share(tally, "inverse move", "move back on a file changed meanwhile", 97)
    yield _none(counts["inverse move", "wrong"], "  wrong")
    for row, least in (("add a service", 99.5), ("set a new scalar", 99.5), ("set a scalar", 99.5)):
        yield from _there_and_back(tally, row, least)
    for row in ("gpu reservation", "networks", "labels", "profiles"):
        yield from _there_and_back(tally, row, 97)
    yield _share(tally, "two -f files", "moves from one -f file to another", 97)
    yield _none(counts["two -f files", "wrong"] + counts["two -f files", "outside"], "  wrong or outside")
    for row in sorted({row for row, _ in counts if row.startswith("from another file")}):
        yield _share(tally, row, f"refused {row}", 100, column="refused")
    yield _share(
        tally, "to a service that cannot publish", "refused to a service without published ports", 100, "refused"
    )
    yield _none(
        sum(n for (_, column), n in counts.items() if column == "refused without a line"), "refusals without a line"
    )


def judged(tally: Tally, files: int) -> Iterator[Figure]:
    """Turn what Compose said into lines of the table."""
    yield _share(tally, COMPOSE, "the canonical model as expected", 100)
    yield Figure("files that Compose takes by themselves", f"{files - tally.counts[COMPOSE, 'not valid by itself']:,}")


def _moves(tally: Tally, row: str) -> Iterator[Figure]:
    yield _share(tally, row, row, 97)
    yield _none(tally.counts[row, "wrong"], "  wrong")
    yield _none(tally.counts[row, "outside"], "  bytes outside the intended lines, moves")


def _there_and_back(tally: Tally, row: str, least: float) -> Iterator[Figure]:
    yield _share(tally, row, row, least)
    yield _none(tally.counts[row, "wrong"] + tally.counts[row, "outside"], "  wrong or outside")
    done, same = tally.counts[row, "taken back"], tally.counts[row, "identical"]
    share = 100 * same / done if done else 100
    yield Figure("  taken back, byte-identical", f"{share:.2f} % ({same:,} of {done:,})", "100 %", same == done)


def _share(tally: Tally, row: str, name: str, least: float, column: str = "done") -> Figure:
    done, of = tally.counts[row, column], tally.counts[row, "eligible"]
    if not of:
        return Figure(name, "none in the sample", f">= {least} %")
    share = 100 * done / of
    telling = of >= FEWEST or least == 100
    return Figure(name, f"{share:.2f} % ({done:,} of {of:,})", f">= {least} %", share >= least if telling else None)


def _none(count: int, name: str) -> Figure:
    return Figure(name, str(count), "0", count == 0)


def _below(name: str, value_ms: float, most_ms: float) -> Figure:
    return Figure(name, f"{value_ms:.1f} ms", f"<= {most_ms:g} ms", value_ms <= most_ms)


def report(lines: list[Figure], tally: Tally, seconds: float) -> int:
    """Print the table, the refusals and the first problems."""
    words: Callable[[bool | None], str] = lambda passed: "" if passed is None else "PASS" if passed else "FAIL"  # noqa: E731
    wide = max(len(line.name) for line in lines)
    for line in lines:
        print(f"{line.name:<{wide}}  {line.value:>28}  {line.target:>10}  {words(line.passed)}".rstrip())
    print("\nrefused or unreadable, by reference:")
    for (row, reference), count in sorted(tally.refusals.items()):
        print(f"  {row:<{wide}}  {reference:<24}  {count:>6,}")
    for problem in tally.problems:
        print(f"! {problem}")
    failed = sum(line.passed is False for line in lines)
    print(f"\n{seconds:.0f} s; " + (f"{failed} figures not reached" if failed else "all figures reached"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
