"""What `scripts/bench` runs."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from stack import StackError, interrupt

from benching.load import Wanted
from benching.machine import machine
from benching.peers import peers
from benching.rounds import Round, run
from benching.site import clear_the_ground, hosts
from benching.table import lags, table
from benching.ways import Way, own_ways

RATE = 500.0
LOAD_S = 0.5


def main() -> int:
    """Run what is asked for; 0 if the figures are as they must be."""
    args = _arguments()
    signal.signal(signal.SIGTERM, interrupt)
    try:
        clear_the_ground()
        return rounds(args)
    except StackError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130


def rounds(args: argparse.Namespace) -> int:
    """Hand over in every way; 0 if all that could be measured was."""
    ways = [way for way in (*own_ways(), *peers()) if not args.only or way.name in args.only]
    if unknown := set(args.only or ()) - {way.name for way in ways}:
        raise StackError(f"no such way: {', '.join(unknown)}\n  there are: {', '.join(each_name())}")
    addresses = tuple(args.hosts.split(",")) if args.hosts else hosts()
    done, missing = run(ways, args.rounds, lambda way: wanted(way, args.rate, addresses), LOAD_S)
    if args.out:
        write(args.out, {"rate": args.rate, "hosts": addresses, "missing": missing}, done)
    print(table(done, missing, [way.name for way in ways]))
    if done:
        print(lags(done))
    return 1 if any(why.startswith("failed") for why in missing.values()) else 0


def wanted(way: Way, rate: float, addresses: tuple[str, ...]) -> Wanted:
    """Return the load on a way: the same rate for each kind of client, however many kinds it can serve."""
    each = rate / 4
    return Wanted(way.ports, addresses, each * len(way.ports), way.patience_s)


def each_name() -> list[str]:
    """Return the names of all ways."""
    return [way.name for way in (*own_ways(), *peers())]


def write(file: Path, facts: dict[str, Any], done: list[Round]) -> None:
    """Write the raw data."""
    data = {"machine": machine(), **facts, "rounds": [each.as_dict() for each in done]}
    file.write_text(json.dumps(data, indent=1) + "\n", "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each way (5)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"requests a second in all ({RATE:.0f})")
    parser.add_argument("--only", action="append", metavar="WAY", help="this way only; several times for several")
    parser.add_argument("--hosts", help="addresses to ask, with commas; all of this machine's if left out")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the raw data as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
