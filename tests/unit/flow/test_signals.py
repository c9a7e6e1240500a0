"""Signals during a run: raised on the way forth, only answered on the way back."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from cutover.flow.signals import CAUGHT, Interrupted, deferred, interruptible, postponed


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
