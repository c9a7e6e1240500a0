"""Asking once, and asking until it is well."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cutover.errors import ProbeError
from cutover.probes import ask, parse, wait_until_ok
from cutover.probes.reply import NoReplyError
from tests.unit.probes.conftest import HttpServer


class Ticking:
    """A clock on which only waiting takes time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the seconds that were slept."""
        return self.seconds

    def now(self) -> datetime:
        """Return a moment."""
        return datetime(2026, 1, 1, tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        """Let time pass, in no time."""
        self.slept.append(seconds)
        self.seconds += seconds


def _after(bad: int) -> Callable[..., tuple[int, dict[str, str], bytes]]:
    answers = iter([503] * bad)
    return lambda *_: (next(answers, 200), {}, b"{}")


def test_the_shorter_time_counts(raw_server: Callable[..., int]) -> None:
    """The caller's limit and the spec's own limit both hold."""
    port = raw_server(lambda _, over: over.wait())
    assert "within 0.1 s" in ask(parse("tcp://:1?send=x&timeout=0.1"), "127.0.0.1", port, timeout_s=5).detail
    assert "within 0.1 s" in ask(parse("tcp://:1?send=x&timeout=5"), "127.0.0.1", port, timeout_s=0.1).detail


def test_an_answer_names_the_probe_without_its_secrets(closed_port: int) -> None:
    """The probe in an answer can go into a log."""
    answer = ask(parse("http://u:hunter2@:1/?header=X:hunter2"), "127.0.0.1", closed_port, timeout_s=1)
    assert "hunter2" not in repr(answer)
    assert answer.probe == "http://***@:1/?header=X:***"


def test_waiting_ends_with_the_first_good_answer(http_server: HttpServer) -> None:
    """Asked every interval, until it is well."""
    clock = Ticking()
    port = http_server(_after(3))
    answer = wait_until_ok(parse("http://:1/"), "127.0.0.1", port, deadline_s=60, interval_s=0.5, clock=clock)
    assert answer.ok
    assert clock.slept == [0.5, 0.5, 0.5]


def test_waiting_ends_with_the_deadline(http_server: HttpServer) -> None:
    """No question is begun that has no time to be answered, and the error carries the last answer."""
    clock = Ticking()
    port = http_server(_after(99))
    with pytest.raises(ProbeError) as raised:
        wait_until_ok(parse("http://:1/"), "127.0.0.1", port, deadline_s=1.2, interval_s=0.5, clock=clock)
    assert raised.value.reference == "probe-timeout"
    assert raised.value.message == f"127.0.0.1:{port} did not answer as it should within 1.2 s."
    assert "last of 3 answers: answered with HTTP status 503" in raised.value.evidence[1]
    assert clock.slept == [0.5, 0.5]


def test_the_caller_can_give_up(closed_port: int) -> None:
    """A container that exited is not waited for."""
    said = iter([None, "model_manager_suite exited with code 1"])
    clock = Ticking()
    with pytest.raises(ProbeError, match="gave up: model_manager_suite exited with code 1") as raised:
        wait_until_ok(parse("tcp://:1"), "::1", closed_port, deadline_s=60, give_up=lambda: next(said), clock=clock)
    assert raised.value.reference == "probe-gave-up"
    assert raised.value.message.startswith(f"[::1]:{closed_port} ")
    assert len(clock.slept) == 1


def test_no_reply_is_a_probe_error() -> None:
    """An adapter's failure is one of cutover's own errors."""
    assert isinstance(NoReplyError("refused"), ProbeError)


def test_importing_probes_is_light() -> None:
    """Reading specs must not cost the command line a network library."""
    heavy = "{'httpx', 'httpcore', 'zmq', 'tenacity', 'psutil', 'ssl'}"
    code = f"import sys, cutover.probes as p; p.parse('zmq://:1'); print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
