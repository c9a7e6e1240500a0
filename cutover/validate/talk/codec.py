"""How values become bytes and bytes values: JSON, msgpack, or text as it is."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any, assert_never

from cutover.config import Codec

_JSON = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")
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


def decoded_stream(body: bytes, codec: Codec) -> tuple[Any, ...]:
    """Return the values that stand one after the other in a stream of JSON or msgpack: one, or more.

    Raises:
        ValueError: some of it is none, or it is cut short; the message is fit for people.

    """
    if codec is Codec.MSGPACK:
        return tuple(_read(lambda: list(_unpacked(body)), "msgpack"))
    return tuple(_read(lambda: list(_documents(body.decode(json.detect_encoding(body), "surrogatepass"))), "JSON"))


def begins_with_msgpack(body: bytes) -> bool:
    """Say whether at least one msgpack value is there, whatever follows it; what never can be one counts as there."""
    import msgpack  # noqa: PLC0415

    try:
        next(_unpacked(body))
    except (msgpack.OutOfData, StopIteration):
        return False
    except Exception:  # noqa: BLE001  (no value, and more bytes do not make it one: decoding it says so)
        return True
    return True


def _unpacked(body: bytes) -> Iterator[Any]:
    import msgpack  # noqa: PLC0415

    unpacker = msgpack.Unpacker(strict_map_key=False, max_buffer_size=len(body) + 1)
    unpacker.feed(body)
    while unpacker.tell() < len(body):
        yield unpacker.unpack()


def _documents(text: str) -> Iterator[Any]:
    at = _start(text, 0)
    while True:  # at least one: nothing is no JSON
        value, end = _JSON.raw_decode(text, at)
        yield value
        at = _start(text, end)
        if at == len(text):
            return


def _start(text: str, at: int) -> int:
    """Return where the next value begins."""
    return _BLANK.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing as well


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
