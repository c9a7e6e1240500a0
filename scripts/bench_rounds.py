"""How long the legacy ports are silent, and what fails: naive compose, recreate and relink, side by side."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from stack import BLUE, GREEN, Stack, StackError, clean_up_earlier, interrupt, refuse_taken_ports

PROJECT = "cutover_bench"
PORTS = (15570, 16570)
LOAD_S = 0.5
MARGIN_S = 1.0
"""Load before the first act and after the last."""
QUARTER = 0.25

Round = dict[str, Any]


def main() -> int:
    """Run the rounds; 0 if relink is silent for less than a quarter of recreate."""
    args = _arguments()
    signal.signal(signal.SIGTERM, interrupt)
    os.environ["SUITE_LOAD_S"] = str(LOAD_S)
    rounds: list[Round] = []
    try:
        clean_up_earlier(PROJECT)
        refuse_taken_ports(PORTS)
        for number in range(args.rounds):
            for strategy, act in STRATEGIES.items():
                rounds.append({"strategy": strategy, "round": number + 1, **measure(act)})
                print(f"round {number + 1} {one_line(rounds[-1])}", file=sys.stderr, flush=True)
    except StackError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    if args.out:
        args.out.write_text(json.dumps({"machine": machine(), "rounds": rounds}, indent=1) + "\n", "utf-8")
    return report(rounds)


def measure(act: Callable[[Stack], Round]) -> Round:
    """Start a stack of its own, hand its ports over under load, and return what the clients saw."""
    stack = Stack(PROJECT, PORTS, on_our_ports)
    try:
        stack.compose("up", "-d", "--wait", "--wait-timeout", "120", "redis", "nats", GREEN)
        with subprocess.Popen(
            [sys.executable, Path(__file__).with_name("load.py"), *map(str, PORTS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as load:
            time.sleep(MARGIN_S)
            details = act(stack)
            _wait_for_blue(stack)
            time.sleep(MARGIN_S)
            clients = json.loads(load.communicate(timeout=30)[0])
    finally:
        stack.remove()
    return {
        **details,
        "silence_s": max(each["longest_silence_s"] for each in clients.values()),
        "failed": sum(each["failed"] for each in clients.values()),
        "clients": clients,
    }


def naive(stack: Stack) -> Round:
    """Move the lines by hand and let Compose do the rest; where it trips over the port, try again, as people do."""
    text = stack.file.read_text("utf-8")
    at = text.index("    ports:\n")
    end = text.index("    depends_on:", at)
    after = text.index("language_stack.suite\n") + len("language_stack.suite\n")
    stack.file.write_text(text[:at] + text[end:after] + text[at:end] + text[after:], "utf-8")
    for attempt in range(1, 4):
        if stack.compose("up", "-d", check=attempt == 3).returncode == 0:
            break
    return {"attempts": attempt}


def cutover(strategy: str) -> Callable[[Stack], Round]:
    """Return the act that swaps with this strategy."""

    def act(stack: Stack) -> Round:
        run = json.loads(stack.cutover("swap", "--strategy", strategy, "--json", quiet=True).stdout)
        return {key: run[key] for key in ("stall_predicted_s", "stall_measured_s", "steps")}

    return act


STRATEGIES: Mapping[str, Callable[[Stack], Round]] = {
    "naive compose": naive,
    "recreate": cutover("recreate"),
    "relink": cutover("relink"),
}


def on_our_ports(text: str) -> str:
    """Turn the demonstration stack into one beside it, without the dependants: the load is our own."""
    for port, ours in zip((5570, 6570), PORTS, strict=True):
        text = text.replace(f'"{port}:{port}"', f'"{ours}:{port}"').replace(f"://:{port}", f"://:{ours}")
    text = text.replace("ports: [5570, 6570]", f"ports: {list(PORTS)}").replace("observe_s: 3", "observe_s: 1")
    start = text.find("  # Two of the many")
    return text if start < 0 else text[:start] + text[text.index("\nvolumes:") :]


def report(rounds: list[Round]) -> int:
    """Print the table and the ratio."""
    print(f"{'silence in ms':14}{'median':>8}{'min':>8}{'max':>8}   {'failed requests':24}median by client")
    middle: dict[str, float] = {}
    for strategy in STRATEGIES:
        these = [each for each in rounds if each["strategy"] == strategy]
        silences, failed = [each["silence_s"] for each in these], [each["failed"] for each in these]
        middle[strategy] = median(silences)
        by = ", ".join(
            f"{name} {median(each['clients'][name]['longest_silence_s'] for each in these) * 1000:.0f}"
            for name in these[0]["clients"]
        )
        figures = "".join(f"{value * 1000:8,.0f}" for value in (median(silences), min(silences), max(silences)))
        counts = f"{median(failed):.0f} ({min(failed)} to {max(failed)})"
        print(f"{strategy:14}{figures}   {counts:24}{by}")
    ratio = middle["relink"] / middle["recreate"]
    good = ratio < QUARTER
    print(f"relink / recreate: {ratio:.2f}, {'less than' if good else 'NOT less than'} {QUARTER}")
    return 0 if good else 1


def one_line(one: Round) -> str:
    """Return a round in a line."""
    retried = f", {one['attempts']} attempts" if one.get("attempts", 1) > 1 else ""
    return f"{one['strategy']}: silent {one['silence_s'] * 1000:,.0f} ms, {one['failed']} failed{retried}"


def machine() -> dict[str, Any]:
    """Say on what this was measured."""
    version = subprocess.run(
        ["docker", "version", "-f", "{{.Server.Version}}"], capture_output=True, text=True, check=True
    )
    return {
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "engine": version.stdout.strip(),
        "load_s": LOAD_S,
    }


def _wait_for_blue(stack: Stack) -> None:
    end = time.monotonic() + 30
    while stack.answering() != (BLUE, BLUE):
        if time.monotonic() > end:
            raise StackError(f"{BLUE} does not answer: {stack.answering()}")
        time.sleep(0.2)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each strategy (5)")
    parser.add_argument("--out", type=Path, help="write the raw figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
