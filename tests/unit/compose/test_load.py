"""The bench's figures: what a client saw, summed up."""

from __future__ import annotations

from threading import Event

from groups import requirements
from load import Seen, ask_on_schedule


def test_silence_and_latency_are_summed_up() -> None:
    """The longest gap between good answers, wherever failures lie."""
    seen = Seen(good=[(1.0, 0.1), (1.5, 0.2), (3.5, 1.9), (4.0, 0.1)])
    seen.by.update({"green": 2, "blue": 2})
    seen.failures.update({"timeout": 3})
    summary = seen.summary(4.1)
    assert summary["longest_silence_s"] == 2.0
    assert (summary["requests"], summary["failed"]) == (7, 3)
    assert summary["latency_s"]["max"] == 1.9


def test_the_silence_at_the_end_counts() -> None:
    """A successor that never answers must not look like a short gap."""
    assert Seen(good=[(1.0, 0.1), (1.2, 0.1)]).summary(9.2)["longest_silence_s"] == 8.0
    assert Seen().summary(9.2)["longest_silence_s"] == float("inf")


def test_latency_counts_from_the_scheduled_time() -> None:
    """A request that was due while the client still waited for the one before was late too."""
    stop = Event()
    seen = Seen()
    calls = iter(range(4))

    def ask() -> str:
        number = next(calls)
        if number == 0:
            stop.wait(0.2)  # the manager does not answer for 0.2 s
        if number == 3:
            stop.set()
        if number == 2:
            raise ConnectionRefusedError
        return "green"

    ask_on_schedule(ask, seen, stop)
    assert seen.good[1][1] > 0.15
    assert seen.by == {"green": 3}
    assert seen.failures == {"ConnectionRefusedError": 1}


def test_groups_of_requirements_include_others() -> None:
    """Each requirement in its place, as PEP 735 says."""
    groups: dict[str, list[str | dict[str, str]]] = {"a": ["x", {"include-group": "b"}, "z"], "b": ["y>=1"]}
    assert list(requirements(groups, "a")) == ["x", "y>=1", "z"]
