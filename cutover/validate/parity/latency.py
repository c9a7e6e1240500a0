"""How long the answers took, of both colours side by side, and whether blue is too slow.

A percentile is the nearest rank: p95 is the smallest duration that at least 95 % of all answers did not exceed, one
that was measured and no mean of two. Every answer counts, errors too; what did not answer has no duration. A duration
is from the first byte sent to the last byte read, connecting included where it was needed.
"""

from __future__ import annotations

from array import array
from math import ceil
from typing import Any

from cutover.config import Gate
from cutover.model import Finding
from cutover.validate.results import error


class Latency:
    """Durations in seconds, 8 bytes each."""

    def __init__(self) -> None:
        self._seconds = array("d")

    def add(self, seconds: float) -> None:
        """Take one."""
        self._seconds.append(seconds)

    def figures(self) -> dict[str, Any]:
        """Return n, p50_s, p95_s, p99_s and max_s; None where nothing was measured."""
        ordered = sorted(self._seconds)
        shares = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99, "max_s": 1.0}
        return {"n": len(ordered), **{name: percentile(ordered, share) for name, share in shares.items()}}


def percentile(ordered: list[float], share: float) -> float | None:
    """Return the nearest-rank percentile of durations in ascending order; None where there are none."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def slower(green: dict[str, Any], blue: dict[str, Any], gate: Gate) -> Finding | None:
    """Return that blue's p95 is above what the gate allows; None where it is not, or nothing was measured."""
    if green["p95_s"] is None or blue["p95_s"] is None:
        return None
    allowed_s = gate.p95_factor * green["p95_s"] + gate.p95_slack_s
    if blue["p95_s"] <= allowed_s:
        return None
    return error(
        "slower",
        f"blue is slower: p95 {_ms(blue['p95_s'])}, green {_ms(green['p95_s'])}; the gate allows {_ms(allowed_s)}",
        f"green: {_line(green)}",
        f"blue:  {_line(blue)}",
        cure=f"make blue faster, or say how slow it may be: `gate: {{p95_factor: {gate.p95_factor:g}, "
        f"p95_slack_s: {gate.p95_slack_s:g}}}` under `parity:`",
    )


def _line(figures: dict[str, Any]) -> str:
    parts = [f"{name} {_ms(figures[f'{name}_s'])}" for name in ("p50", "p95", "p99", "max")]
    return ", ".join([*parts, f"n {figures['n']}"])


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
