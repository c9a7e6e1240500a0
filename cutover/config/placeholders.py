"""`${name}` in a suite: what an earlier step saved; `$${` stands for `${`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
PLACEHOLDER = re.compile(r"\$\$\{|\$\{([^{}]*)\}")


def names_in(value: Any) -> set[str]:
    """Return the names that are asked for anywhere in a value, its keys included."""
    return {match[1] for text in texts_in(value) for match in PLACEHOLDER.finditer(text) if match[1] is not None}


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a value, its keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from texts_in(key)
            yield from texts_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts_in(part)
