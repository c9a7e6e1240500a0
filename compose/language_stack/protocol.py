"""What is said on port 5570: one JSON object each way.

Request: `{"method": NAME, "params": {...}, "id": "..." or 1}`; params and id may be left out.
Reply: `{"status": "ok", "service": WHO, "result": {...}}` or `{"status": "error", "service": WHO, "error": {"code":
..., "message": ...}}`, with the request's id where it had one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_BYTES = 1 << 20

Json = Mapping[str, Any]


class RefusedError(Exception):
    """The request cannot be answered; `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    params: Json = field(default_factory=dict)
    id: str | int | None = None


def parse(frames: list[bytes]) -> Request:
    """Read a request, or refuse it with the reason."""
    if len(frames) != 1:
        raise RefusedError("bad_request", f"one frame expected, got {len(frames)}")
    try:
        value = json.loads(frames[0].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RefusedError("bad_request", f"not JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise RefusedError("bad_request", f"a JSON object expected, got {type(value).__name__}")
    method, params = value.get("method"), value.get("params", {})
    if not isinstance(method, str):
        raise RefusedError("bad_request", "no method")
    if not isinstance(params, dict):
        raise RefusedError("bad_params", "params is not an object")
    name = value.get("id")
    if not isinstance(name, str | int | None):  # what nests could be too deep to be sent back
        raise RefusedError("bad_request", "id is neither a string nor a whole number")
    return Request(method, params, name)


def text(params: Json, name: str, default: str | None = None, *, longest: int = 2000) -> str:
    """Return a parameter that has to be a string."""
    value = params.get(name, default)
    if not isinstance(value, str) or len(value) > longest:
        raise RefusedError("bad_params", f"{name} has to be a string of up to {longest} characters")
    return value


def whole(params: Json, name: str, default: int, *, low: int, high: int) -> int:
    """Return a parameter that has to be a whole number from low to high."""
    value = params.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RefusedError("bad_params", f"{name} has to be a whole number from {low} to {high}")
    return value


def encode(reply: Json) -> bytes:
    return json.dumps(reply).encode("ascii")  # escapes what UTF-8 could not carry: lone surrogates in a request
