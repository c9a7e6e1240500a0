"""A difference between what green and blue answered, with a name, and how it is shown."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from cutover.model import Severity
from cutover.probes.spec import mask, mask_text
from cutover.validate.parity.values import ABSENT, kind_of

SHOWN = 160
_LAST_NAME = re.compile(r"(?:\.(\w+)|\['((?:\\.|[^'\\])*)'\])(?:\[\d+\])*$")


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `code` is stable, `path` a JSONPath, ABSENT stands where one side has nothing.

    A difference of severity WARNING is worth knowing and does not make the answers unequal.
    """

    code: str
    path: str
    green: Any = field(repr=False)
    blue: Any = field(repr=False)
    message: str
    severity: Severity = Severity.ERROR

    def lines(self) -> tuple[str, ...]:
        """Return `- green` and `+ blue`, cut around where they begin to differ, without what looks like a secret."""
        named = _LAST_NAME.search(self.path)
        key = (named[1] or named[2] or "") if named else ""
        green, blue = (None if v is ABSENT else value_text(v, key) for v in (self.green, self.blue))
        if green is not None and blue is not None:
            green, blue = cut(green, blue)
        both = (("-", green), ("+", blue))
        return tuple(f"{sign} {text[: SHOWN + 2]}" for sign, text in both if text is not None)


def value_text(value: Any, key: str = "") -> str:
    """Return a value on one line, as JSON where JSON can say it; `key` is what it stands under, for masking secrets."""
    if kind_of(value) == "bytes":
        return repr(bytes(value))
    try:
        shown = mask_text(value) if kind_of(value) == "text" and not key else mask(value, key)
        return json.dumps(shown, ensure_ascii=False, default=repr)
    except (ValueError, TypeError, RecursionError):
        return f"<{kind_of(value)}>"


def cut(green: str, blue: str, width: int = SHOWN) -> tuple[str, str]:
    """Return both texts cut to `width`, so that the first place where they differ is in sight."""
    if max(len(green), len(blue)) <= width:
        return green, blue
    first = next((i for i, (a, b) in enumerate(zip(green, blue, strict=False)) if a != b), min(len(green), len(blue)))
    start = max(0, min(first - width // 3, max(len(green), len(blue)) - width))
    return _cut(green, start, width), _cut(blue, start, width)


def _cut(text: str, start: int, width: int) -> str:
    before, after = "…" if start else "", "…" if len(text) > start + width else ""
    return f"{before}{text[start + len(before) : start + width - len(after)]}{after}"
