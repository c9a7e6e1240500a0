"""The stall meter, with time that stands still unless the test moves it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from cutover.flow import stall
from cutover.flow.stall import StallMeter
from tests.unit.flow.world import FakeClock

LONG_S = 10.0


class Script:
    """A question that is answered as the test says, one answer after the other, each when the test asks for it."""

    def __init__(self, clock: FakeClock, answers: list[tuple[float, bool]]) -> None:
        self._clock, self._answers, self._lock = clock, iter(answers), threading.Lock()
        self.over = threading.Event()

    def __call__(self) -> bool:
        """Move the clock to the next answer's time, and give it; fail when there are no more."""
        with self._lock:
            at, good = next(self._answers, (None, False))
            if at is None:
                self.over.set()
            else:
                self._clock.seconds = at
            return good


def measured(answers: list[tuple[float, bool]], monkeypatch: pytest.MonkeyPatch) -> float | None:
    """Return the longest silence of a service that answers so."""
    monkeypatch.setattr(stall, "AT_ONCE", 1)  # one after the other, so that time is told by the script alone
    monkeypatch.setattr(stall, "INTERVAL_S", 0.0005)
    clock = FakeClock()
    script = Script(clock, answers)
    meter = StallMeter(script, clock)
    meter.start()
    assert script.over.wait(LONG_S)
    meter.stop()
    return meter.longest_s


@pytest.mark.parametrize(
    ("answers", "longest_s"),
    [
        ([(1.0, True), (1.1, True), (1.2, True)], 0.1),
        ([(1.0, True), (1.1, False), (1.2, False), (1.5, True), (1.6, True)], 0.5),
        ([(1.0, True), (4.0, True), (5.0, True)], 3.0),
        ([(1.0, True), (1.1, True), (3.0, False)], 1.9),
        ([(1.0, False), (9.0, False)], None),
        ([(1.0, False), (8.0, True), (8.25, True)], 0.25),
    ],
)
def test_the_longest_time_between_two_good_answers(
    answers: list[tuple[float, bool]], longest_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad answers do not end a silence, and one that has not ended counts until the end."""
    assert measured(answers, monkeypatch) == (None if longest_s is None else pytest.approx(longest_s))


def test_a_question_that_hangs_does_not_hide_later_ones() -> None:
    """In the moment of the move a connection may hang; those after it are answered all the same."""
    hang, answered, asked = threading.Event(), threading.Semaphore(0), iter(range(10_000))

    def question() -> bool:
        if next(asked) == 1:
            hang.wait(LONG_S)
            return False
        answered.release()
        return True

    meter = StallMeter(question, FakeClock())
    meter.start()
    try:
        assert all(answered.acquire(timeout=LONG_S) for _ in range(4))
    finally:
        hang.set()
        meter.stop()
    assert meter.longest_s == 0.0


def test_a_question_that_raises_is_a_bad_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace goes on."""
    monkeypatch.setattr(stall, "FIRST_ANSWER_S", LONG_S)
    asked = iter(range(10_000))

    def question() -> bool:
        if next(asked) == 0:
            raise OSError
        return True

    meter = StallMeter(question, FakeClock())
    meter.start()  # returns with the first good answer
    meter.stop()
    assert meter.longest_s == 0.0


def never() -> bool:
    """Answer badly."""
    return False


@pytest.mark.parametrize("acts", [["stop"], ["stop", "stop"], ["start", "start", "stop", "stop"]])
def test_it_can_be_started_and_stopped_again(acts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The way back does not know how far the way forth came; there is one thread at most."""
    monkeypatch.setattr(stall, "FIRST_ANSWER_S", 0.0)
    meter = StallMeter(never, FakeClock())
    before = threading.active_count()
    for act in acts:
        getattr(meter, act)()
        assert sum(t.name == "stall-meter" for t in threading.enumerate()) <= 1
    assert threading.active_count() == before
    assert meter.longest_s is None


def test_start_waits_for_the_first_good_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a silence has a beginning: without it the move could be over before anything was measured."""
    monkeypatch.setattr(stall, "FIRST_ANSWER_S", LONG_S)
    given: list[bool] = []
    question: Callable[[], bool] = lambda: given.append(True) or True  # noqa: E731
    meter = StallMeter(question, FakeClock())
    meter.start()
    assert given
    meter.stop()
