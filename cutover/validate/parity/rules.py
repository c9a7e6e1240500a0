"""Which rule holds at which place of a pair of replies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cutover.config import Rule, RuleKind
from cutover.validate.parity.values import Location
from cutover.validate.paths import find

Numbered = dict[Location, int]


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
    """Rules that hold for everything below the place that they name."""

    number: Rule | None = None
    similar: Rule | None = None
    unordered: Rule | None = None

    def under(self, rule: Rule) -> Inherited:
        """Return what holds below a place with this rule."""
        if rule.rule is RuleKind.NUMBER:
            return self._replace(number=rule)
        if rule.rule is RuleKind.SIMILAR:
            return self._replace(similar=rule)
        if rule.rule is RuleKind.UNORDERED:
            return self._replace(unordered=rule)
        return self


class Located:
    """The rules found in one pair of values; of several for one place the last counts."""

    def __init__(self, rules: Sequence[Rule], green: Any, blue: Any) -> None:
        self._rules = rules
        self._green = _numbered(rules, green)
        self._blue = _numbered(rules, blue)

    def at(self, place: Place) -> Rule | None:
        """Return the rule for a place, named from green's or from blue's side."""
        number = max(self._green.get(place.green, -1), self._blue.get(place.blue, -1))
        return self._rules[number] if number >= 0 else None


def _numbered(rules: Sequence[Rule], value: Any) -> Numbered:
    """Return location -> number of the last rule that names it."""
    return {location: number for number, rule in enumerate(rules) for location, _ in find(value, rule.path)}
