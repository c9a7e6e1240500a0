"""What passed the recorder: one question and its reply, as bytes, whatever the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cutover.config import Socket
from cutover.probes import Kind

MAX_BODY_BYTES = 8 << 20
"""Of a longer body the recording says that it was too long; what passes is whole all the same."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """One exchange. `elapsed_s` counts from the question's last byte to the reply's last byte, None without a reply.

    `at` is wall time in seconds since 1970. `failure` says why there is no reply. `unsure` says that several questions
    were under way on this connection, and nothing in the replies tells which is whose. Of ZeroMQ, `envelope` are the
    frames before the request's, `reply_frames` those before the reply's; `delimiter` False says that a DEALER asked
    without the empty frame in front.
    """

    kind: Kind
    at: float
    request: bytes | None = field(repr=False)
    reply: bytes | None = field(default=None, repr=False)
    elapsed_s: float | None = None
    path: str = "/"
    method: str | None = None
    request_headers: Headers = field(default=(), repr=False)
    code: int | None = None
    reply_headers: Headers = field(default=(), repr=False)
    socket: Socket = Socket.REQ
    envelope: tuple[bytes, ...] = field(default=(), repr=False)
    delimiter: bool = True
    reply_frames: tuple[bytes, ...] = field(default=(), repr=False)
    failure: str = ""
    unsure: bool = False
    too_long: bool = False


Emit = Callable[[Passed], None]


class NotOurProtocolError(Exception):
    """What passes cannot be read as the protocol that was named; it passes all the same."""
