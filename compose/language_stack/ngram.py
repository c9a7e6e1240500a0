"""A character n-gram model: it counts which character follows which, and draws from the counts.

Two ways to draw, one answer: the agent walks the counts, the suite compiles them into tables. Both take the same
random numbers in the same order, so that the same seed gives the same text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import resources
from itertools import accumulate
from random import Random
from typing import Protocol

Counts = Mapping[str, Mapping[str, int]]


class Model(Protocol):
    """Something that continues a prompt."""

    def generate(self, prompt: str, length: int, seed: int) -> str: ...


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

    def generate(self, prompt: str, length: int, seed: int) -> str:
        return _continue(prompt, length, seed, order=self._order, known=self._counts, draw=self._draw)

    def _draw(self, context: str, random: Random) -> str:
        followers = self._counts[context]
        ticket = random.randrange(sum(followers.values()))
        for follower in sorted(followers):
            ticket -= followers[follower]
            if ticket < 0:
                return follower
        raise AssertionError(context)


class TableModel:
    """Draws by bisection in tables made beforehand: takes longer to load, draws faster."""

    def __init__(self, counts: Counts, order: int) -> None:
        self._order = order
        self._tables = {context: _table(followers) for context, followers in counts.items()}

    def generate(self, prompt: str, length: int, seed: int) -> str:
        return _continue(prompt, length, seed, order=self._order, known=self._tables, draw=self._draw)

    def _draw(self, context: str, random: Random) -> str:
        followers, upto = self._tables[context]
        return followers[bisect_right(upto, random.randrange(upto[-1]))]


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
    draw: Callable[[str, Random], str],
) -> str:
    random = Random(seed)
    text = prompt
    for _ in range(length):
        context = text[len(text) - min(order, len(text)) :]
        while context not in known:  # back off; the empty context is always known
            context = context[1:]
        text += draw(context, random)
    return text[len(prompt) :]
