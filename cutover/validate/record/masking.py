"""A value, headers, a target, frames without their secrets: all that can be decoded is, as deep as it goes."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

from cutover.config import Recording
from cutover.probes.spec import MASK
from cutover.validate.paths import find
from cutover.validate.record.bodies import Form, lenient_json, read
from cutover.validate.record.names import Names
from cutover.validate.record.passed import Headers
from cutover.validate.record.secrets import Secrets
from cutover.validate.record.shapes import (
    is_label,
    is_value,
    masked_multipart,
    masked_query,
    masked_redis,
    masked_target,
    masked_xml,
)

_DEPTH: Final = 12
_FORM: Final = re.compile(r"[^\s=&<>{}\"']+=[^\s&]*(?:&[^\s&]*)*\s*")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")
_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_COLUMNS: Final = frozenset({"columns", "fields", "header", "headers", "names", "keys", "cols", "schema"})
_PAIR: Final = 2


class Masker:
    """Masks exchange by exchange: first by name, shape and look; then what was met so, wherever it turns up again."""

    def __init__(self, recording: Recording) -> None:
        self._names = Names(recording)
        self._secrets = Secrets(recording, self._names)
        self._paths = recording.mask
        self.keeps_undecoded = recording.keep_undecoded
        self._depth = 0

    def value(self, value: Any) -> Any:
        """Return a decoded body without its secrets; a text is all that was said, not a value under a name."""
        if isinstance(value, str):
            return self.text(value, loose=False)
        hidden = self._masked(value, secret=False)
        for path in self._paths:
            for location, found in find(value, path):
                self._masked(found, secret=True)  # met, as by name
                hidden = _replaced(hidden, location)
        return hidden

    def as_texts(self, value: Any) -> Any:
        """Return a value with bytes, which nobody could decode, as texts that say all of them."""
        if isinstance(value, dict):
            return {key: self.as_texts(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.as_texts(inner) for inner in value]
        return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value

    def again(self, parts: list[Any]) -> list[Any]:
        """Return the parts of an exchange without the secrets that were met in any of them, or earlier."""
        return self._secrets.taken_out(parts)

    def headers(self, headers: Headers) -> dict[str, str]:
        """Return headers without their secrets; of several with one name, joined as HTTP allows."""
        found: dict[str, str] = {}
        for name, text in headers:
            shown = self.named(name, text)
            found[name] = f"{found[name]}, {shown}" if name in found else shown
        return found

    def target(self, target: str) -> str:
        """Return what HTTP is asked for without its secrets; to the byte as it was where there are none."""
        return masked_target(target, self)

    def frames(self, frames: Sequence[bytes]) -> tuple[list[str], list[int]]:
        """Return frames as texts without their secrets, and the lengths of those that could not be decoded."""
        shown: list[str] = []
        undecoded: list[int] = []
        named = False
        for frame in frames:
            body, text = read(frame), frame.decode("utf-8", "surrogateescape")
            if named and not isinstance(body.value, dict | list):
                shown.append(self.hidden(text))
            elif body.form is Form.OPAQUE and not self.keeps_undecoded:
                undecoded.append(len(frame))
                shown.append(MASK)
            elif body.form is Form.MSGPACK:
                shown.append(text if self.value(body.value) == body.value else MASK)
            else:
                shown.append(self.text(text, loose=False))
            named = self.labels(text)
        return shown, undecoded

    def named(self, name: str, text: str) -> str:
        """Return what stands under a name without its secrets."""
        if text and self._names.is_secret(name, text):
            return self.hidden(text)
        return self.text(text)

    def labels(self, text: object) -> bool:
        """Say whether a text is the secret name of what stands beside it."""
        return self._names.labels(text)

    def hidden(self, text: str) -> str:
        """Return the mask, and remember what was under it."""
        if text != MASK:
            self._secrets.meet(text)
        return MASK

    def text(self, text: str, *, loose: bool = True) -> str:
        """Return a text without its secrets, read as what it looks like: JSON, a form, XML, a URL, ...."""
        if self._depth >= _DEPTH:
            return MASK  # nobody nests so deep; what cannot be looked into is not written
        self._depth += 1
        try:
            shown, known = self._by_shape(text)
            shown = self._secrets.masked(shown, loose=loose or known)
            return self._unquoted(shown)
        finally:
            self._depth -= 1

    def _by_shape(self, text: str) -> tuple[str, bool]:  # noqa: PLR0911  (a line for each shape)
        """Return a text without the secrets that its shape tells, and whether it has a shape."""
        plain = text.strip()
        start = plain[:1]
        if start in {"{", "[", '"'}:
            if found := lenient_json(plain):
                hidden = self._masked(found[0], secret=False)
                at = text.index(plain)
                said = json.dumps(hidden, ensure_ascii=False)
                return (text if hidden == found[0] else text[:at] + said + text[at + len(plain) :]), True
            if "\n" in plain:
                return "".join(self.text(line) for line in text.splitlines(keepends=True)), False
        if start == "<":
            return masked_xml(text, self), True
        if plain.startswith("--") and "content-disposition" in plain.lower():
            return masked_multipart(text, self), True
        if start == "*" and "\r\n$" in plain:
            return masked_redis(text, self), True
        if _FORM.fullmatch(plain):
            return masked_query(text, self), True
        if _BASE64.fullmatch(plain) and self._is_secret_base64(plain):
            return self.hidden(text), True
        if "://" in text:
            return _URL.sub(lambda m: self.target(m[0]), text), False
        return text, False

    def _unquoted(self, text: str) -> str:
        """Mask what is secret once it is percent-decoded."""
        if not _ENCODED.search(text):
            return text
        plain = unquote(text)
        hidden = self.text(plain) if plain != text else plain
        return text if hidden == plain else quote(hidden, safe="/:@!$&='()*,;~?#")

    def _is_secret_base64(self, text: str) -> bool:
        try:
            content = base64.b64decode(text.translate({45: 43, 95: 47}) + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return False
        body = read(content)
        return body.form is not Form.OPAQUE and self.value(body.value) != body.value

    def _masked(self, value: Any, *, secret: bool) -> Any:  # noqa: PLR0911  (a line for each type)
        match value:
            case dict():
                return self._object(value, secret=secret)
            case list() | tuple():
                return self._list(list(value), secret=secret)
            case bool() | None:
                return value
            case str():
                return (self.hidden(value) if value else value) if secret else self.text(value)
            case int() | float():
                return self.hidden(str(value)) if secret else value
            case bytes() if self.keeps_undecoded and not secret:
                return value.decode("utf-8", "surrogateescape")
        return MASK

    def _object(self, value: dict[Any, Any], *, secret: bool) -> dict[Any, Any]:
        label = self._label(value)
        columns = self._columns(value)
        found: dict[Any, Any] = {}
        for key, inner in value.items():
            name = str(key)
            if label is not None and name == label:
                found[key] = self._masked(inner, secret=True) if secret else inner
                continue
            beside = label is not None and (is_value(name) or len(value) == _PAIR)
            hide = secret or beside or self._names.is_secret(name, inner)
            shown = self._in_columns(inner, columns) if columns and not hide else inner
            found[self.text(key) if isinstance(key, str) else key] = self._masked(shown, secret=hide)
        return found

    def _label(self, value: dict[Any, Any]) -> str | None:
        """Return the key under which the name of another one's value stands: `{"name": "PASS", "value": "x"}`."""
        for key, inner in value.items():
            if is_label(str(key), inner, self):
                others = [str(k) for k in value if k != key]
                pair = len(others) == 1 and not self._names.is_secret(str(key))
                if pair or any(is_value(o) for o in others):
                    return str(key)
        return None

    def _columns(self, value: dict[Any, Any]) -> dict[int, set[int]]:
        """Return which columns of rows beside them are secret, by how many columns there are."""
        return {
            len(inner): places
            for key, inner in value.items()
            if str(key).lower() in _COLUMNS and isinstance(inner, list)
            if (places := {n for n, name in enumerate(inner) if self.labels(name)})
        }

    def _in_columns(self, value: Any, columns: dict[int, set[int]]) -> Any:
        if not isinstance(value, list) or not all(isinstance(row, list) and len(row) in columns for row in value):
            return value
        return [[self._masked(v, secret=n in columns[len(row)]) for n, v in enumerate(row)] for row in value]

    def _list(self, value: list[Any], *, secret: bool) -> list[Any]:
        found: list[Any] = []
        named = rest = False
        for item in value:
            found.append(self._masked(item, secret=secret or named or rest))
            named = self.labels(item)
            rest = rest or (named and str(item).upper() == "AUTH")
        return found


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
