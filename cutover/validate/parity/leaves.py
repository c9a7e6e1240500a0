"""Numbers and texts that are not the same: are they near enough, and how far apart?"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import isfinite

from cutover.config import Rule
from cutover.validate.parity.difference import Difference

LONGEST = 20_000
"""Characters up to which the similarity of two texts is worth its time where nobody asked for it."""

Number = int | float


def number_difference(green: Number, blue: Number, path: str, rule: Rule | None) -> Iterator[Difference]:
    """Yield the difference of two numbers that are farther apart than the rule allows."""
    if not (_finite(green) and _finite(blue)):
        yield Difference("number-differs", path, green, blue, "not both are finite numbers")
        return
    one, off = as_written(green), abs(as_written(blue) - as_written(green))
    if rule and within(off, one, rule.abs, rule.rel):
        return
    allowed = f", allowed: {_allowed(rule)}" if rule else ""
    yield Difference("number-differs", path, green, blue, f"off by {_figure(off, one)}{allowed}")


def within(off: Fraction, green: Fraction, absolute: float, relative: float) -> bool:
    """Say whether a distance is within the absolute tolerance, or within the share of green's number; ends included."""
    return off <= as_written(absolute) or off <= as_written(relative) * abs(green)


def as_written(number: Number) -> Fraction:
    """Return a number as its decimal digits say, so that 1.1 is 0.1 away from 1.0 and not a little more."""
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def _finite(number: Number) -> bool:
    return isinstance(number, int) or isfinite(number)


def _allowed(rule: Rule) -> str:
    return " or ".join([f"{rule.abs:g}"] * bool(rule.abs) + [f"{rule.rel:.3%}"] * bool(rule.rel))


def _figure(off: Fraction, green: Fraction) -> str:
    share = f" ({_short(off / abs(green) * 100)} %)" if green else ""
    return f"{_short(off)}{share}"


def _short(number: Fraction) -> str:
    try:
        return f"{float(number):.3g}"
    except OverflowError:
        return "more than a double holds"


def text_difference(
    green: str, blue: str, path: str, rule: Rule | None, *, explains: bool = True
) -> Iterator[Difference]:
    """Yield the difference of two texts that are less alike than the rule asks for."""
    if rule:
        alike = similarity(green, blue, at_least=rule.at_least)
        if alike < rule.at_least:
            message = f"similarity {_share(alike)}, at least {rule.at_least:g} asked for"
            yield Difference("text-differs", path, green, blue, message)
    elif not explains or max(len(green), len(blue)) > LONGEST:
        yield Difference("text-differs", path, green, blue, f"texts of {len(green)} and {len(blue)} characters")
    else:
        yield Difference("text-differs", path, green, blue, f"similarity {_share(similarity(green, blue))}")


def similarity(green: str, blue: str, *, at_least: float = 0.0) -> float:
    """Return how alike two texts are, from 0 to 1: twice what they share in order, as a share of both lengths.

    The normalised Indel similarity of RapidFuzz, the same as its `fuzz.ratio`. Below `at_least` it may be told as 0,
    which saves most of the time for long texts.
    """
    from rapidfuzz.distance import Indel  # noqa: PLC0415  (35 ms that equal replies do not pay)

    cutoff = at_least if max(len(green), len(blue)) > LONGEST else 0.0
    return float(Indel.normalized_similarity(green, blue, score_cutoff=cutoff))


def _share(alike: float) -> str:
    return f"{min(alike, 0.999):.3f}" if alike < 1 else "1"
