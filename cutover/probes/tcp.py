"""Raw TCP: a banner, a text, an answer; or nothing but a connection that stays open."""

from __future__ import annotations

from collections.abc import Callable

from cutover.clock import Deadline
from cutover.probes.expect import Expectation, complaint, field, parse_json
from cutover.probes.reply import MAX_REPLY_BYTES, NoReplyError, Reply
from cutover.probes.spec import ProbeSpec
from cutover.probes.wire import CLOSED, Wire, connect

# docker-proxy accepts before it dials the container and hangs up at once when nobody listens there: measured at
# 0.3 to 1 ms on loopback, and above 50 ms on a busy 2-core machine. A connection that lives longer than this has
# somebody behind it.
SETTLE_S = 0.25
_CHUNK_BYTES = 1 << 16


def exchange(spec: ProbeSpec, host: str, port: int, deadline: Deadline) -> Reply:
    """Return what the service at `host:port` answers to the text of `spec`.

    Where nothing is sent and nothing expected, a connection that is not hung up at once is the answer.

    Raises:
        NoReplyError: there was none; says how far it came.

    """
    with connect(host, port, deadline) as wire:
        if spec.banner is not None:
            greeting = _await_banner(wire, spec.banner)
            if spec.send is None:
                return greeting
        if spec.send is not None:
            wire.write(spec.send.encode("utf-8", "surrogateescape"))
        elif not spec.expect and spec.identity is None:
            return _settle(wire)
        return Reply(_read_until(wire, lambda body: _enough(spec, body)))


def _await_banner(wire: Wire, banner: Expectation) -> Reply:
    reply = Reply(_read_until(wire, lambda body: complaint([banner], Reply(body)) is None))
    wrong = complaint([banner], reply)
    if wrong is not None:
        raise NoReplyError(f"no banner: {wrong}")
    return reply


def _settle(wire: Wire) -> Reply:
    body = wire.read(_CHUNK_BYTES, within_s=min(SETTLE_S, wire.deadline.left_s / 2))
    if body == b"":
        raise NoReplyError(CLOSED)
    return Reply(body or b"", note="connected, and the connection stays")


def _read_until(wire: Wire, enough: Callable[[bytes], bool]) -> bytes:
    body = b""
    while not (body and enough(body)) and len(body) < MAX_REPLY_BYTES:
        try:
            chunk = wire.read(min(_CHUNK_BYTES, MAX_REPLY_BYTES - len(body)))
        except NoReplyError:
            if body:
                break
            raise
        if not chunk:
            break
        body += chunk
    if not body:
        raise NoReplyError(CLOSED)
    return body


def _enough(spec: ProbeSpec, body: bytes) -> bool:
    if complaint(spec.expect, Reply(body)) is not None:
        return False
    if spec.identity is None:
        return True
    try:
        field(parse_json(body), spec.identity)
    except ValueError:
        return False
    return True
