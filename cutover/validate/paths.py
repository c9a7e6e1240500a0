"""What stands where in a reply: JSONPath (RFC 9535) over any decoded value."""

from __future__ import annotations

from typing import Any

from cutover.config import paths
from cutover.errors import UsageError

Location = tuple[str | int, ...]


def find(value: Any, path: str) -> list[tuple[Location, Any]]:
    """Return every place of a value that a JSONPath names, with what stands there; [] where nothing does.

    Raises:
        UsageError: it is no JSONPath, or one that cannot be asked of this value.

    """
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


def spelt(location: Location) -> str:
    """Return a place as a JSONPath: `$.models[0].name`, `$['two words']`."""
    return "$" + "".join(_step(step) for step in location)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() else f"[{step!r}]"
