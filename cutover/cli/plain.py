"""The one place where text goes to a terminal, a pipe or a log: what containers say there must not act on it.

Replies, logs, names, labels and files hold what their authors like: an escape sequence retitles a window, answers for
the user, or hides what stands above it; a carriage return writes over a line; a bidirectional mark turns a name round.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

HARMLESS = "\n\t"
INSTEAD = "\N{MIDDLE DOT}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A part of a line that is coloured on a terminal."""

    text: str
    colour: str | None = None
    bold: bool = False
    dim: bool = False

    def __str__(self) -> str:
        return click.style(printable(self.text), fg=self.colour, bold=self.bold or None, dim=self.dim or None)


def printable(text: str) -> str:
    """Return text without what would move a cursor or change a terminal: a dot stands for each such character."""
    if text.isprintable():
        return text
    return "".join(c if c in HARMLESS or c.isprintable() else INSTEAD for c in text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return text as one printable line, so that it cannot pass for two."""
    return printable(text).replace("\n", INSTEAD)


def echo(*parts: str | Mark, err: bool = False, nl: bool = True) -> None:
    """Print a line on stdout, or stderr."""
    click.echo("".join(str(p) if isinstance(p, Mark) else printable(p) for p in parts), err=err, nl=nl)


def echo_exact(text: str, *, nl: bool = True) -> None:
    """Print a file's text on stdout: byte for byte into a pipe or a file, made printable on a terminal."""
    click.echo(printable(text) if sys.stdout.isatty() else text, nl=nl)


def as_json(content: Any) -> str:
    """Return content as JSON in ASCII that every parser takes: a number that JSON has not is told as a text."""
    try:
        text = json.dumps(content, indent=1, default=str, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(content), indent=1, default=str, allow_nan=False)
    return text.replace("\x7f", "\\u007f")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
