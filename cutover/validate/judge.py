"""Is a reply an error, and of which kind? What `errors:` in cutover.yaml says about replies, applied."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from cutover.config import Errors, paths
from cutover.validate.paths import find
from cutover.validate.talk import Response, ResponseKind

UNKNOWN_KIND = "error"
_FIRST_ERROR_STATUS = 400
_KIND_CHARS = 80
_STATUSES = frozenset(map(int, HTTPStatus))


class Judge:
    """Tells errors from answers; made once from the settings and used by every thread."""

    def __init__(self, errors: Errors) -> None:
        self._errors = errors
        self._chosen = "kind" in errors.model_fields_set

    def error_kind(self, response: Response) -> str | None:
        """Return what kind of error a response is, None if it is none.

        `timeout`, `refused`, `closed` and `garbled` where no answer came that can be read; `http 404`, with the kind
        that the body names behind it (`http 404 unknown_model`); else the kind that the body names, or `error`.
        """
        if response.kind is not ResponseKind.ANSWER:
            return str(response.kind)
        if response.code is not None and response.code >= _FIRST_ERROR_STATUS:
            return " ".join(filter(None, [f"http {response.code}", self._named(response.value)]))
        if describes(self._errors.when, response.value):
            return self._named(response.value) or UNKNOWN_KIND
        return None

    def kinds(self, response: Response) -> tuple[str, ...]:
        """Return what each path of `errors.kind` says of an error, "" where it says nothing.

        Where nobody chose the paths, what only repeats the HTTP status (404, `Not Found`), or is `error`, says nothing.
        """
        empty = frozenset() if self._chosen else _saying_nothing(response.code)
        named = (tuple(_texts_at(response.value, path)) for path in self._errors.kind)
        return tuple(" ".join(text for text in texts if text.casefold() not in empty) for texts in named)

    def _named(self, value: Any) -> str:
        texts = (text for path in self._errors.kind for text in _texts_at(value, path))
        return next(texts, "")[:_KIND_CHARS]


def _texts_at(value: Any, path: str) -> Iterator[str]:
    for _, found in find(value, path):
        if isinstance(found, str | int) and not isinstance(found, bool) and str(found).strip():
            yield " ".join(str(found).split())


def _saying_nothing(code: int | None) -> frozenset[str]:
    if code is None:
        return frozenset({UNKNOWN_KIND})
    phrase = HTTPStatus(code).phrase.casefold() if code in _STATUSES else ""
    return frozenset({UNKNOWN_KIND, str(code), phrase, f"{code} {phrase}"})


def describes(conditions: Mapping[str, Any], value: Any) -> bool:
    """Say whether one of the conditions, JSONPath -> value or /regular expression/, fits a reply."""
    return any(fits(value, path, wanted) for path, wanted in conditions.items())


def fits(value: Any, path: str, wanted: Any) -> bool:
    """Say whether what stands at a JSONPath is as wanted: equal, or found by a /regular expression/.

    A regular expression is looked for in a text, or in the JSON of a value; null, false and what is empty fit none.
    """
    text = paths.in_slashes(wanted)
    places = (found for _, found in find(value, path))
    if text is None:
        return any(same(found, wanted) for found in places)
    return any(found and paths.is_found(text, _text(found)) for found in places)


def same(one: Any, other: Any) -> bool:
    """Say whether two values are equal as JSON has it: 1 is 1.0, and true is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
