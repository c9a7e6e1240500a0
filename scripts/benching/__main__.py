"""What `scripts/bench` runs."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stack import StackError, interrupt
from timeline import svg

from benching import cost, swaps
from benching.load import Wanted
from benching.machine import machine
from benching.peers import peers
from benching.rounds import run, say
from benching.site import clear_the_ground, hosts
from benching.table import lags, table
from benching.ways import Way, own_ways

RATE = 500.0
LOAD_S = 0.5
QUIET_S = 60.0
QUICK_SWAPS, QUICK_QUIET_S = 5, 4.0


def main(words: Sequence[str] | None = None) -> int:
    """Run what is asked for; 0 if the figures are as they must be."""
    args = _arguments(words)
    signal.signal(signal.SIGTERM, interrupt)
    act = many_swaps if args.swaps or args.quick else costs if args.cost else rounds
    try:
        clear_the_ground()
        return act(args)
    except StackError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130


def rounds(args: argparse.Namespace) -> int:
    """Hand over in every way; 0 if all that can be had here was measured."""
    every = [*own_ways(), *peers()]
    if unknown := set(args.only) - {way.name for way in every}:
        raise StackError(
            f"no such way: {', '.join(sorted(unknown))}\n  there are: {', '.join(way.name for way in every)}"
        )
    ways = [way for way in every if not args.only or way.name in args.only]
    done, missing = run(ways, args.rounds, lambda way: wanted(way, args.rate, args.hosts), LOAD_S)
    order = [way.name for way in ways]
    facts = {"rate": args.rate, "hosts": args.hosts, "missing": missing, "load_s": LOAD_S}
    told = {**facts, "rounds": [each.as_dict() for each in done]}
    write(args.out, told)
    if args.svg:
        args.svg.write_text(svg(told["rounds"]), "utf-8")
    print(table(done, missing, order))
    if done:
        print(lags(done))
    return 1 if any(why.startswith("failed") for why in missing.values()) else 0


def wanted(way: Way, rate: float, addresses: tuple[str, ...]) -> Wanted:
    """Return the load on a way: the same rate for each kind of client, however many kinds it can serve."""
    return Wanted(way.ports, addresses, rate / 4 * len(way.ports), way.patience_s)


def many_swaps(args: argparse.Namespace) -> int:
    """Swap to and fro under load; 0 if nothing was lost and nobody waited for long."""
    count, quiet_s = (args.swaps, QUIET_S) if args.swaps else (QUICK_SWAPS, QUICK_QUIET_S)
    seen = swaps.run(count, args.rate, args.hosts, quiet_s, say)
    told = seen.as_dict()
    write(args.out, {"rate": args.rate, "hosts": args.hosts, **told})
    if args.quick:
        print(json.dumps(told))
        say(seen.text())
    else:
        print(seen.text())
    return 0 if told["ok"] else 1


def costs(args: argparse.Namespace) -> int:
    """Measure throughput with and without the edge; 0 if it is as it must be."""
    seen = cost.run(args.rounds, say)
    write(args.out, seen.as_dict())
    print(seen.text())
    return 0 if seen.good else 1


def write(file: Path | None, data: dict[str, Any]) -> None:
    """Write the raw data, if somebody wants them."""
    if file:
        file.write_text(json.dumps({"machine": machine(), **data}, indent=1) + "\n", "utf-8")


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each way (5)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"requests a second in all ({RATE:.0f})")
    parser.add_argument("--only", action="append", default=[], metavar="WAY", help="this way only; may be repeated")
    parser.add_argument(
        "--hosts",
        type=lambda text: tuple(text.split(",")),
        default=hosts(),
        metavar="A,B",
        help="addresses to ask; loopback of both families and another one if left out",
    )
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--swaps", type=int, metavar="N", help="instead: N alternating swaps on a standing edge")
    other.add_argument("--quick", action="store_true", help=f"instead: {QUICK_SWAPS} of them, told as JSON")
    other.add_argument("--cost", action="store_true", help="instead: what the edge takes from the throughput")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the raw data as JSON")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="the timeline of requests around the hand-over")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
