"""Which item of green's list is which of blue's, where the order does not count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import islice
from typing import Any

from cutover.validate.parity.rules import Inherited, Place
from cutover.validate.parity.shapes import Shape, shape
from cutover.validate.parity.values import frozen, same
from cutover.validate.parity.walk import Walk

MOST_TRIED = 40_000
"""Pairs of items that are compared under the rules to find who belongs to whom: 200 by 200. Of more, those of one shape
are paired in the order of their numbers and texts, and only what is left is tried, as often."""
MOST_SORTED = 8
"""Numbers and texts by which they are put in order, one after the other."""
MOST_NEAR = 900
FAR = 10
"""Differences from which on two objects are not the same item, changed."""

Items = Sequence[Any]


Partners = dict[int, int]
"""Blue's index -> green's."""


class Pairing:
    """Pairs items of two lists; `pairs` are indexes in green's list -> indexes in blue's.

    `key` is one by which objects are paired; those that have it pair with nothing that has another value there.
    """

    def __init__(
        self, walk: Walk, lists: tuple[Items, Items], place: Place, below: Inherited, key: str | None = None
    ) -> None:
        self._walk = walk
        self._green, self._blue = lists
        self._place = place
        self._below = below
        self._key = key
        self._known: dict[tuple[int, int], bool] = {}
        self._budget: int | None = None
        self.pairs: dict[int, int] = {}
        self.gave_up: set[int] = set()
        """Items of green for which there were too many of blue to try them all."""
        if key is not None:
            self._by_key(key)

    @property
    def complete(self) -> bool:
        """Say whether every item has its partner."""
        return len(self.pairs) == len(self._green) == len(self._blue)

    def match(self) -> None:
        """Pair as many items as possible that are equal under the rules; `gave_up` says how many are not known."""
        self._take(self._paired(*self._open()))

    def can_complete(self) -> bool:
        """Say whether every item of both lists has an equal one in the other, as far as is known."""
        if len(self._green) == len(self._blue):
            self._take(self._paired(*self._open(), whole=True))
        return self.complete

    def pair_nearest(self) -> None:
        """Pair what is left with what differs least: one item that changed is not one gone and another come."""
        ones, others = self._open()
        if not (ones and others):
            return
        if len(ones) == len(others) == 1:
            self.pairs[ones[0]] = others[0]
        elif len(ones) * len(others) <= MOST_NEAR:
            priced = [(self._price(one, other), one, other) for one in ones for other in others]
            taken = set[int]()
            for price, one, other in sorted(priced):
                if price < FAR and one not in self.pairs and other not in taken:
                    self.pairs[one] = other
                    taken.add(other)

    def left_green(self) -> list[int]:
        """Return the indexes of green that have no partner."""
        return [i for i in range(len(self._green)) if i not in self.pairs]

    def left_blue(self) -> list[int]:
        """Return the indexes of blue that have no partner."""
        taken = set(self.pairs.values())
        return [i for i in range(len(self._blue)) if i not in taken]

    def _by_key(self, key: str) -> None:
        """Pair objects that have the same value at a key; of several with one value, those that are equal first."""
        of_blue = _groups(self._blue, key)
        for value, ones in _groups(self._green, key).items():
            others = of_blue.get(value, [])
            if len(ones) == len(others) == 1:
                self.pairs[ones[0]] = others[0]
            elif others:
                partner = self._paired(ones, others)
                self._take(partner)
                taken = set(partner.values())
                left = ([i for i in ones if i not in taken], [i for i in others if i not in partner])
                self.pairs.update(zip(*left, strict=False))

    def _take(self, partner: Partners) -> None:
        self.pairs.update({one: other for other, one in partner.items()})

    def _paired(self, ones: list[int], others: list[int], *, whole: bool = False) -> Partners:
        """Pair identical items by hash; then those that are equal under the rules, as many as possible.

        With a tolerance, the first that fits may be needed by another: who is paired is moved on where that helps
        (Kuhn). `whole` stops at the first item that cannot have a partner.
        """
        partner = _identical(self._green, self._blue, ones, others)
        if len(partner) in {len(ones), len(others)} or not self._has_rules():
            return partner
        taken = set(partner.values())
        rest = [one for one in ones if one not in taken]
        if len(rest) * len(others) > MOST_TRIED:
            return self._paired_by_shape(ones, others, whole=whole)
        for one in rest:
            if not self._finds(one, others, partner) and whole:
                break
        return partner

    def _finds(self, one: int, others: list[int], partner: Partners) -> bool:
        """Find a partner for `one`, or note that there were too many to try."""
        try:
            found = self._augment(one, others, partner, set())
        except RecursionError:  # who is paired would have to move on a thousand times over
            found, exhausted = False, True
        else:
            exhausted = not found and self._budget == 0
        if exhausted:
            self.gave_up.add(one)
        return found

    def _paired_by_shape(self, ones: list[int], others: list[int], *, whole: bool) -> Partners:
        """Pair items of one shape in the order of what may differ in them, and try only what is left then."""
        of_green, of_blue = self._shapes(ones, others)
        partner: Partners = {}
        left = MOST_TRIED
        for fixed, greens in of_green.items():
            blues = of_blue.get(fixed, {})
            if whole and len(greens) != len(blues):
                break
            found = self._in_order(greens, blues)
            taken = set(found.values())
            rest = [one for one in greens if one not in taken]
            if len(found) < len(blues) and not self._in_order_is_best(greens):
                self._budget = left
                for one in rest:
                    self._finds(one, list(blues), found)
                left, self._budget = self._budget, None
            partner |= found
        return partner

    def _in_order_is_best(self, greens: dict[int, Any]) -> bool:
        """Say whether no pairing has more pairs than that in order: nothing is loose, or one number."""
        loose = next(iter(greens.values()))
        return not loose or (len(loose) == 1 and loose[0][0] == 0)

    def _shapes(self, ones: list[int], others: list[int]) -> tuple[_Shapes, _Shapes]:
        sides = (
            (ones, self._green, self._place.green, self._walk.rules.green),
            (others, self._blue, self._place.blue, self._walk.rules.blue),
        )
        found: list[_Shapes] = []
        for indexes, items, location, side in sides:
            shapes: _Shapes = defaultdict(dict)
            for index in indexes:
                its: Shape = shape(items[index], (*location, index), self._below, side)
                shapes[its.fixed][index] = its.loose
            found.append(shapes)
        return found[0], found[1]

    def _in_order(self, greens: dict[int, Any], blues: dict[int, Any]) -> Partners:
        """Pair items in the order of their numbers and texts; what one number leaves over, in that of the next."""
        found: Partners = {}
        many = len(next(iter(greens.values())))
        for first in range(min(max(many, 1), MOST_SORTED)):
            taken = set(found.values())
            ones = _sorted({i: loose for i, loose in greens.items() if i not in taken}, first)
            others = _sorted({i: loose for i, loose in blues.items() if i not in found}, first)
            i = j = 0
            while i < len(ones) and j < len(others):
                if self._fits(ones[i][1], others[j][1]):
                    found[others[j][1]] = ones[i][1]
                    i, j = i + 1, j + 1
                elif ones[i][0] <= others[j][0]:
                    i += 1
                else:
                    j += 1
            if len(found) in {len(greens), len(blues)}:
                break
        return found

    def _augment(self, one: int, others: list[int], partner: Partners, tried: set[int]) -> bool:
        """Find a partner for `one`."""
        for other in others:
            if other in tried or not self._fits(one, other):
                continue
            tried.add(other)
            if other not in partner or self._augment(partner[other], others, partner, tried):
                partner[other] = one
                return True
        return False

    def _has_rules(self) -> bool:
        """Say whether items may be equal that are not the same."""
        rules, place = self._walk.rules, self._place
        inherited = self._below.number or self._below.similar or self._below.unordered
        return bool(inherited) or rules.green.names_below(place.green) or rules.blue.names_below(place.blue)

    def _fits(self, one: int, other: int) -> bool:
        if (one, other) not in self._known:
            if self._budget is not None:
                if not self._budget:
                    return False
                self._budget -= 1
            place = self._place.step(one, other)
            self._known[one, other] = self._walk.equal(self._green[one], self._blue[other], place, self._below)
        return self._known[one, other]

    def _open(self) -> tuple[list[int], list[int]]:
        """Return what has no partner and may get one."""
        return self._keyless(self.left_green(), self._green), self._keyless(self.left_blue(), self._blue)

    def _keyless(self, left: list[int], items: Items) -> list[int]:
        return [i for i in left if not (isinstance(items[i], dict) and self._key in items[i])]

    def _price(self, one: int, other: int) -> int:
        green, blue = self._green[one], self._blue[other]
        if not (isinstance(green, dict | list) and isinstance(blue, dict | list)):
            return FAR
        place = self._place.step(one, other)
        return len(list(islice(self._walk.differences(green, blue, place, self._below), FAR)))


_Shapes = dict[Hashable, dict[int, Any]]
"""What is fixed -> index -> what is loose."""


def _sorted(loose: Mapping[int, Any], first: int) -> list[tuple[Any, int]]:
    """Return items with what is loose in them, sorted by that from one place on, the places before it last."""
    return sorted(((leaves[first:] + leaves[:first], index) for index, leaves in loose.items()))


def _groups(items: Items, key: str) -> Mapping[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        if isinstance(item, dict) and key in item:
            name = item[key]
            groups[name if type(name) is str else frozen(name)].append(index)
    return groups


def _identical(green: Items, blue: Items, ones: Sequence[int], others: Sequence[int]) -> Partners:
    """Pair items that are the same without any rule: those that both lists begin and end with, the others by hash."""
    found: Partners = {}
    taken = set[int]()
    for pairs in (zip(ones, others, strict=False), zip(reversed(ones), reversed(others), strict=False)):
        for one, other in pairs:
            if one in taken or other in found or not same(green[one], blue[other]):
                break
            found[other] = one
            taken.add(one)
    waiting: dict[Hashable, list[int]] = defaultdict(list)
    for index in reversed(others):
        if index not in found:
            waiting[frozen(blue[index])].append(index)
    for index in ones:
        partners = None if index in taken else waiting.get(frozen(green[index]))
        if partners:
            found[partners.pop()] = index
    return found
