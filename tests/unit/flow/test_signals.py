"""Signals during a run: raised on the way forth, only answered on the way back."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from cutover.flow.signals import CAUGHT, LOOK_AGAIN_S, Interrupted, deferred, interruptible, postponed


@pytest.mark.parametrize("number", CAUGHT)
def test_a_signal_turns_a_run_back(number: signal.Signals) -> None:
    """Interrupted names it, and no `except Exception` swallows it."""
    with pytest.raises(Interrupted) as caught, interruptible():
        os.kill(os.getpid(), number)
    assert caught.value.signal == number.name
    assert not isinstance(caught.value, Exception)


@pytest.mark.parametrize("number", CAUGHT)
def test_on_the_way_back_a_signal_is_only_answered(number: signal.Signals) -> None:
    """Each time it comes."""
    told: list[str] = []
    with interruptible(), deferred(lambda: told.append("going back")):
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    assert told == ["going back", "going back"]


def test_handlers_are_put_back() -> None:
    """Also when the run failed."""
    before = [signal.getsignal(number) for number in CAUGHT]
    with pytest.raises(ZeroDivisionError), interruptible(), deferred(lambda: None):
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in CAUGHT] == before


def test_a_thread_that_may_not_handle_signals_runs_all_the_same() -> None:
    """Python lets only the main thread set handlers."""
    ran: list[bool] = []

    def work() -> None:
        with interruptible(), deferred(lambda: None):
            ran.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran == [True]


def test_a_signal_is_kept_until_the_work_is_done() -> None:
    """What Compose has begun goes on without us: it is let come to its end, and then the run turns back, once."""
    done: list[str] = []

    def work() -> None:
        with postponed():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
            done.append("created")
        done.append("not reached")

    with pytest.raises(Interrupted) as caught, interruptible():
        work()
    assert (caught.value.signal, done) == ("SIGTERM", ["created"])


def test_a_failure_under_a_kept_signal() -> None:
    """The signal counts; what failed is its context."""

    def work() -> None:
        with postponed():
            os.kill(os.getpid(), signal.SIGINT)
            raise ZeroDivisionError

    with pytest.raises(Interrupted) as caught, interruptible():
        work()
    assert isinstance(caught.value.__context__, ZeroDivisionError)


class Destroyed:
    """Whatever is raised while it is destroyed, Python drops."""

    def __del__(self) -> None:
        """Be interrupted."""
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0)


def test_a_signal_that_falls_into_a_destructor_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to press Ctrl-C again: the run is turned back all the same, by the same signal."""
    monkeypatch.setattr(sys, "unraisablehook", lambda told: None)  # pytest's own keeps the exception, Python's does not

    def work() -> None:
        Destroyed()
        reached.append("gone on")
        threading.Event().wait(30)

    reached: list[str] = []
    with pytest.raises(Interrupted) as caught, interruptible():
        work()
    assert (caught.value.signal, reached) == ("SIGINT", ["gone on"])


def test_a_second_signal_does_not_disturb_the_first() -> None:
    """While the exception of the first is on its way, and clears up, however long that takes."""

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(3 * LOOK_AGAIN_S)
            cleared.append("up")

    cleared: list[str] = []
    with pytest.raises(Interrupted) as caught, interruptible():
        work()
    assert (caught.value.signal, cleared) == ("SIGTERM", ["up"])


def test_a_signal_that_was_answered_is_not_sent_again() -> None:
    """Once the way back was gone, nothing turns what comes after it."""
    with interruptible():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Interrupted:
            with deferred(lambda: None):
                pass
        threading.Event().wait(3 * LOOK_AGAIN_S)
