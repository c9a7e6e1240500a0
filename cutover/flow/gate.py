"""May a canary go on? Blue's answers against green's, in the same time; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cutover.config import Canary
from cutover.edge.shape import Sample, Slot


@dataclass(frozen=True, slots=True)
class Seen:
    """What one colour answered: how many requests, the share of errors, and the 95th percentile in seconds."""

    requests: int
    error_rate: float
    p95_s: float | None

    def __str__(self) -> str:
        p95 = "-" if self.p95_s is None else f"{self.p95_s * 1000:.1f} ms"
        return f"{self.requests} answers, {self.error_rate:.2%} errors, p95 {p95}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Both colours side by side. `enough`: blue was asked often enough; `wrong` says why it may not go on."""

    green: Seen
    blue: Seen
    enough: bool
    wrong: tuple[str, ...]

    @property
    def evidence(self) -> tuple[str, ...]:
        """Return what was measured, a fact a line."""
        return (f"green: {self.green}", f"blue: {self.blue}")


def judged(samples: Iterable[Sample], green: Slot, gate: Canary) -> Judgement:
    """Compare blue with green over the same time.

    The rate of errors may exceed green's by `max_error_rate`, and the p95 may be `max_p95_ratio` times green's where it
    differs by more than `p95_slack_s`. Where green was not asked at all, blue is held to the error rate alone.
    """
    kept = list(samples)
    ours = seen([s for s in kept if s.slot is green])
    theirs = seen([s for s in kept if s.slot is not green])
    enough = theirs.requests >= gate.min_requests
    return Judgement(ours, theirs, enough, tuple(_wrong(ours, theirs, gate)) if enough else ())


def seen(samples: Sequence[Sample]) -> Seen:
    """Return what these samples say together."""
    if not samples:
        return Seen(0, 0.0, None)
    elapsed = sorted(s.elapsed_s for s in samples)
    rank = max(0, -(-len(elapsed) * 95 // 100) - 1)  # nearest rank: the smallest that 95 % do not exceed
    return Seen(len(samples), sum(s.error for s in samples) / len(samples), elapsed[rank])


def _wrong(green: Seen, blue: Seen, gate: Canary) -> Iterable[str]:
    if blue.error_rate > green.error_rate + gate.max_error_rate:
        yield (
            f"{blue.error_rate:.2%} of its answers are errors, green's {green.error_rate:.2%} "
            f"(canary.max_error_rate {gate.max_error_rate:.2%})"
        )
    if green.p95_s is None or blue.p95_s is None:
        return
    slower = blue.p95_s - green.p95_s > gate.p95_slack_s
    if slower and blue.p95_s > green.p95_s * gate.max_p95_ratio:
        yield (
            f"its p95 is {blue.p95_s * 1000:.1f} ms, green's {green.p95_s * 1000:.1f} ms "
            f"(canary.max_p95_ratio {gate.max_p95_ratio:g})"
        )
