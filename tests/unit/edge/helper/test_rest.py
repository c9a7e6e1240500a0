"""When a connection rests: histories of questions and answers, told to a Watch as a poll of 1 ms would see them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cutover.edge.helper.rest import UNTAUGHT_S, Watch

STEP_S = 0.001

Event = tuple[float, int, int]
"""When, how many bytes came from the client, how many went to it."""


def watched(events: Iterable[Event], until: float) -> tuple[Watch, list[float]]:
    """Return the watch at the end, and all moments at which it said that the connection rests."""
    waiting = sorted(events)
    watch, rests, received, sent = Watch(0.0), [], 0, 0
    for tick in range(round(until / STEP_S)):
        now = (tick + 1) * STEP_S
        while waiting and waiting[0][0] <= now:
            _, came, went = waiting.pop(0)
            received, sent = received + came, sent + went
        watch.look(now, received, sent, since=now - STEP_S)
        if watch.rests(now):
            rests.append(now)
    return watch, rests


def turns(count: int, every_s: float, delay_s: float, *, size: int = 100) -> list[Event]:
    """Return questions at regular times and their answers."""
    return [e for n in range(count) for e in ((n * every_s, 40, 0), (n * every_s + delay_s, 0, size))]


def phase(moment: float, every_s: float) -> float:
    """Return how long after a question a moment is."""
    return moment % every_s


def test_a_client_that_asks_every_20_ms_is_cut_soon_after_an_answer() -> None:
    """Never while an answer is due, never when the next question is."""
    _, rests = watched(turns(40, 0.02, 0.003), 0.8)
    assert rests
    assert all(0.005 <= phase(r, 0.02) <= 0.013 for r in rests)


def test_a_question_and_its_answer_between_two_looks_count_as_a_turn() -> None:
    """A fast service answers within a millisecond."""
    _, rests = watched(turns(40, 0.02, 0.0002), 0.8)
    assert rests
    assert all(0.002 <= phase(r, 0.02) <= 0.012 for r in rests)


def test_what_has_taught_nothing_rests_after_a_quarter_of_a_second() -> None:
    """An idle connection of a pool, asked once; and one that never was."""
    _, asked = watched([(0.01, 40, 0), (0.02, 0, 100)], 1.0)
    _, fresh = watched([], 1.0)
    assert asked[0] == pytest.approx(0.02 + UNTAUGHT_S, abs=0.01)
    assert fresh[0] == pytest.approx(UNTAUGHT_S, abs=0.01)


def test_an_answer_that_is_due_is_waited_for_however_long() -> None:
    """A model may think for minutes."""
    _, rests = watched([(0.01, 40, 0), (0.02, 0, 100), (0.05, 40, 0)], 5.0)
    assert rests == []


def test_a_stream_of_tokens_is_not_cut_in_its_pauses() -> None:
    """Three answers of ten tokens, 60 ms apart each: only after the last of an answer does it rest."""
    events = [e for n in range(3) for e in [(n * 2.0, 40, 0), *((n * 2.0 + 0.1 + 0.06 * k, 0, 20) for k in range(10))]]
    _, rests = watched(events, 5.9)
    later = [r for r in rests if r > 2.0]
    assert later
    assert all(phase(r, 2.0) > 0.1 + 0.06 * 9 + 0.15 for r in later)


def test_an_answer_of_which_only_the_head_is_written_is_not_over() -> None:
    """Others were 156 bytes long; this one has 112, and the process that writes the rest is not running just now."""
    events = turns(20, 0.02, 0.003, size=156)
    events += [(0.4, 40, 0), (0.403, 0, 112)]
    _, rests = watched(events, 0.5)
    assert [r for r in rests if r > 0.4] == []


def test_a_client_that_asks_again_at_once_never_rests_and_is_known_for_it() -> None:
    """It can only be ended with an answer."""
    watch, rests = watched(turns(100, 0.005, 0.0045), 0.5)
    assert rests == []
    assert watch.restless
    assert watch.has_just_answered is watch.answered_last


def test_with_its_patience_at_an_end_it_takes_the_next_moment_after_an_answer() -> None:
    """And none before."""
    watch = Watch(0.0)
    watch.look(0.1, 40, 0, since=0.099)
    assert not watch.rests(0.2, patience=0.0)
    watch.look(0.2, 40, 100, since=0.199)
    assert not watch.rests(0.2, patience=0.0)
    assert watch.rests(0.21, patience=0.0)


def test_the_kernel_decides_who_spoke_last_where_it_can() -> None:
    """Both spoke between two looks."""
    watch = Watch(0.0)
    watch.look(0.1, 40, 100, since=0.099, answered_last=False)
    assert not watch.answered_last
    watch.look(0.2, 80, 200, since=0.199, answered_last=True)
    assert watch.answered_last


def test_what_was_not_looked_at_teaches_nothing() -> None:
    """In a gap of the looks there may have been ten turns."""
    watch = Watch(0.0)
    for number in range(1, 10):
        watch.look(number * 0.1, 40 * number, 100 * number, since=number * 0.1 - 0.09)
    assert not watch.turns
