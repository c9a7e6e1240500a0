"""What a reply must say: an HTTP status, a JSON field, a pattern, a text; and who it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from cutover.config.paths import is_found
from cutover.errors import UsageError
from cutover.probes.reply import Reply, excerpt

MOST_SHOWN = 200
_MISSING = object()


@dataclass(frozen=True, slots=True)
class CodeIs:
    """The HTTP status is `code`, where `x` stands for any digit: `200`, `2xx`. Several codes are alternatives."""

    code: str

    def __str__(self) -> str:
        return f"code:{self.code}"

    def holds(self, code: int | None) -> bool:
        """Say whether an HTTP status matches."""
        seen = str(code)
        return len(seen) == len(self.code) and all(w in ("x", s) for w, s in zip(self.code, seen, strict=True))


@dataclass(frozen=True, slots=True)
class FieldIs:
    """The JSON field at a dotted `path` has this value, compared as text (`true`, `3`, `ok`)."""

    path: str
    value: str

    def __str__(self) -> str:
        return f"{self.path}:{self.value}"

    def complaint(self, reply: Reply) -> str | None:
        """Return what is wrong with the reply, None if nothing is."""
        try:
            seen = field(parse_json(reply.body), self.path)
        except ValueError as error:
            return str(error)
        return (
            None
            if seen == self.value
            else f"answered, but `{self.path[:MOST_SHOWN]}` was {excerpt(seen)}, not {self.value[:MOST_SHOWN]!r}"
        )


@dataclass(frozen=True, slots=True)
class Matches:
    """The text of the reply contains a match of this regular expression."""

    pattern: str

    def __str__(self) -> str:
        return f"/{self.pattern}/"

    def complaint(self, reply: Reply) -> str | None:
        """Return what is wrong with the reply, None if nothing is."""
        try:
            if is_found(self.pattern, reply.body.decode("utf-8", "replace")):
                return None
        except UsageError as error:  # it would take for ever
            return f"answered, but {error.message}"
        return f"answered, but nothing matches /{self.pattern[:MOST_SHOWN]}/: {excerpt(reply.body)}"


@dataclass(frozen=True, slots=True)
class Contains:
    """The bytes of the reply contain this text."""

    text: str

    def __str__(self) -> str:
        return self.text

    def complaint(self, reply: Reply) -> str | None:
        """Return what is wrong with the reply, None if nothing is."""
        if self.text.encode("utf-8", "surrogateescape") in reply.body:
            return None
        return f"answered, but without {excerpt(self.text)}: {excerpt(reply.body)}"


Expectation = CodeIs | FieldIs | Matches | Contains


def complaint(expectations: Iterable[Expectation], reply: Reply) -> str | None:
    """Return the first thing that is wrong with a reply, None if it is as expected.

    An HTTP reply must have one of the expected statuses; where none is named, a 2xx.
    """
    wanted = tuple(expectations)
    codes = tuple(e for e in wanted if isinstance(e, CodeIs)) or (CodeIs("2xx"),)
    if reply.code is not None and not any(code.holds(reply.code) for code in codes):
        expected = " or ".join(code.code for code in codes)
        return f"answered with HTTP status {reply.code}, not {expected}: {excerpt(reply.body)}"
    complaints = (e.complaint(reply) for e in wanted if not isinstance(e, CodeIs))
    return next((text for text in complaints if text is not None), None)


def parse_json(body: bytes) -> object:
    """Return a reply read as JSON.

    Raises:
        ValueError: it is not JSON; the message is fit for people.

    """
    try:
        content: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"answered, but not JSON: {excerpt(body)}") from error
    return content


def field(content: object, path: str) -> str:
    """Return the text of the JSON field at a dotted path; digits index lists (`gpus.0.name`).

    Raises:
        ValueError: there is no such field; the message is fit for people.

    """
    seen = content
    for name in path.split("."):
        seen = _step(seen, name)
        if seen is _MISSING:
            raise ValueError(f"answered, but there is no `{path[:MOST_SHOWN]}` in {excerpt(_text(content))}")
    return _text(seen)


def _step(content: object, name: str) -> object:
    if isinstance(content, dict):
        return content.get(name, _MISSING)
    if isinstance(content, list) and name.isdecimal() and name.isascii() and int(name) < len(content):
        return content[int(name)]
    return _MISSING


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
