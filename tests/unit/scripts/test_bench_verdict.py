"""When a hundred swaps were as they must be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benching.asked import LOST, OK, Kind, Request
from benching.figures import Figures, figures
from benching.swaps import outside
from benching.verdict import Limits, Swaps


def seen(took_s: float = 0.002, outcome: str = OK, begin_s: float = 0.0) -> Figures:
    """Return the figures of two seconds at 100 requests a second; one in the middle took or ended as told."""
    requests = [Request(Kind.ZMQ, begin_s + n / 100, begin_s + n / 100 + 0.002, OK, "one") for n in range(200)]
    requests[100] = replace(requests[100], ended_s=requests[100].due_s + took_s, outcome=outcome)
    return figures(requests, begin_s, begin_s + 2)


GOOD = Swaps(wanted=5, done=5, quiet=seen(), swapping=seen())


def test_nothing_to_complain_about() -> None:
    """All answered once, nobody waited."""
    assert GOOD.faults() == []
    assert GOOD.as_dict()["ok"]
    assert "as it must be" in GOOD.text()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (replace(GOOD, swapping=seen(outcome=LOST)), "failed: 1 lost"),
        (replace(GOOD, quiet=seen(outcome="refused")), "failed: 1 refused"),
        (replace(GOOD, swapping=seen(took_s=0.05)), "p99.9 is 48 ms above the quiet edge"),
        (replace(GOOD, worked_twice=1), "1 worked on twice"),
        (replace(GOOD, done=4), "4 swaps of 5"),
        (replace(GOOD, broken={"tcp-stream": 1}), "1 connections broken"),
    ],
    ids=["lost", "refused-when-quiet", "slow", "twice", "swaps", "broken"],
)
def test_one_fault_is_enough(bad: Swaps, words: str) -> None:
    """Each is told in words, and none is made up for by others."""
    assert bad.faults() == [words]
    assert not bad.as_dict()["ok"]
    assert f"NOT as it must be: {words}" in bad.text()


def test_a_silence_is_a_fault_though_all_were_answered() -> None:
    """Requests that were held were answered; the port was silent."""
    held = [Request(Kind.ZMQ, n / 100, max(n / 100 + 0.002, 1.2 if n > 100 else 0), OK, "one") for n in range(200)]
    swaps = replace(GOOD, swapping=figures(held, 0, 2))
    assert any(fault.startswith("silent 1") for fault in swaps.faults())
    assert swaps.faults(Limits(silence_s=0.5, added_p999_s=0.5)) == []


def test_the_quiet_time_has_the_swaps_cut_out() -> None:
    """What lies between its two halves is no silence of the quiet edge."""
    requests = [Request(Kind.TCP, n / 100, n / 100 + 0.001, OK, "one") for n in range(1000)]
    quiet = outside(requests, (0.0, 10.0), (2.0, 8.0))
    assert quiet.requests == 400
    assert quiet.longest_s < 0.02


def test_clients_that_were_late_make_the_verdict_doubtful() -> None:
    """Their own delay is no silence of the edge; it is told, and nobody has to guess."""
    assert not GOOD.doubtful
    for late in (replace(GOOD, unsent=1), replace(GOOD, lag_s={"p99.9": 0.1})):
        assert late.doubtful
        assert "DOUBTFUL" in late.text()
        assert late.as_dict()["ok"], "what was measured was good"
