"""Putting another port into text with `${VARIABLES}` so that no value of a variable is written down."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from cutover.document.interpolate import UnresolvedError, closing_brace, interpolate

_NAME = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")


def moved(written: str, value: str, span: tuple[int, int], new: int, env: Mapping[str, str]) -> str | None:
    """Return `written` with `new` where `value[span]` stands after interpolation, None where that cannot be done.

    It cannot where the number is only a part of what a variable holds, or the text does not come to `value`, in which
    `$` is doubled, as `docker compose config` prints it.
    """
    try:
        pieces = [(raw, interpolate(raw, env).replace("$", "$$")) for raw in _pieces(written)]
    except UnresolvedError:
        return None
    if "".join(shown for _, shown in pieces) != value:
        return None
    at, out, done = 0, [], False
    for raw, shown in pieces:
        begin, end = span[0] - at, span[1] - at
        inside = begin >= 0 and end <= len(shown) and not done
        at += len(shown)
        if not inside:
            out.append(raw)
        elif raw == shown:
            out.append(f"{raw[:begin]}{new}{raw[end:]}")
            done = True
        elif (begin, end) == (0, len(shown)):
            out.append(str(new))
            done = True
        else:
            return None
    return "".join(out) if done else None


def comes_to(written: str, env: Mapping[str, str]) -> str | None:
    """Return text as `docker compose config` prints it, `$` doubled, None where a variable is missing."""
    try:
        return "".join(interpolate(raw, env).replace("$", "$$") for raw in _pieces(written))
    except UnresolvedError:
        return None


def split(written: str) -> list[str]:
    """Return the arguments of a command that is one string, variables whole; none where its quotes are not closed."""
    try:
        pieces = list(_pieces(written))
        marked = "".join(f"\x02{i}\x02" if p.startswith("$") else p for i, p in enumerate(pieces))
        words = shlex.split(marked)
    except ValueError:
        return []
    return [re.sub("\x02(\\d+)\x02", lambda m: pieces[int(m[1])], word) for word in words]


def _pieces(text: str) -> Iterator[str]:
    """Yield literal text, and each variable or `$$` by itself."""
    begin = at = 0
    while (at := text.find("$", at)) >= 0:
        if text.startswith("${", at):
            past = closing_brace(text, at + 2) + 1
        else:
            name = _NAME.match(text, at)
            past = name.end() if name else at + 2
        if past <= at:
            raise UnresolvedError("unclosed brace")
        if at > begin:
            yield text[begin:at]
        yield text[at:past]
        begin = at = past
    if begin < len(text):
        yield text[begin:]
