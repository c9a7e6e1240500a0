"""What the bench makes of requests: silences, quantiles, failures by name."""

from __future__ import annotations

import json

import pytest
from benching.asked import LOST, OK, TWICE, Kind, Log, Plan, Request
from benching.figures import figures, histogram_of, lag, quantile_s, silence_s, worked_on_twice


def asked(kind: Kind, due: float, took: float, outcome: str = OK, who: str = "one") -> Request:
    """Return a request."""
    return Request(kind, due, due + took, outcome, who)


def test_silence_is_between_answers_and_at_both_ends() -> None:
    """A successor that never answers must not look like a short gap, nor a client that was never answered."""
    assert silence_s([1.0, 1.5, 3.5, 4.0], 0.9, 4.1) == 2.0
    assert silence_s([1.0, 1.25], 0.75, 9.25) == 8.0
    assert silence_s([3.0], 1.0, 3.5) == 2.0
    assert silence_s([], 1.0, 3.0) == 2.0


def test_silence_lasts_until_late_answers_come() -> None:
    """What was held and answered after the end was silent until then."""
    assert silence_s([1.0, 5.0], 0.5, 2.0) == 4.0


def test_answers_may_come_out_of_order() -> None:
    """A late answer to an early request does not make a gap of its own."""
    assert silence_s([4.0, 1.0, 2.0, 3.0], 1.0, 4.0) == 1.0


def test_latency_counts_from_when_the_request_was_due() -> None:
    """A client that came late does not make the server quick."""
    seen = figures([Request(Kind.ZMQ, 1.0, 1.5, OK, "one")], 0.0, 2.0)
    assert seen.quantiles_s["p50"] == pytest.approx(0.5, rel=0.001)


def test_each_failure_is_counted_by_its_name_and_its_client() -> None:
    """Two refused and one lost are three failures, of two names and two clients."""
    seen = figures(
        [
            asked(Kind.HTTP_NEW, 1.0, 0.001, "refused"),
            asked(Kind.HTTP_NEW, 1.1, 0.001, "refused"),
            asked(Kind.ZMQ, 1.2, 5.0, LOST),
            asked(Kind.ZMQ, 1.3, 0.001, TWICE),
            asked(Kind.ZMQ, 1.4, 1.5),
        ],
        0.0,
        10.0,
    )
    assert seen.failures == {"refused": 2, "lost": 1, "twice": 1}
    assert seen.failed_by == {"http-new": 2, "zmq-req": 2}
    assert (seen.requests, seen.failed, seen.lost, seen.twice, seen.late) == (5, 4, 1, 1, 1)


def test_only_what_was_due_in_the_time_counts() -> None:
    """The margins belong to others."""
    three = [asked(Kind.TCP, due, 0.001) for due in (0.5, 1.5, 2.5)]
    assert figures(three, 1.0, 2.0).requests == 1


def test_the_longest_silence_is_that_of_the_worst_served_kind() -> None:
    """One kind that hears nothing does not hide behind another that does."""
    answered = [asked(Kind.HTTP_NEW, n / 10, 0.0) for n in range(1, 30)]
    seen = figures([*answered, asked(Kind.ZMQ, 1.0, 0.01, "lost")], 0.0, 3.0)
    assert seen.silence_s == pytest.approx(0.1)
    assert seen.longest_s == seen.silences_s["zmq-req"] == 3.0


def test_the_histogram_can_be_read_back() -> None:
    """The raw data hold every quantile, not only those that were printed."""
    seen = figures([asked(Kind.TCP, 1 + n / 1000, n / 1000) for n in range(1, 1001)], 0.0, 10.0)
    histogram = type(histogram_of([])).decode(seen.histogram.encode())
    assert quantile_s(histogram, 90.0) == pytest.approx(0.9, rel=0.002)


def test_nothing_has_no_quantile() -> None:
    """No answer is no quick answer; it stands as 0 beside a count of 0."""
    assert quantile_s(histogram_of([]), 99.0) == 0.0


def test_a_log_travels_between_processes() -> None:
    """Nothing of a client's log is lost on its way."""
    log = Log(Kind.TCP, [asked(Kind.TCP, 1.0, 0.25), asked(Kind.TCP, 2.0, 0.5, "reset", "")], [0.001, 0.002], 3, 4, 5)
    back = Log.from_dict(json.loads(json.dumps(log.as_dict())))
    assert back == log
    plan = Plan(Kind.ZMQ, ("::1", "127.0.0.1"), 5570, 125.0, 12.5)
    assert Plan.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan


def test_the_lag_of_the_clients_is_their_worst() -> None:
    """One late client is enough to doubt a silence."""
    told = lag([Log(Kind.TCP, [], [0.001] * 10), Log(Kind.ZMQ, [], [0.001, 0.05])])
    assert told["p100"] == pytest.approx(0.05, rel=0.001)
    assert told["p50"] == pytest.approx(0.001, rel=0.001)


def test_work_done_twice_is_counted_by_the_services() -> None:
    """A client that got one answer cannot know."""
    assert worked_on_twice(["a-1", "a-2", "a-1", "b-1"]) == {"a-1": 2}
