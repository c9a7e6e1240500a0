"""How long a user waits for `--help` and for `swap --dry-run` on the demonstration stack: the median of ten each."""

from __future__ import annotations

import compileall
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from stack import GREEN, Stack, clean_up_earlier, refuse_taken_ports

PROJECT = "cutover_bench_start"
PORTS = (15570, 16570)
RUNS = 10
LIMITS_S = {"--help": 0.1, "swap --dry-run": 1.0}
CUTOVER = [sys.executable, "-m", "cutover"]


def main() -> int:
    """Print the medians; 0 if both are under their limits."""
    compileall.compile_dir(str(Path(__file__).parent.parent / "cutover"), quiet=1)
    clean_up_earlier(PROJECT)
    refuse_taken_ports(PORTS)
    stack = Stack(PROJECT, PORTS, on_our_ports)
    try:
        stack.compose("up", "-d", "--wait", "--wait-timeout", "120", "redis", "nats", GREEN)
        medians = {words: timed([*CUTOVER, *words.split(), *named(words)], stack.file.parent) for words in LIMITS_S}
    finally:
        stack.remove()
    for words, seconds in medians.items():
        print(f"cutover {words:16} median of {RUNS}: {seconds * 1000:4.0f} ms (limit {LIMITS_S[words] * 1000:.0f})")
    return 0 if all(medians[words] < limit for words, limit in LIMITS_S.items()) else 1


def on_our_ports(text: str) -> str:
    """Turn the demonstration stack into one beside it, without the dependants."""
    for port, ours in zip((5570, 6570), PORTS, strict=True):
        text = text.replace(f'"{port}:{port}"', f'"{ours}:{port}"').replace(f"://:{port}", f"://:{ours}")
    text = text.replace("ports: [5570, 6570]", f"ports: {list(PORTS)}")
    start = text.find("  # Two of the many")
    return text if start < 0 else text[:start] + text[text.index("\nvolumes:") :]


def named(words: str) -> list[str]:
    """Return the project's name, for a verb that looks at a project."""
    return ["-p", PROJECT] if words.startswith("swap") else []


def timed(command: list[str], folder: Path) -> float:
    """Return the median wall time of a command, in seconds."""
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        taken.append(time.perf_counter() - began)
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return median(taken)


if __name__ == "__main__":
    sys.exit(main())
