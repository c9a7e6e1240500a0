"""What stands where in a reply: JSONPath (RFC 9535) over any decoded value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from cutover.config import paths
from cutover.errors import UsageError

Location = tuple[str | int, ...]


def find(value: Any, path: str) -> list[tuple[Location, Any]]:
    """Return every place of a value that a JSONPath names, with what stands there; [] where nothing does.

    Raises:
        UsageError: it is no JSONPath, or one that cannot be asked of this value.

    """
    steps = _plain_steps(path)
    if steps is not None:
        return _walked(value, steps)
    from jsonpath import JSONPathError  # noqa: PLC0415
    from jsonpath.exceptions import JSONPathRecursionError  # noqa: PLC0415

    try:
        query = paths.compiled(path)
    except ValueError as error:
        raise UsageError("bad-jsonpath", f"{error}.", hint=f"for example {paths.EXAMPLE}") from error
    whole = isinstance(value, dict | list)
    try:
        # The library reads a text as JSON and bytes as a list: a value that is no container has a root and no more.
        found = [(tuple(match.parts), match.obj) for match in query.finditer(value if whole else 0)]
    except (JSONPathRecursionError, RecursionError):
        return []
    except JSONPathError as error:
        raise UsageError("bad-jsonpath", f"{path!r} cannot be asked: {error.args[0]}.") from error
    return found if whole else [(location, value) for location, _ in found]


Step = tuple[bool, str | None]
"""Whether it looks at everything below, and a name; None for every key and item."""


@lru_cache(maxsize=1024)
def _plain_steps(path: str) -> tuple[Step, ...] | None:
    """Return the steps of a path that has nothing but names and wildcards, after one dot or two; None for any other.

    Nearly every path in a settings file is one, and the library takes 4 to 75 us for what is a few look-ups: with two
    replies, five paths and ten thousand pairs, that was half of what comparing cost.
    """
    from jsonpath.segments import JSONPathChildSegment, JSONPathRecursiveDescentSegment  # noqa: PLC0415
    from jsonpath.selectors import NameSelector, WildcardSelector  # noqa: PLC0415

    try:
        segments = getattr(paths.compiled(path), "segments", None)
    except ValueError:
        return None
    steps: list[Step] = []
    for segment in segments if segments is not None else (None,):
        if not isinstance(segment, JSONPathChildSegment | JSONPathRecursiveDescentSegment):
            return None
        selector = segment.selectors[0]
        if len(segment.selectors) != 1 or not isinstance(selector, NameSelector | WildcardSelector):
            return None
        deep = isinstance(segment, JSONPathRecursiveDescentSegment)
        steps.append((deep, selector.name if isinstance(selector, NameSelector) else None))
    return tuple(steps)


def _walked(value: Any, steps: tuple[Step, ...]) -> list[tuple[Location, Any]]:
    found: list[tuple[Location, Any]] = [((), value)]
    for deep, name in steps:
        inside = _with_all_below(found) if deep else found
        if name is None:
            found = [((*at, key), item) for at, inner in inside for key, item in _children(inner)]
        else:
            found = [((*at, name), inner[name]) for at, inner in inside if isinstance(inner, dict) and name in inner]
    return found


def _with_all_below(found: list[tuple[Location, Any]]) -> Iterator[tuple[Location, Any]]:
    """Yield each place and all below it, what contains before what is in it."""
    waiting = found[::-1]
    while waiting:
        at, value = waiting.pop()
        yield at, value
        if isinstance(value, dict | list):
            waiting += [((*at, key), item) for key, item in reversed(list(_children(value)))]


def _children(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def spelt(location: Location) -> str:
    """Return a place as a JSONPath: `$.models[0].name`, `$['two words']`."""
    return "$" + "".join(_step(step) for step in location)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() else f"[{step!r}]"
