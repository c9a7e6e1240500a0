"""A question and what came of it, as values, whatever the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from cutover.config import Codec, Socket
from cutover.probes import Kind as Kind  # noqa: PLC0414  (one name for both: the protocols that we speak)

DEFAULT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a colour answers for one legacy port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Question:
    """One question, ready to be sent. `port` is the legacy port (its URL's default for HTTP), `path` HTTP's with query.

    `body` None sends nothing: HTTP GETs, ZeroMQ and TCP only connect. `host` is "" unless the question names its own.
    `verify` False takes whatever certificate HTTPS shows. `delimiter` False is a DEALER's without the empty frame.
    `keep` leaves a ZeroMQ or TCP connection open for the next question that keeps it; HTTP's is kept anyway.
    """

    kind: Kind
    port: int
    host: str = ""
    path: str = "/"
    body: bytes | None = field(default=None, repr=False)
    socket: Socket = Socket.REQ
    codec: Codec = Codec.JSON
    envelope: tuple[bytes, ...] = ()
    method: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S
    verify: bool = True
    delimiter: bool = True
    keep: bool = False


class ResponseKind(StrEnum):
    """What came of a question: an answer, or how it failed to come."""

    ANSWER = "answer"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    CLOSED = "closed"
    GARBLED = "garbled"


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Seconds count from the first byte sent to the last byte read, connecting included where it was.

    `value` is the decoded body (JSON, msgpack, or text; None where nothing came), `body` its bytes, `code` the HTTP
    status. `kind` GARBLED is a body that its codec cannot read; `value` is then its text. `detail` says what failed.
    `frames` is what stood before the body in a ZeroMQ reply, without the delimiter.
    """

    kind: ResponseKind
    value: Any = None
    body: bytes = field(default=b"", repr=False)
    code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    elapsed_s: float = 0.0
    detail: str = ""
    frames: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def answered(self) -> bool:
        """Say whether anything came back at all."""
        return self.kind in {ResponseKind.ANSWER, ResponseKind.GARBLED}


class Connection(Protocol):
    """An open way to one address over one protocol; opens itself again after a failure."""

    def ask(self, question: Question) -> Response:
        """Put one question; never raises for what the service does or does not do."""
        ...

    def close(self) -> None:
        """Let go of the socket, with nothing lingering."""
        ...
