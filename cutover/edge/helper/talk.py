"""How a helper talks with the cutover that started it: one JSON object a line, on standard input and output.

Standard input ends when that cutover ends, whatever it died of: the Engine closes it with the connection.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

STDIN = 0
_CHUNK = 65536


def tell(event: str, **facts: object) -> None:
    """Say what happened; nobody may be there to hear it."""
    try:
        sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
        sys.stdout.flush()
    except OSError:
        return


def asked() -> dict[str, Any]:
    """Return the first line of standard input: what this helper is for."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(STDIN, 1)
        if not byte:
            raise SystemExit("nobody asked for anything")
        line += byte
    facts: dict[str, Any] = json.loads(line)
    return facts


class Orders:
    """The lines that come after the first, without waiting for them."""

    def __init__(self) -> None:
        self.ended = False
        self._rest = b""

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield what has come since the last call; to be called when standard input is readable."""
        chunk = os.read(STDIN, _CHUNK)
        self.ended = not chunk
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())
