"""A campaign, or one of its workers: see scripts/faults."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from cutover.edge.image import edge_image_name
from tests.faults.campaign.injections import VERBS
from tests.faults.campaign.report import report
from tests.faults.campaign.worker import Worker
from tests.faults.campaign.worlds import ROOT


def main() -> int:
    """Fight, or be one of the workers that do."""
    given = _parsed()
    if given.report:
        (ROOT / "docs" / "reliability.md").write_text(report(given.results, given.seed))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and take the worlds away
    if given.share:
        number, _, count = given.share.partition("/")
        share = int(number), int(count)
        for kind in given.only or VERBS:
            end = time.monotonic() + given.minutes * 60
            Worker(kind, edge_image_name(), given.results, given.seed, share).fight(end, given.match)
        return 0
    shim = given.results.with_suffix(".shim.so")
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-o", shim, source, "-ldl"], check=True)
    environ = {**os.environ, "LD_PRELOAD": str(shim)}
    command = [sys.executable, "-m", "tests.faults.campaign", *sys.argv[1:]]
    workers = [
        subprocess.Popen([*command, "--share", f"{n}/{given.workers}"], cwd=ROOT, env=environ)
        for n in range(given.workers)
    ]
    try:
        return max(worker.wait() for worker in workers)
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait()


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faults")
    parser.add_argument("--results", type=lambda p: Path(p).resolve(), required=True)
    parser.add_argument("--only", action="append", choices=list(VERBS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=600.0, help="of each world and worker")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--match", default="", help="only injections with this in their ID")
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md of what was found so far")
    parser.add_argument("--share", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
