"""JSONPaths and regular expressions, read once and checked where they are written."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from cutover.config.base import Texts
from cutover.errors import UsageError

if TYPE_CHECKING:
    import regex
    from jsonpath import CompoundJSONPath
    from jsonpath import JSONPath as Query

EXAMPLE = "$.result.models[0].name"
PATTERN_S = 2.0
"""How long a regular expression may look through one text."""


@lru_cache(maxsize=1024)
def compiled(text: str) -> Query | CompoundJSONPath:
    """Return a JSONPath (RFC 9535) ready to be used.

    Raises:
        ValueError: it is none; the message is fit for people.

    """
    import jsonpath  # noqa: PLC0415  (50 ms that settings without any need not pay)

    if not text.startswith("$"):
        raise ValueError(f"{text!r} is no JSONPath: it begins with $, as {EXAMPLE} does")
    try:
        return jsonpath.compile(text)
    except (jsonpath.JSONPathError, RecursionError, ValueError) as error:
        raise ValueError(f"{text!r} is no JSONPath: {error.args[0] if error.args else 'cannot be read'}") from error


@lru_cache(maxsize=1024)
def pattern(text: str) -> regex.Pattern[str]:
    """Return a regular expression as `re` has them; it belongs to the library `regex`, whose search can be bounded.

    Raises:
        ValueError: it is none; the message is fit for people.

    """
    import regex  # noqa: PLC0415  (30 ms that settings without any need not pay)

    try:
        re.compile(text)  # what is more than `re` knows would be read otherwise elsewhere
        return regex.compile(text)
    except (re.error, regex.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error


def is_found(text: str, within: str) -> bool:
    """Say whether a regular expression is found in a text.

    Raises:
        UsageError: `pattern-too-slow`: no word within `PATTERN_S` seconds: it goes back and forth without end.

    """
    try:
        return pattern(text).search(within, timeout=PATTERN_S) is not None
    except TimeoutError as error:
        raise UsageError(
            "pattern-too-slow",
            f"The regular expression /{text}/ had no result within {PATTERN_S:g} s in {len(within)} characters.",
            hint="a repetition within a repetition, as (a+)+ is, tries all ways to share out a text: write a+",
        ) from error


def in_slashes(wanted: Any) -> str | None:
    """Return the regular expression in `/.../`, None where a value is itself what is wanted."""
    whole = isinstance(wanted, str) and len(wanted) > 1 and wanted.startswith("/") and wanted.endswith("/")
    return wanted[1:-1] if whole else None


def _is_path(text: str) -> str:
    compiled(text)
    return text


def _is_pattern(text: str) -> str:
    pattern(text)
    return text


def _is_wanted(value: Any) -> Any:
    text = in_slashes(value)
    if text is not None:
        pattern(text)
    return value


def _are_paths(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_is_path, texts))


JSONPath = Annotated[str, AfterValidator(_is_path)]
"""A text that `compiled` takes."""
Paths = Annotated[Texts, AfterValidator(_are_paths)]
"""One JSONPath, or a list of them."""
Pattern = Annotated[str, AfterValidator(_is_pattern)]
"""A text that `pattern` takes."""
Wanted = Annotated[Any, AfterValidator(_is_wanted)]
"""A value, or a regular expression in slashes: /^unknown/."""
