"""Objects: keys that are missing, too many, or renamed, and the values of those that both have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cutover.validate.parity.difference import Difference
from cutover.validate.parity.leaves import similarity
from cutover.validate.parity.rules import Inherited, Place
from cutover.validate.parity.values import ABSENT, kind_of, path_text, same
from cutover.validate.parity.walk import Walk

ALIKE = 0.6
"""Similarity of two names from which on one may be the other, renamed (model_name, modelName: 0.84)."""

MOST_RENAMED = 10_000
"""Pairs of keys that are held against each other: 100 by 100."""

Object = Mapping[Any, Any]


def object_differences(walk: Walk, green: Object, blue: Object, place: Place, above: Inherited) -> Iterator[Difference]:
    """Yield what differs between two objects."""
    missing, extra = _only_in_one(walk, green, blue, place)
    renamed = (
        _renamed(green, blue, missing, extra) if walk.explains and 0 < len(missing) * len(extra) <= MOST_RENAMED else {}
    )
    for key, other in renamed.items():
        message = f"{key!r} in green is {other!r} in blue"
        yield Difference(
            "renamed-key", path_text((*place.green, key)), {key: green[key]}, {other: blue[other]}, message
        )
        if not same(green[key], blue[other]):
            yield from walk.differences(green[key], blue[other], place.step(key, other), above)
    yield from _unpaired(
        green, blue, place, [k for k in missing if k not in renamed], [k for k in extra if k not in renamed.values()]
    )
    for key, value in green.items():
        if key in blue and not same(value, blue[key]):
            yield from walk.differences(value, blue[key], place.step(key), above)


def key_differences(walk: Walk, green: Any, blue: Any, place: Place) -> Iterator[Difference]:
    """Yield keys that only one of two objects has; of two lists another length, and item by item types and keys.

    What stands under the keys of an object does not count, not even its type.
    """
    if isinstance(green, list | tuple):
        if len(green) != len(blue):
            message = f"{len(green)} items in green, {len(blue)} in blue"
            yield Difference("length-differs", path_text(place.green), green, blue, message)
        for index, (one, other) in enumerate(zip(green, blue, strict=False)):
            here = place.step(index)
            kinds = kind_of(one), kind_of(other)
            if kinds[0] == kinds[1]:
                yield from key_differences(walk, one, other, here)
            elif not walk.ignored(here):
                message = f"{kinds[0]} in green, {kinds[1]} in blue"
                yield Difference("type-differs", path_text(here.green), one, other, message)
    elif isinstance(green, dict):
        yield from _unpaired(green, blue, place, *_only_in_one(walk, green, blue, place))


def _only_in_one(walk: Walk, green: Object, blue: Object, place: Place) -> tuple[list[Any], list[Any]]:
    """Return the keys that blue lacks and those that green lacks, but for those that are ignored."""
    if green.keys() == blue.keys():
        return [], []
    missing = [key for key in green if key not in blue and not walk.ignored(place.step(key))]
    extra = [key for key in blue if key not in green and not walk.ignored(place.step(key))]
    return missing, extra


def _unpaired(green: Object, blue: Object, place: Place, missing: list[Any], extra: list[Any]) -> Iterator[Difference]:
    for key in missing:
        path = path_text((*place.green, key))
        yield Difference("missing-key", path, green[key], ABSENT, f"blue has no key {key!r}")
    for key in extra:
        path = path_text((*place.blue, key))
        yield Difference("extra-key", path, ABSENT, blue[key], f"only blue has the key {key!r}")


def _renamed(green: Object, blue: Object, missing: list[Any], extra: list[Any]) -> dict[Any, Any]:
    """Return green's key -> blue's, for keys that are likely the same under another name; the likeliest first."""
    alone = len(missing) == 1 and len(extra) == 1
    scored = [
        (score, key, other)
        for key in missing
        for other in extra
        if (score := _likeness(key, green[key], other, blue[other], alone=alone))
    ]
    found: dict[Any, Any] = {}
    for _, key, other in sorted(scored, key=lambda item: -item[0]):
        if key not in found and other not in found.values():
            found[key] = other
    return found


def _likeness(key: Any, green: Any, other: Any, blue: Any, *, alone: bool) -> float:
    """Return how likely one key is the other: equal values that say something, or alike names of one type."""
    if kind_of(green) != kind_of(blue):
        return 0.0
    named = similarity(str(key).lower(), str(other).lower())
    if same(green, blue) and (_telling(green) or alone):
        return 1.0 + named
    return named if named >= ALIKE else 0.0


def _telling(value: Any) -> bool:
    """Say whether two keys with this value are hardly equal by chance: not true, null, 0, 1 or empty."""
    return value not in (None, True, False, 0, 1) and value not in ("", [], {})
