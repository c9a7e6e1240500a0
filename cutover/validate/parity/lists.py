"""Lists: items that differ, are missing, or stand elsewhere; and lists whose order does not count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from cutover.validate.parity.difference import Difference
from cutover.validate.parity.pairing import Pairing
from cutover.validate.parity.rules import Inherited, Place
from cutover.validate.parity.values import ABSENT, path_text, same
from cutover.validate.parity.walk import Walk

MANY = 100
"""Differing items of one list that are told."""

_TOO_MANY = "gave up for {} items of green: too many of blue are like them to try them all"

Items = Sequence[Any]


def list_differences(walk: Walk, green: Items, blue: Items, place: Place, above: Inherited) -> Iterator[Difference]:
    """Yield what differs between two lists whose order counts."""
    if len(green) != len(blue):
        yield from _of_other_length(walk, green, blue, place, above)
        return
    found = list(islice(_item_by_item(walk, green, blue, place, above), MANY if walk.explains else 1))
    if found and walk.explains and Pairing(walk, (green, blue), place, above).can_complete():
        yield Difference("order-differs", path_text(place.green), green, blue, "the same items in another order")
    else:
        yield from found


def unordered_differences(
    walk: Walk, green: Items, blue: Items, place: Place, above: Inherited
) -> Iterator[Difference]:
    """Yield what differs between two lists whose order does not count.

    With `by`, objects are paired by that key and what differs is shown inside; the others are paired with what is
    equal under the rules, then with what is nearest.
    """
    below = above.in_items()
    pairing = Pairing(walk, (green, blue), place, below, above.unordered.by if above.unordered else None)
    if not pairing.complete:
        pairing.match()
        if walk.explains:
            pairing.pair_nearest()
    for one, other in sorted(pairing.pairs.items()):
        if not same(green[one], blue[other]):
            yield from walk.differences(green[one], blue[other], place.step(one, other), below)
    if pairing.complete:
        return
    if pairing.gave_up:
        yield Difference(
            "too-many-to-pair", path_text(place.green), green, blue, _TOO_MANY.format(len(pairing.gave_up))
        )
        return
    for index in pairing.left_green():
        path = path_text((*place.green, index))
        yield Difference("missing-item", path, green[index], ABSENT, "no item of blue's list is like it")
    for index in pairing.left_blue():
        path = path_text((*place.blue, index))
        yield Difference("extra-item", path, ABSENT, blue[index], "no item of green's list is like it")


def _item_by_item(walk: Walk, green: Items, blue: Items, place: Place, above: Inherited) -> Iterator[Difference]:
    for index, (one, other) in enumerate(zip(green, blue, strict=True)):
        if not same(one, other):
            yield from walk.differences(one, other, place.step(index), above)


def _of_other_length(walk: Walk, green: Items, blue: Items, place: Place, above: Inherited) -> Iterator[Difference]:
    """Yield that the lengths differ, and what differs between the ends that both lists share."""
    message = f"{len(green)} items in green, {len(blue)} in blue"
    yield Difference("length-differs", path_text(place.green), green, blue, message)
    shorter = min(len(green), len(blue))
    start = next((i for i in range(shorter) if not same(green[i], blue[i])), shorter)
    end = next((i for i in range(shorter - start) if not same(green[-1 - i], blue[-1 - i])), shorter - start)
    for index in range(start, shorter - end):
        if not same(green[index], blue[index]):
            yield from walk.differences(green[index], blue[index], place.step(index), above)
