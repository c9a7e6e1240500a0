"""A character n-gram model: it counts which character follows which, and draws from the counts.

Two ways to draw, one answer: the agent walks the counts, the suite compiles them into tables. Both take the same
random numbers in the same order and divide the same whole numbers, so that the same seed gives the same text and, to
the last bit, the same probability.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import accumulate
from math import log
from random import Random
from typing import Protocol

Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Text:
    """What a model wrote, and how sure it was: the mean natural logarithm of its characters' probabilities."""

    text: str
    mean_logprob: float


class Model(Protocol):
    """Something that continues a prompt."""

    def generate(self, prompt: str, length: int, seed: int) -> Text: ...


Build = Callable[[Counts, int], Model]


def corpus() -> str:
    return resources.files(__package__).joinpath("corpus.txt").read_text("utf-8")


def train(text: str, order: int) -> Counts:
    """Count the followers of every context of 0 to `order` characters."""
    counts: dict[str, Counter[str]] = {}
    for at, follower in enumerate(text):
        for size in range(min(order, at) + 1):
            counts.setdefault(text[at - size : at], Counter())[follower] += 1
    return counts


class CountingModel:
    """Draws by walking the counts: nothing to prepare, slow to draw."""

    def __init__(self, counts: Counts, order: int) -> None:
        self._counts = counts
        self._order = order

    def generate(self, prompt: str, length: int, seed: int) -> Text:
        return _continue(prompt, length, seed, order=self._order, known=self._counts, draw=self._draw)

    def _draw(self, context: str, random: Random) -> tuple[str, float]:
        followers = self._counts[context]
        total = sum(followers.values())
        ticket = random.randrange(total)
        for follower in sorted(followers):
            ticket -= followers[follower]
            if ticket < 0:
                return follower, followers[follower] / total
        raise AssertionError(context)


class TableModel:
    """Draws by bisection in tables made beforehand: takes longer to load, draws faster."""

    def __init__(self, counts: Counts, order: int) -> None:
        self._order = order
        self._tables = {context: _table(followers) for context, followers in counts.items()}

    def generate(self, prompt: str, length: int, seed: int) -> Text:
        return _continue(prompt, length, seed, order=self._order, known=self._tables, draw=self._draw)

    def _draw(self, context: str, random: Random) -> tuple[str, float]:
        followers, upto = self._tables[context]
        at = bisect_right(upto, random.randrange(upto[-1]))
        return followers[at], (upto[at] - (upto[at - 1] if at else 0)) / upto[-1]


def _table(followers: Mapping[str, int]) -> tuple[str, list[int]]:
    ordered = sorted(followers)
    return "".join(ordered), list(accumulate(followers[each] for each in ordered))


def _continue(
    prompt: str,
    length: int,
    seed: int,
    *,
    order: int,
    known: Mapping[str, object],
    draw: Callable[[str, Random], tuple[str, float]],
) -> Text:
    random = Random(seed)
    text, logprob = prompt, 0.0
    for _ in range(length):
        context = text[len(text) - min(order, len(text)) :]
        while context not in known:  # back off; the empty context is always known
            context = context[1:]
        character, probability = draw(context, random)
        text += character
        logprob += log(probability)
    return Text(text[len(prompt) :], logprob / length)
