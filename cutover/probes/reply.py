"""What came back from a service, and the one way to say that nothing did."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cutover.errors import ProbeError

MAX_REPLY_BYTES = 1 << 20
_EXCERPT_CHARS = 120


@dataclass(frozen=True, slots=True)
class Reply:
    """The bytes that a service answered; `code` is the HTTP status, `note` tells how far an unasked service came."""

    body: bytes = b""
    code: int | None = None
    note: str = ""


class Failure(StrEnum):
    """How a reply failed to come."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    CLOSED = "closed"
    GARBLED = "garbled"


class NoReplyError(ProbeError):
    """A service gave no reply that can be judged; `detail` says how far the question came, `failure` how it ended."""

    def __init__(self, detail: str, failure: Failure = Failure.CLOSED) -> None:
        self.detail = detail
        self.failure = failure
        super().__init__("no-reply", detail)


def excerpt(body: bytes | str) -> str:
    """Return at most 120 printable characters of what a service said."""
    text = body[: 4 * _EXCERPT_CHARS].decode("utf-8", "replace") if isinstance(body, bytes) else body
    shown = "".join(c if c.isprintable() else " " for c in text[:_EXCERPT_CHARS])
    return repr(shown) + ("..." if len(text) > _EXCERPT_CHARS else "")
