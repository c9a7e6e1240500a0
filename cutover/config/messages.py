"""One question to a service: what suites and parity cases have in common."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

from cutover.config.base import AtError, Location, Model, Texts
from cutover.config.paths import JSONPath, Paths, Wanted

_SENDABLE: Final = (str, int, float, bool, bytes, dict, list, tuple, type(None))
_DEEPEST: Final = 100
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_EXAMPLES: Final = {
    "zmq": "zmq://:5570",
    "http": "http://:6570/health",
    "https": "https://:6570/health",
    "tcp": "tcp://:7000",
}
SCHEMES = tuple(_EXAMPLES)


class Codec(StrEnum):
    """How a request becomes bytes, and bytes a reply; a raw reply that is a JSON object or list is read as JSON."""

    JSON = "json"
    MSGPACK = "msgpack"
    RAW = "raw"


class Socket(StrEnum):
    """How ZeroMQ asks: REQ, or DEALER with the empty delimiter that a REP or ROUTER expects."""

    REQ = "req"
    DEALER = "dealer"


def _is_target(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:  # a port that is none, or a host in broken brackets
        raise ValueError(f"{value!r} is no URL that can be asked: {error}") from error
    example = _EXAMPLES.get(parts.scheme)
    if example is None:
        near = difflib.get_close_matches(parts.scheme, SCHEMES, n=1)
        meant = f"; did you mean {near[0]}://?" if near else ""
        raise ValueError(f"{value!r} should begin with one of {', '.join(f'{s}://' for s in SCHEMES)}{meant}")
    if port == 0:
        raise ValueError(f"{value!r} names port 0, on which nobody can be asked: {example}")
    if port is None and not (parts.hostname and parts.scheme in {"http", "https"}):
        raise ValueError(f"{value!r} names no port; the legacy one is meant: {example}")
    return value


def _is_web_target(value: str) -> str:
    _is_target(value)
    if not value.lower().startswith(("http://", "https://")):
        raise ValueError(f"{value!r} should begin with http:// or https://")
    return value


Target = Annotated[str, AfterValidator(_is_target)]
"""Where a question goes: `zmq://:5570`."""
WebTarget = Annotated[str, AfterValidator(_is_web_target)]
"""Where HTTP is asked: `http://:6570`."""


class Message(Model):
    """One question. Its port is the legacy one: which colour is asked decides where that leads."""

    name: str | None = Field(None, description="what it is called in reports; the method or path if left out")
    to: Target | None = Field(None, description="zmq://:5570, http://:6570/health, tcp://:7000; the legacy port")
    request: Any = Field(None, description="what is sent: JSON for codec json and msgpack, text for raw")
    socket: Socket = Field(Socket.REQ, description="ZeroMQ: req, or dealer")
    delimiter: bool = Field(True, description="dealer: whether an empty frame comes first, as REQ sends it")
    keep: bool = Field(
        False,
        description="ZeroMQ, and TCP with json or msgpack: the next question that says so uses this connection, for "
        "a service that remembers its caller; what it says too late is then taken for the next answer",
    )
    codec: Codec = Field(Codec.JSON, description="ZeroMQ and TCP: json, msgpack or raw; HTTP: json or raw")
    envelope: Texts = Field((), description="ZeroMQ: frames that come before the request's own")
    method: str | None = Field(None, description="HTTP: GET, or POST where there is a request")
    headers: dict[str, str] = Field({}, description="HTTP headers")
    verify: bool = Field(True, description="HTTPS: whether the certificate has to be good")
    timeout_s: float | None = Field(None, gt=0, description="seconds for the whole question; 5 if nobody says")

    @field_validator("request")
    @classmethod
    def _can_be_sent(cls, value: Any) -> Any:
        """Refuse what no codec takes: YAML has dates and sets, JSON and msgpack have not."""
        for location, part in _parts(value):
            if not isinstance(part, _SENDABLE):
                where = f"at {'.'.join(map(str, location))}: " if location else ""
                raise AtError(f"{where}{part} is a {type(part).__name__.lower()}; quote it to send a text", location)
            if isinstance(part, float) and not math.isfinite(part):
                raise AtError(f"{part} is no number that JSON knows", location)
        return value

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _HEADER_NAME.fullmatch(name):
                raise AtError(f"{name!r} is no name of an HTTP header", (name,))
            if not text.isascii() or not text.isprintable():
                raise AtError(f"the value of header {name} is not one line of printable ASCII", (name,))
        return value

    @field_validator("method")
    @classmethod
    def _is_method(cls, value: str | None) -> str | None:
        if value is not None and not _HEADER_NAME.fullmatch(value):
            raise ValueError(f"{value!r} is no HTTP method: GET, POST and HEAD are")
        return value


class Errors(Model):
    """How an error looks in a reply that came: HTTP 4xx and 5xx are errors anyway."""

    when: dict[JSONPath, Wanted] = Field(
        {"$.status": "error", "$.error": "/.+/"},
        description="JSONPath -> value (or /regular expression/); one that fits makes it an error",
    )
    kind: Paths = Field(
        ("$.error.code", "$.error.type", "$.code", "$.error", "$.error_code", "$.error_type"),
        description="JSONPaths of what kind of error it is; the first that is there names it, parity compares them all",
    )


def _parts(value: Any, location: Location = ()) -> Iterator[tuple[Location, Any]]:
    """Yield a value and all that is in it."""
    if len(location) > _DEEPEST:
        raise ValueError(f"it is nested deeper than {_DEEPEST}, or holds itself")
    yield location, value
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _parts(part, (*location, key))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _parts(part, (*location, number))
