"""Two values, compared place by place: every difference has a name and a path. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from cutover.config import Rule, RuleKind
from cutover.validate.parity.difference import Difference
from cutover.validate.parity.leaves import number_difference, text_difference
from cutover.validate.parity.lists import list_differences, unordered_differences
from cutover.validate.parity.objects import key_differences, object_differences
from cutover.validate.parity.rules import Inherited, Located, Place
from cutover.validate.parity.values import kind_of, path_text, same

MOST = 100
"""Differences of one pair that are told; a reply of another kind altogether would have thousands."""


def compare(green: Any, blue: Any, rules: Sequence[Rule] = ()) -> tuple[Difference, ...]:
    """Return what differs between two decoded replies, the first `MOST` differences; nothing where they are equal.

    What no rule names has to be the same (see `values.same`). No rule makes equal values differ.
    """
    try:
        if same(green, blue):
            return ()
        walk = _Walk(Located(rules, green, blue))
        return tuple(islice(walk.differences(green, blue, Place(), Inherited()), MOST))
    except RecursionError:
        return (Difference("too-deep", "$", green, blue, "nested too deep to be compared place by place"),)


class _Walk:
    def __init__(self, rules: Located, *, explains: bool = True) -> None:
        self.rules = rules
        self.explains = explains
        self._quiet = _Walk(rules, explains=False) if explains else self

    def differences(self, green: Any, blue: Any, place: Place, above: Inherited) -> Iterator[Difference]:
        ruling = self.rules.at(place)
        kind = ruling.stop if ruling else None
        if kind is RuleKind.IGNORE:
            return
        one, other = kind_of(green), kind_of(blue)
        if one != other:
            yield Difference("type-differs", path_text(place.green), green, blue, f"{one} in green, {other} in blue")
        elif kind is RuleKind.KEYS:
            yield from key_differences(self, green, blue, place)
        elif kind is not RuleKind.TYPE:
            yield from self._inside(one, green, blue, place, above.under(ruling) if ruling else above)

    def equal(self, green: Any, blue: Any, place: Place, above: Inherited) -> bool:
        return same(green, blue) or next(self._quiet.differences(green, blue, place, above), None) is None

    def ignored(self, place: Place) -> bool:
        ruling = self.rules.at(place)
        return ruling is not None and ruling.stop is RuleKind.IGNORE

    def _inside(self, kind: str, green: Any, blue: Any, place: Place, above: Inherited) -> Iterator[Difference]:
        if kind == "object":
            yield from object_differences(self, green, blue, place, above)
        elif kind == "list":
            compared = unordered_differences if above.unordered else list_differences
            yield from compared(self, green, blue, place, above)
        elif kind == "number":
            yield from number_difference(green, blue, path_text(place.green), above.number)
        elif kind == "text":
            yield from text_difference(green, blue, path_text(place.green), above.similar, explains=self.explains)
        else:
            yield Difference("value-differs", path_text(place.green), green, blue, f"another {kind}")
