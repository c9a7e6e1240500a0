"""Bodies as values: JSON, msgpack with all that it can hold, text; what is none of them is opaque."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_DEPTH: Final = 100


class Form(StrEnum):
    """What a body is made of."""

    JSON = "json"
    MSGPACK = "msgpack"
    TEXT = "text"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class Body:
    """What a body says. `exact` says that its codec makes the same of the value; OPAQUE ones have None for a value.

    In `value`, bytes are what could not be read within a msgpack body.
    """

    form: Form
    value: Any
    exact: bool = True


class TwiceNamedError(ValueError):
    """A JSON object names a key twice: only its text says all of it."""


def read(content: bytes) -> Body:
    """Return what a body says."""
    if found := strict_json(content):
        return Body(Form.JSON, found[0])
    if packed := _msgpack(content):
        value, exact = packed
        return Body(Form.MSGPACK, value, exact)
    text = text_of(content)
    return Body(Form.OPAQUE, None) if text is None else Body(Form.TEXT, text)


def text_of(content: bytes) -> str | None:
    """Return bytes as a text for people, None where they are something else."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


def strict_json(content: bytes | str) -> tuple[Any] | None:
    """Return the value of a JSON body, None where its text says more than its value does."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise TwiceNamedError
        return found

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    try:
        return (json.loads(content, object_pairs_hook=once, parse_constant=refuse),)
    except (ValueError, RecursionError):
        return None


def lenient_json(text: str) -> tuple[Any] | None:
    """Return all that a JSON text says: objects that name a key twice as a list of pairs."""

    def pairs_of(pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        return found if len(found) == len(pairs) else [list(pair) for pair in pairs]

    try:
        return (json.loads(text, object_pairs_hook=pairs_of),)
    except (ValueError, RecursionError):
        return None


def _msgpack(content: bytes) -> tuple[Any, bool] | None:
    """Return what msgpack says, one object or several, and whether packing it makes the same bytes."""
    import msgpack  # noqa: PLC0415

    if not content or content[:1] < b"\x80":  # a list or an object never begins so, and most texts do
        return None
    try:
        unpacker = msgpack.Unpacker(strict_map_key=False, raw=False, unicode_errors="surrogateescape")
        unpacker.feed(content)
        objects = list(unpacker)
        if unpacker.tell() != len(content) or not objects or not isinstance(objects[0], dict | list):
            return None
        value = objects[0] if len(objects) == 1 else objects
        plain = _plain(value)
        return plain, len(objects) == 1 and msgpack.packb(value) == content and _is_json(value)
    except Exception:  # noqa: BLE001  (msgpack's errors have no common parent)
        return None


def _is_json(value: Any) -> bool:
    """Say whether JSON can say a value, and say the same when it is read again."""
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (ValueError, TypeError, RecursionError):
        return False


def _plain(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911  (a line for each type)
    """Return a msgpack value as JSON can say it: bytes read if they can be, keys as texts, times as texts."""
    if depth > _DEPTH:
        return b""
    match value:
        case dict():
            return _plain_object(value, depth)
        case list() | tuple():
            return [_plain(v, depth + 1) for v in value]
        case bytes():
            inside = read(value) if value else Body(Form.TEXT, "")
            return value if inside.form is Form.OPAQUE else inside.value
        case str():
            return (
                value
                if text_of(value.encode("utf-8", "surrogateescape")) is not None
                else value.encode("utf-8", "surrogateescape")
            )
        case bool() | int() | float() | None:
            return value
    data = getattr(value, "data", None)
    return _plain(data, depth + 1) if isinstance(data, bytes) else str(value)  # an extension, or a time


def _plain_object(value: dict[Any, Any], depth: int) -> Any:
    pairs = [(_key(key), _plain(inner, depth + 1)) for key, inner in value.items()]
    found = dict(pairs)
    return found if len(found) == len(pairs) else [list(pair) for pair in pairs]


def _key(key: Any) -> str:
    if isinstance(key, bytes):
        return key.decode("utf-8", "backslashreplace")
    return (
        key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") if isinstance(key, str) else str(key)
    )
