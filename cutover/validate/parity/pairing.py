"""Which item of green's list is which of blue's, where the order does not count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import islice
from typing import Any

from cutover.validate.parity.rules import Inherited, Place
from cutover.validate.parity.values import frozen
from cutover.validate.parity.walk import Walk

MOST_TRIED = 40_000
"""Pairs of items that are compared under the rules to find who belongs to whom: 200 by 200."""
MOST_NEAR = 900
FAR = 10
"""Differences from which on two objects are not the same item, changed."""

Items = Sequence[Any]


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
        self.pairs: dict[int, int] = {}
        if key is not None:
            self._by_key(key)

    @property
    def complete(self) -> bool:
        """Say whether every item has its partner."""
        return len(self.pairs) == len(self._green) == len(self._blue)

    def match(self) -> None:
        """Pair as many items as possible that are equal under the rules."""
        self._match(give_up=False)

    def can_complete(self) -> bool:
        """Say whether every item of both lists has an equal one in the other."""
        return len(self._green) == len(self._blue) and self._match(give_up=True)

    def pair_nearest(self) -> None:
        """Pair what is left with what differs least: one item that changed is not one gone and another come."""
        ones, others = self._open()
        if not (ones and others):
            return
        if len(ones) == len(others) == 1:
            self.pairs[ones[0]] = others[0]
        elif len(ones) * len(others) <= MOST_NEAR:
            priced = [(self._price(one, other), one, other) for one in ones for other in others]
            for price, one, other in sorted(priced):
                if price < FAR and one not in self.pairs and other not in self.pairs.values():
                    self.pairs[one] = other

    def left_green(self) -> list[int]:
        """Return the indexes of green that have no partner."""
        return [i for i in range(len(self._green)) if i not in self.pairs]

    def left_blue(self) -> list[int]:
        """Return the indexes of blue that have no partner."""
        taken = set(self.pairs.values())
        return [i for i in range(len(self._blue)) if i not in taken]

    def _by_key(self, key: str) -> None:
        """Pair objects that have the same value at a key; several with one value in their order."""
        of_blue = _groups(self._blue, key)
        for value, ones in _groups(self._green, key).items():
            self.pairs.update(zip(ones, of_blue.get(value, ()), strict=False))

    def _match(self, *, give_up: bool) -> bool:
        """Pair identical items by hash, the others along augmenting paths (Kuhn).

        With a tolerance, the first that fits may be needed by another: who is paired is moved on where that helps.
        `give_up` stops at the first item that cannot have a partner. Returns whether all of green's have one.
        """
        ones, others = self._open()
        partner = _identical(self._green, self._blue, ones, others)
        rest = [one for one in ones if one not in set(partner.values())]
        if rest and len(partner) < len(others) and len(rest) * len(others) <= MOST_TRIED:
            for one in rest:
                if not self._augment(one, others, partner, set()) and give_up:
                    break
        self.pairs.update({one: other for other, one in partner.items()})
        return len(self.pairs) == len(self._green)

    def _augment(self, one: int, others: list[int], partner: dict[int, int], tried: set[int]) -> bool:
        """Find a partner for `one`; `partner` is blue's index -> green's."""
        for other in others:
            if other in tried or not self._fits(one, other):
                continue
            tried.add(other)
            if other not in partner or self._augment(partner[other], others, partner, tried):
                partner[other] = one
                return True
        return False

    def _fits(self, one: int, other: int) -> bool:
        if (one, other) not in self._known:
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


def _groups(items: Items, key: str) -> Mapping[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        if isinstance(item, dict) and key in item:
            name = item[key]
            groups[name if type(name) is str else frozen(name)].append(index)
    return groups


def _identical(green: Items, blue: Items, ones: list[int], others: list[int]) -> dict[int, int]:
    """Return blue's index -> green's for items that are the same without any rule."""
    waiting: dict[Hashable, list[int]] = defaultdict(list)
    for index in reversed(others):
        waiting[frozen(blue[index])].append(index)
    found = {}
    for index in ones:
        partners = waiting.get(frozen(green[index]))
        if partners:
            found[partners.pop()] = index
    return found
