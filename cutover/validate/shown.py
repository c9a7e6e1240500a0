"""Values in findings: short, printable, without what looks like a secret."""

from __future__ import annotations

import json
from typing import Any

from cutover.probes.spec import mask, mask_text
from cutover.validate.paths import Location
from cutover.validate.talk import Response
from cutover.validate.talk.codec import text_of

MOST_CHARS = 160
_MOST_FRAMES = 5


def shown(value: Any, location: Location = ()) -> str:
    """Return a value as short JSON; `location` is where it stands: a key that looks like a secret's masks it."""
    key = next((step for step in reversed(location) if isinstance(step, str)), "")
    try:
        text = json.dumps(mask(value, key), ensure_ascii=False, default=repr)
    except (ValueError, TypeError, RecursionError):
        text = f"a {type(value).__name__} that cannot be shown"
    return _short(text)


def body(response: Response) -> str:
    """Return the reply itself, shortened, with the ZeroMQ frames before it where there are any."""
    value = response.value
    last = _short(mask_text(value)) if isinstance(value, str) else shown(value)
    frames = ", ".join(_short(mask_text(text_of(frame))) for frame in response.frames[:_MOST_FRAMES])
    more = f" and {len(response.frames) - _MOST_FRAMES} more" if len(response.frames) > _MOST_FRAMES else ""
    return f"{last} (after the frames {frames}{more})" if frames or more else last


def _short(text: str) -> str:
    printable = "".join(c if c.isprintable() else "\N{MIDDLE DOT}" for c in text[:MOST_CHARS])
    return printable + (f"... ({len(text)} characters)" if len(text) > MOST_CHARS else "")
