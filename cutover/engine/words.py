"""What Compose says when it fails, without the values that it repeats: what it cannot read, it shows."""

from __future__ import annotations

import re

from cutover.redact import MASK, masked

MOST_LINES = 3
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_VALUE = re.compile(
    r"(unterminated quoted value |Invalid template: |in variable name near |"
    r"invalid interpolation format for [^\n]*\n[^\n]*escape any \$ with another \$\.\s).*",
    re.DOTALL,
)
"""After this stands a value of `.env` or of the compose file, and the lines that follow it (compose-go, 2.40.3)."""
_PROGRESS = re.compile(r"(Container|Network|Volume) \S+ +[A-Z][a-z]+$")


def last_words(stderr: str) -> list[str]:
    """Return the end of Compose's own error output: no colours, no progress lines, no values."""
    text = masked(_VALUE.sub(rf"\1{MASK}", _COLOUR.sub("", stderr)))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not _PROGRESS.match(line)]
    return (telling or lines)[-MOST_LINES:]
