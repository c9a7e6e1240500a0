"""A value, headers and a path without their secrets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from cutover.config import Recording
from cutover.probes.spec import MASK
from cutover.validate.paths import find
from cutover.validate.record.passed import Headers
from cutover.validate.record.secrets import Secrets

_SAFE = "/:@!$'()*,;~"


class Masker:
    """Masks exchange by exchange: first every secret of both directions is met, then both are written without."""

    def __init__(self, recording: Recording) -> None:
        self._secrets = Secrets(recording)
        self._paths = recording.mask

    def meet(self, values: Sequence[Any], headers: Sequence[Headers], path: str, envelope: Sequence[str]) -> None:
        """Remember the secrets of an exchange before any of it is masked."""
        for name, text in parse_qsl(urlsplit(path).query, keep_blank_values=True):
            if self._secrets.is_name(name):
                self._secrets.meet(text)
        for value in values:
            for text in (*self._by_name(value), *self._by_path(value)):
                self._secrets.meet(text)
        for name, text in (pair for several in headers for pair in several):
            if self._secrets.is_name(name):
                self._secrets.meet(text)
        said = [text for value in values for text in _texts(value)]
        told = [text for several in headers for _, text in several]
        self._secrets.look_for([*said, *told, unquote(path), *envelope])

    def value(self, value: Any) -> Any:
        """Return a decoded body without its secrets."""
        if isinstance(value, str):  # all that was said, not a value under a name
            return self._secrets.masked(value, loose=False)
        hidden = self._masked(value, secret=False)
        for path in self._paths:
            for location, _ in find(value, path):
                hidden = _replaced(hidden, location)
        return hidden

    def headers(self, headers: Headers) -> dict[str, str]:
        """Return headers without their secrets; of several with one name, joined as HTTP allows."""
        found: dict[str, str] = {}
        for name, text in headers:
            shown = MASK if self._secrets.is_name(name) else self._secrets.masked(text)
            found[name] = f"{found[name]}, {shown}" if name in found else shown
        return found

    def path(self, path: str) -> str:
        """Return path and query without their secrets; as they were where there are none."""
        parts = urlsplit(path)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        query = parts.query
        shown = [(n, MASK if self._secrets.is_name(n) else self._secrets.masked(v)) for n, v in pairs]
        if shown != pairs:
            query = "&".join(f"{quote(n, safe=_SAFE)}={quote(v, safe=_SAFE)}" for n, v in shown)
        plain = unquote(parts.path)
        hidden = self._secrets.masked(plain)
        place = parts.path if hidden == plain else quote(hidden, safe=_SAFE)
        return f"{place}?{query}" if query else place

    def text(self, text: str) -> str:
        """Return a text without its secrets."""
        return self._secrets.masked(text, loose=False)

    def _masked(self, value: Any, *, secret: bool) -> Any:
        match value:
            case dict():
                return {
                    self._secrets.masked(str(k)) if isinstance(k, str) else k: self._masked(
                        v, secret=secret or self._secrets.is_name(str(k))
                    )
                    for k, v in value.items()
                }
            case list() | tuple():
                return [self._masked(v, secret=secret) for v in value]
            case bool() | None:
                return value
            case str():
                return MASK if secret else self._secrets.masked(value)
            case int() | float():
                return MASK if secret else value
        return MASK if secret else value

    def _by_name(self, value: Any, *, secret: bool = False) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from self._by_name(inner, secret=secret or self._secrets.is_name(str(key)))
        elif isinstance(value, list | tuple):
            for inner in value:
                yield from self._by_name(inner, secret=secret)
        elif secret and isinstance(value, str):
            yield value

    def _by_path(self, value: Any) -> Iterator[str]:
        for path in self._paths:
            for _, found in find(value, path):
                yield from self._by_name(found, secret=True)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text below a value, keys included."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            stack += [*found, *found.values()]
        elif isinstance(found, list | tuple):
            stack += found


def _replaced(value: Any, location: tuple[str | int, ...]) -> Any:
    """Return a value with a mask at one place."""
    if not location:
        return MASK
    step, rest = location[0], location[1:]
    if isinstance(value, dict) and step in value:
        return {**value, step: _replaced(value[step], rest)}
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return [_replaced(v, rest) if n == step else v for n, v in enumerate(value)]
    return value
