"""What is asked of a hundred swaps, and whether it was so; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benching.figures import Figures

MOST_SILENT_S = 0.1
MOST_ADDED_S = 0.025
"""How far p99.9 may lie above that of the quiet edge."""
LATE_CLIENT_S = 0.02


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still good. Both in seconds; what fails, is lost or comes twice is never good."""

    silence_s: float = MOST_SILENT_S
    added_p999_s: float = MOST_ADDED_S


@dataclass(frozen=True, slots=True)
class Swaps:
    """What swaps under load gave: `quiet` is the same load on the same edge without swaps, in the same run.

    `broken` are connections that ended with a request on them, and streams that ended at all, by kind of client;
    `worked_twice` are requests that were worked on twice, whoever noticed.
    """

    wanted: int
    done: int
    quiet: Figures
    swapping: Figures
    broken: Mapping[str, int] = field(default_factory=dict)
    worked_twice: int = 0
    lag_s: Mapping[str, float] = field(default_factory=dict)
    unsent: int = 0
    each_s: tuple[float, ...] = ()

    @property
    def added_p999_s(self) -> float:
        """Return how far p99.9 lies above that of the quiet edge."""
        return self.swapping.quantiles_s["p99.9"] - self.quiet.quantiles_s["p99.9"]

    def faults(self, limits: Limits = Limits()) -> list[str]:
        """Return what is not as it must be, in words."""
        both = (self.quiet, self.swapping)
        failures: dict[str, int] = {}
        for name, count in (pair for each in both for pair in each.failures.items()):
            failures[name] = failures.get(name, 0) + count
        broken = sum(self.broken.values())
        rules = {
            f"{self.done} swaps of {self.wanted}": self.done != self.wanted,
            "failed: " + ", ".join(f"{count} {name}" for name, count in sorted(failures.items())): bool(failures),
            f"{self.worked_twice} worked on twice": self.worked_twice > 0,
            f"{broken} connections broken": broken > 0,
            f"silent {self.swapping.longest_s * 1000:.0f} ms": self.swapping.longest_s > limits.silence_s,
            f"p99.9 is {self.added_p999_s * 1000:.0f} ms above the quiet edge": self.added_p999_s > limits.added_p999_s,
        }
        return [words for words, bad in rules.items() if bad]

    @property
    def doubtful(self) -> bool:
        """Say whether the clients themselves were so late that silences and quantiles may be theirs."""
        return self.unsent > 0 or self.lag_s.get("p99.9", 0.0) > LATE_CLIENT_S

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data, with the verdict by the limits of the project."""
        faults = self.faults()
        both = (self.quiet, self.swapping)
        return {
            "ok": not faults,
            "doubtful": self.doubtful,
            "faults": faults,
            "swaps": self.done,
            "requests": sum(each.requests for each in both),
            "failed": sum(each.failed for each in both),
            "lost": sum(each.lost for each in both),
            "answered_twice": sum(each.twice for each in both) + self.worked_twice,
            "longest_silence_s": self.swapping.longest_s,
            "longest_silence_quiet_s": self.quiet.longest_s,
            "p999_s": self.swapping.quantiles_s["p99.9"],
            "p999_quiet_s": self.quiet.quantiles_s["p99.9"],
            "broken": dict(self.broken),
            "unsent": self.unsent,
            "client_lag_s": dict(self.lag_s),
            "swap_s": list(self.each_s),
            "quiet": self.quiet.as_dict(),
            "swapping": self.swapping.as_dict(),
        }

    def text(self) -> str:
        """Return it as a person reads it."""
        head = f"{'':12}{'requests':>10}{'failed':>8}{'lost':>6}{'twice':>7}{'silence':>11}"
        head += "".join(f"{each:>10}" for each in ("p50", "p99", "p99.9"))
        rows = [_row("quiet edge", self.quiet, 0), _row(f"{self.done} swaps", self.swapping, self.worked_twice)]
        by = ", ".join(f"{kind} {each * 1000:.0f}" for kind, each in self.swapping.silences_s.items())
        broken = ", ".join(f"{kind} {count}" for kind, count in self.broken.items())
        late = (
            f"p99.9 {self.added_p999_s * 1000:+.1f} ms with swaps (at most +{MOST_ADDED_S * 1000:.0f}); "
            f"the clients themselves were late by {self.lag_s.get('p99.9', 0) * 1000:.1f} ms at p99.9, "
            f"{self.lag_s.get('p100', 0) * 1000:.1f} ms at most"
        )
        faults = self.faults()
        return "\n".join(
            [
                head,
                *rows,
                f"longest silence by kind of client, in ms: {by}; connections broken: {broken}",
                late,
                *(
                    [f"DOUBTFUL: the machine was too busy for its own clients, {self.unsent} requests were never sent"]
                    if self.doubtful
                    else []
                ),
                "as it must be" if not faults else "NOT as it must be: " + "; ".join(faults),
            ]
        )


def _row(name: str, seen: Figures, worked_twice: int) -> str:
    ms = [seen.longest_s * 1000, *(seen.quantiles_s[q] * 1000 for q in ("p50", "p99", "p99.9"))]
    counts = f"{seen.requests:>10}{seen.failed:>8}{seen.lost:>6}{seen.twice + worked_twice:>7}"
    return f"{name:12}{counts}{ms[0]:>8.0f} ms" + "".join(f"{each:>7.1f} ms" for each in ms[1:])
