"""Values in findings: short, printable, without what looks like a secret."""

from __future__ import annotations

import json
from typing import Any

from cutover.probes.spec import mask, mask_text
from cutover.validate.paths import Location
from cutover.validate.talk import Response

MOST_CHARS = 160


def shown(value: Any, location: Location = ()) -> str:
    """Return a value as short JSON; `location` is where it stands: a key that looks like a secret's masks it."""
    key = next((step for step in reversed(location) if isinstance(step, str)), "")
    try:
        text = json.dumps(mask(value, key), ensure_ascii=False, default=repr)
    except (ValueError, TypeError, RecursionError):
        text = f"a {type(value).__name__} that cannot be shown"
    return _short(text)


def body(response: Response) -> str:
    """Return the reply itself, shortened."""
    if isinstance(response.value, str):
        return _short(mask_text(response.value))
    return shown(response.value)


def _short(text: str) -> str:
    printable = "".join(c if c.isprintable() else "\N{MIDDLE DOT}" for c in text[:MOST_CHARS])
    return printable + (f"... ({len(text)} characters)" if len(text) > MOST_CHARS else "")
