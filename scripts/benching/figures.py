"""What is made of requests: how many failed and how, the longest silence, and the quantiles of how long they took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hdrh.histogram import HdrHistogram

from benching.asked import LOST, TWICE, WRONG, Kind, Log, Request

LATE_S = 1.0
"""An answer that took longer counts as late; it is an answer all the same."""
QUANTILES = (50.0, 99.0, 99.9)
LONGEST_US = 600_000_000
DIGITS = 3


@dataclass(frozen=True, slots=True)
class Figures:
    """Some requests in figures. Times in seconds; `silences_s` has the longest of each kind."""

    requests: int
    failures: Mapping[str, int]
    failed_by: Mapping[str, int]
    late: int
    silence_s: float
    silences_s: Mapping[str, float]
    quantiles_s: Mapping[str, float]
    answered_by: Mapping[str, int]
    histogram: str
    """HdrHistogram in its own compressed form, in microseconds: any quantile can be had from the raw data."""

    @property
    def failed(self) -> int:
        """Return how many were not answered as they should be, for whatever reason."""
        return sum(self.failures.values())

    @property
    def longest_s(self) -> float:
        """Return the longest silence that any kind of client saw: others may have been answered meanwhile."""
        return max(self.silences_s.values(), default=self.silence_s)

    @property
    def lost(self) -> int:
        """Return how many were never answered."""
        return self.failures.get(LOST, 0)

    @property
    def twice(self) -> int:
        """Return how many were answered twice, or with another's answer."""
        return self.failures.get(TWICE, 0) + self.failures.get(WRONG, 0)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {name: getattr(self, name) for name in self.__slots__} | {
            "failed": self.failed,
            "longest_s": self.longest_s,
        }


def figures(requests: Sequence[Request], begin_s: float, until_s: float) -> Figures:
    """Return the figures of the requests that were due between two times."""
    these = [r for r in requests if begin_s <= r.due_s < until_s]
    bad = [r for r in these if not r.good]
    good = [r for r in these if r.good]
    histogram = histogram_of(r.took_s for r in good)
    ends = {kind: [r.ended_s for r in good if r.kind is kind] for kind in Kind if any(r.kind is kind for r in these)}
    return Figures(
        requests=len(these),
        failures=dict(Counter(r.outcome for r in bad)),
        failed_by=dict(Counter(str(r.kind) for r in bad)),
        late=sum(r.took_s > LATE_S for r in good),
        silence_s=_rounded(silence_s([r.ended_s for r in good], begin_s, until_s)),
        silences_s={str(kind): _rounded(silence_s(each, begin_s, until_s)) for kind, each in ends.items()},
        quantiles_s={f"p{q:g}": quantile_s(histogram, q) for q in QUANTILES},
        answered_by=dict(Counter(r.who for r in good)),
        histogram=histogram.encode().decode("ascii"),
    )


def silence_s(ends: Sequence[float], begin_s: float, until_s: float) -> float:
    """Return the longest time without a good answer; that before the first and that after the last count."""
    return max(after - before for before, after in pairwise([begin_s, *sorted(ends), max(until_s, *ends, begin_s)]))


def histogram_of(times_s: Iterable[float]) -> HdrHistogram:
    """Return how long requests took, to a microsecond or a thousandth."""
    histogram = HdrHistogram(1, LONGEST_US, DIGITS)
    for each in times_s:
        histogram.record_value(min(LONGEST_US, max(1, round(each * 1e6))))
    return histogram


def quantile_s(histogram: HdrHistogram, percent: float) -> float:
    """Return a quantile in seconds; 0 where there is nothing."""
    return float(histogram.get_value_at_percentile(percent)) / 1e6 if histogram.get_total_count() else 0.0


def lag(logs: Sequence[Log]) -> dict[str, float]:
    """Return how late the clients themselves were, in seconds: what a silence may owe to them and not to the server."""
    histogram = histogram_of(each for log in logs for each in log.lags_s)
    return {f"p{q:g}": quantile_s(histogram, q) for q in (*QUANTILES, 100.0)}


def worked_on_twice(seen: Iterable[str]) -> dict[str, int]:
    """Return the IDs that the services wrote down more than once, with how often."""
    return {ident: times for ident, times in Counter(seen).items() if times > 1}


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
