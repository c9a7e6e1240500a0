"""Which rule holds at which place of a pair of replies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cutover.config import Rule, RuleKind
from cutover.validate.parity.values import Location
from cutover.validate.paths import find

Numbered = dict[Location, tuple[int, ...]]


class Place(NamedTuple):
    """Where green's and blue's values stand: the same but for the index in lists whose order does not count.

    A tuple, as one is made for every value that is looked at: a frozen dataclass takes three times as long.
    """

    green: Location = ()
    blue: Location = ()

    def step(self, green: str | int, blue: str | int | None = None) -> Place:
        """Return the place of a key or an item."""
        return Place((*self.green, green), (*self.blue, green if blue is None else blue))


class Inherited(NamedTuple):
    """Rules that hold for everything below the place that they name; one of each kind, as they do not contradict."""

    number: Rule | None = None
    similar: Rule | None = None
    unordered: Rule | None = None

    def under(self, ruling: Ruling) -> Inherited:
        """Return what holds below a place with these rules."""
        return Inherited(
            ruling.below.number or self.number,
            ruling.below.similar or self.similar,
            ruling.below.unordered or self.unordered,
        )

    def in_items(self) -> Inherited:
        """Return what holds in the items of a list whose order does not count: the order of lists in them does."""
        return Inherited(self.number, self.similar)


class Ruling(NamedTuple):
    """What the rules for one place come to: nothing below is looked at (`ignore`, `type`, `keys`), or how it is."""

    stop: RuleKind | None = None
    below: Inherited = Inherited()

    def then(self, rule: Rule) -> Ruling:
        """Return what they come to with one more, which is written after them."""
        if rule.rule is RuleKind.NUMBER:
            return Ruling(None, self.below._replace(number=rule))
        if rule.rule is RuleKind.SIMILAR:
            return Ruling(None, self.below._replace(similar=rule))
        if rule.rule is RuleKind.UNORDERED:
            return Ruling(None, self.below._replace(unordered=rule))
        return Ruling(rule.rule, self.below)


class Side(NamedTuple):
    """The rules found in green's value, or in blue's."""

    named: Numbered
    rulings: Rulings

    def at(self, location: Location) -> Ruling | None:
        """Return the rules for a place, as named from this side."""
        return self.rulings.of(self.named.get(location, ()))

    def names_below(self, location: Location) -> bool:
        """Say whether a rule names anything below a place."""
        depth = len(location)
        return any(len(named) > depth and named[:depth] == location for named in self.named)


class Rulings:
    """What sets of rules come to, each worked out once."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._known: dict[tuple[int, ...], Ruling | None] = {(): None}

    def of(self, numbers: tuple[int, ...]) -> Ruling | None:
        """Return what the rules with these numbers, in their order, come to."""
        if numbers not in self._known:
            ruling = Ruling()
            for number in numbers:
                ruling = ruling.then(self._rules[number])
            self._known[numbers] = ruling
        return self._known[numbers]


class Located:
    """The rules found in one pair of values; of several of one kind for one place the last counts."""

    def __init__(self, rules: Sequence[Rule], green: Any, blue: Any) -> None:
        self._rulings = Rulings(rules)
        self.green = Side(_numbered(rules, green), self._rulings)
        self.blue = Side(_numbered(rules, blue), self._rulings)

    def at(self, place: Place) -> Ruling | None:
        """Return the rules for a place, named from green's or from blue's side."""
        one, other = self.green.named.get(place.green, ()), self.blue.named.get(place.blue, ())
        if one == other or not other:
            return self._rulings.of(one)
        return self._rulings.of(tuple(sorted({*one, *other})) if one else other)


def _numbered(rules: Sequence[Rule], value: Any) -> Numbered:
    """Return location -> numbers of the rules that name it, in their order."""
    found: Numbered = {}
    for number, rule in enumerate(rules):
        for location, _ in find(value, rule.path):
            if found.get(location, ())[-1:] != (number,):
                found[location] = (*found.get(location, ()), number)
    return found
