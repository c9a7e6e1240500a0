"""How values become bytes and bytes values: JSON, msgpack, or text as it is."""

from __future__ import annotations

import contextlib
import json
from typing import Any, assert_never

from cutover.config import Codec

FAILURES = (ValueError, TypeError, RecursionError, OverflowError)
"""What an unreadable or unwritable value raises: from json and msgpack alike."""


def encoded(value: Any, codec: Codec) -> bytes:
    """Return a request as bytes.

    Raises:
        ValueError: the codec cannot write it; the message is fit for people.

    """
    match codec:
        case Codec.RAW:
            return _raw(value)
        case Codec.JSON:
            return _written(lambda: json.dumps(value, allow_nan=False).encode(), "JSON")
        case Codec.MSGPACK:
            import msgpack  # noqa: PLC0415  (few questions need it)

            return _written(lambda: bytes(msgpack.packb(value)), "msgpack")
        case _:
            assert_never(codec)


def decoded(body: bytes, codec: Codec) -> Any:
    """Return what a reply says.

    Raises:
        ValueError: the codec cannot read it; the message is fit for people.

    """
    match codec:
        case Codec.RAW:
            return _text_or_json(body)
        case Codec.JSON:
            return _read(lambda: json.loads(body), "JSON")
        case Codec.MSGPACK:
            import msgpack  # noqa: PLC0415

            return _read(lambda: msgpack.unpackb(body, strict_map_key=False), "msgpack")
        case _:
            assert_never(codec)


def text_of(body: bytes) -> str:
    """Return bytes as text that can be printed and tells all of them apart."""
    return body.decode("utf-8", "backslashreplace")


def _text_or_json(body: bytes) -> Any:
    """Return a text, or what it says where it is a JSON object or list: what was not sent as JSON may get it back."""
    if body.lstrip()[:1] in {b"{", b"["}:
        with contextlib.suppress(ValueError):
            return decoded(body, Codec.JSON)
    return text_of(body)


def _raw(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    raise ValueError(f"with codec raw it has to be a text, not {type(value).__name__}")


def _written(write: Any, name: str) -> bytes:
    try:
        return bytes(write())
    except FAILURES as error:
        raise ValueError(f"it cannot be written as {name}: {error}") from error


def _read(read: Any, name: str) -> Any:
    try:
        return read()
    except Exception as error:  # msgpack's own errors have no common parent but Exception
        raise ValueError(f"not {name}: {error}") from error
