"""What of a value has to be the same for it to be equal to another under the rules; the rest of it, to sort by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from math import isfinite
from typing import Any, NamedTuple

from cutover.config import RuleKind
from cutover.validate.parity.rules import Inherited, Side
from cutover.validate.parity.values import Location, frozen, kind_of

Leaf = tuple[int, Any]
"""A number (0) or a text (1) that need not be the same."""


class Shape(NamedTuple):
    """Values that are equal under the rules have the same `fixed`; what they may differ in is `loose`, in one order."""

    fixed: Hashable
    loose: tuple[Leaf, ...]


def shape(value: Any, location: Location, above: Inherited, side: Side) -> Shape:
    """Return the shape of a value that stands at a location, with the rules that hold in it."""
    loose: list[Leaf] = []
    return Shape(_fixed(value, location, above, side, loose), tuple(loose))


def _fixed(value: Any, location: Location, above: Inherited, side: Side, loose: list[Leaf]) -> Hashable:
    ruling = side.at(location)
    kind = kind_of(value)
    if ruling is not None and ruling.stop is not None:
        return None if ruling.stop is RuleKind.IGNORE else kind
    below = above.under(ruling) if ruling else above
    if kind == "object":
        return _object(value, location, below, side, loose)
    if kind == "list":
        return _list(value, location, below, side, loose)
    if kind == "number" and below.number and (isinstance(value, int) or isfinite(value)):
        loose.append((0, value))
        return kind
    if kind == "text" and below.similar:
        loose.append((1, value))
        return kind
    return frozen(value)


def _object(value: Any, location: Location, below: Inherited, side: Side, loose: list[Leaf]) -> Hashable:
    kept = []
    for key in sorted(value, key=repr):
        ruling = side.at((*location, key))
        if ruling is None or ruling.stop is not RuleKind.IGNORE:
            kept.append((key, _fixed(value[key], (*location, key), below, side, loose)))
    return "object", tuple(kept)


def _list(value: Any, location: Location, below: Inherited, side: Side, loose: list[Leaf]) -> Hashable:
    if not below.unordered:
        return "list", tuple(_fixed(item, (*location, i), below, side, loose) for i, item in enumerate(value))
    inner: list[Leaf] = []
    items = Counter(_fixed(item, (*location, i), below.in_items(), side, inner) for i, item in enumerate(value))
    loose.extend(sorted(inner))
    return "unordered", frozenset(items.items())
