"""What JSON knows as values, and when two of them are the same.

JSON has one type of number: 1 and 1.0 are the same, as for JSON Schema and for every client that reads numbers as
doubles. true is not 1. NaN, which some services write, is the same as NaN. Bytes and dates are msgpack's.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

Location = tuple[str | int, ...]
_INDEX_OR_QUOTED = re.compile(r"('(?:\\.|[^'\\])*')|\[\d+\]")


class Absent:
    """What stands where nothing stands; None is JSON's null."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


_KINDS: dict[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    tuple: "list",
    dict: "object",
    bytes: "bytes",
    type(None): "null",
    Absent: "nothing",
}
_PLAIN = frozenset({str, int, bool})


def kind_of(value: Any) -> str:
    """Return a value's type in JSON's words."""
    kind = type(value)
    return _KINDS.get(kind) or next((word for known, word in _KINDS.items() if issubclass(kind, known)), kind.__name__)


def same(green: Any, blue: Any) -> bool:  # noqa: PLR0911  (called for every value)
    """Say whether two values are the same without any rule.

    Raises:
        RecursionError: they are nested deeper than Python follows.

    """
    kind = type(green)
    if kind in _PLAIN and type(blue) is kind:
        return bool(green == blue)
    if isinstance(green, dict):
        if not isinstance(blue, dict) or len(green) != len(blue):
            return False
        for key, value in green.items():  # noqa: SIM110  (all() of a generator takes twice as long)
            if key not in blue or not same(value, blue[key]):
                return False
        return True
    if isinstance(green, list | tuple):
        if not isinstance(blue, list | tuple) or len(green) != len(blue):
            return False
        return all(map(same, green, blue))
    if isinstance(green, bool) or isinstance(blue, bool):
        return green is blue
    return bool(green == blue) or (green != green and blue != blue)  # noqa: PLR0124  (NaN)


def frozen(value: Any) -> Hashable:
    """Return a hashable value that is equal for two values exactly if they are the same."""
    kind = kind_of(value)
    if kind == "object":
        return kind, frozenset((key, frozen(item)) for key, item in value.items())
    if kind == "list":
        return kind, tuple(map(frozen, value))
    if kind == "number":
        return kind, value if value == value else "NaN"  # noqa: PLR0124
    return kind, value if isinstance(value, Hashable) else repr(value)


def path_text(location: Location) -> str:
    """Return a location as a JSONPath: `$.result.models[2]['odd key']`."""
    return "$" + "".join(_step(step) for step in location)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if isinstance(step, str) and step.isidentifier():
        return f".{step}"
    text = str(step).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"['{text}']"


def general_path(path: str) -> str:
    """Return a path with `[*]` for every index: what differs alike in all items of a list has one name."""
    return _INDEX_OR_QUOTED.sub(lambda found: found[1] or "[*]", path)
