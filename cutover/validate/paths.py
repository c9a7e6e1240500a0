"""What stands where in a reply: JSONPath (RFC 9535) over any decoded value."""

from __future__ import annotations

from collections.abc import Iterable
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


@lru_cache(maxsize=1024)
def _plain_steps(path: str) -> tuple[str | None, ...] | None:
    """Return the names of a path that has nothing but names and wildcards (None); None for any other path.

    Nearly every path in a settings file is one, and the library takes 4 to 25 us for what is a few look-ups: with two
    replies, five paths and ten thousand pairs, that was half of what comparing cost.
    """
    from jsonpath.segments import JSONPathChildSegment  # noqa: PLC0415
    from jsonpath.selectors import NameSelector, WildcardSelector  # noqa: PLC0415

    try:
        segments = getattr(paths.compiled(path), "segments", None)
    except ValueError:
        return None
    if segments is None or not all(isinstance(s, JSONPathChildSegment) and len(s.selectors) == 1 for s in segments):
        return None
    selectors = [segment.selectors[0] for segment in segments]
    if not all(isinstance(s, NameSelector | WildcardSelector) for s in selectors):
        return None
    return tuple(s.name if isinstance(s, NameSelector) else None for s in selectors)


def _walked(value: Any, steps: tuple[str | None, ...]) -> list[tuple[Location, Any]]:
    found: list[tuple[Location, Any]] = [((), value)]
    for name in steps:
        if name is None:
            found = [((*at, key), item) for at, inner in found for key, item in _children(inner)]
        else:
            found = [((*at, name), inner[name]) for at, inner in found if isinstance(inner, dict) and name in inner]
    return found


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
