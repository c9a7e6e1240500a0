"""Ask a service one question, or go on asking until it answers as it should."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, assert_never

from cutover.clock import Clock, Deadline, SystemClock
from cutover.errors import ProbeError
from cutover.model import Answer
from cutover.probes.expect import complaint, field, parse_json
from cutover.probes.reply import NoReplyError, Reply
from cutover.probes.spec import Kind, ProbeSpec

if TYPE_CHECKING:
    from tenacity import RetryCallState

DEFAULT_TIMEOUT_S = 5.0
DEFAULT_INTERVAL_S = 0.2
_LEAST_S = 0.05


class Probe(Protocol):
    """How one protocol asks: `http.exchange`, `tcp.exchange`, `zeromq.exchange`."""

    def __call__(self, spec: ProbeSpec, host: str, port: int, deadline: Deadline) -> Reply:
        """Return the reply of `host:port`, or raise NoReplyError, before the deadline passes."""
        ...


def ask(spec: ProbeSpec, host: str, port: int, *, timeout_s: float | None = None) -> Answer:
    """Put one question to `host:port` and say what came of it; a service that does not answer raises nothing.

    Connecting, asking and reading the reply together take at most `timeout_s` seconds, or the spec's own time if
    that is shorter; 5 s where neither says. `host` and `port` beat those of the spec.
    """
    limits = [limit for limit in (timeout_s, spec.timeout_s) if limit is not None]
    probe = _probe(spec.kind)
    started, replied = time.monotonic(), True
    try:
        reply = probe(spec, host, port, Deadline(min(limits, default=DEFAULT_TIMEOUT_S)))
        wrong, identity = _judge(spec, reply)
        detail = wrong or reply.note
    except NoReplyError as error:
        wrong, identity, detail, replied = error.detail, None, error.detail, False
    elapsed_s = time.monotonic() - started
    return Answer(wrong is None, str(spec), _address(host, port), elapsed_s, detail, identity, replied)


def wait_until_ok(
    spec: ProbeSpec,
    host: str,
    port: int,
    *,
    deadline_s: float,
    interval_s: float = DEFAULT_INTERVAL_S,
    give_up: Callable[[], str | None] = lambda: None,
    clock: Clock | None = None,
) -> Answer:
    """Ask every `interval_s` seconds until the answer is as expected, and return that answer.

    `give_up` is called after each bad answer; a text from it (the container exited) ends the wait early.

    Raises:
        ProbeError: `deadline_s` seconds passed, or `give_up` said why; the evidence is the last answer.

    """
    from tenacity import Retrying, retry_if_result  # noqa: PLC0415  (50 ms that a single question need not pay)

    clock = clock or SystemClock()
    deadline = Deadline(deadline_s, clock)
    reasons: list[str] = []

    def stop(_: RetryCallState) -> bool:
        reasons.extend(filter(None, [give_up()]))
        return bool(reasons) or deadline.left_s <= interval_s  # a last question with no time left tells nothing

    def fail(state: RetryCallState) -> Answer:
        assert state.outcome is not None
        raise _not_ready(state.outcome.result(), deadline, state.attempt_number, reasons)

    return Retrying(
        sleep=clock.sleep,
        stop=stop,
        wait=lambda _: interval_s,
        retry=retry_if_result(lambda answer: not answer.ok),
        retry_error_callback=fail,
    )(lambda: ask(spec, host, port, timeout_s=_share_s(spec, deadline)))


def _probe(kind: Kind) -> Probe:
    match kind:
        case Kind.HTTP | Kind.HTTPS:
            from cutover.probes.http import exchange  # noqa: PLC0415  (httpx costs 100 ms)
        case Kind.ZMQ:
            from cutover.probes.zeromq import exchange  # noqa: PLC0415  (libzmq costs 24 ms)
        case Kind.TCP:
            from cutover.probes.tcp import exchange  # noqa: PLC0415
        case _:
            assert_never(kind)
    return exchange


def _judge(spec: ProbeSpec, reply: Reply) -> tuple[str | None, str | None]:
    """Return what is wrong (None if nothing is) and who answered (None if the spec does not ask)."""
    wrong = complaint(spec.expect, reply)
    if spec.identity is None:
        return wrong, None
    try:
        return wrong, field(parse_json(reply.body), spec.identity)
    except ValueError as error:
        return wrong or str(error), None


def _share_s(spec: ProbeSpec, deadline: Deadline) -> float:
    return max(_LEAST_S, min(spec.timeout_s or DEFAULT_TIMEOUT_S, deadline.left_s))


def _not_ready(last: Answer, deadline: Deadline, tries: int, reasons: list[str]) -> ProbeError:
    told = f"gave up: {reasons[0]}" if reasons else f"did not answer as it should within {deadline.seconds:.3g} s"
    return ProbeError(
        "probe-gave-up" if reasons else "probe-timeout",
        f"{last.address} {told}.",
        evidence=[f"probe {last.probe}", f"last of {tries} answers: {last.detail} (after {last.elapsed_s:.3f} s)"],
    )


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
