"""What the dependants count is what happened."""

from __future__ import annotations

from pathlib import Path

import pytest
from language_stack.count import Count, ask


class Hands:
    """A clock that moves by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Read it."""
        return self.now


@pytest.fixture
def hands() -> Hands:
    """Start at 100 s."""
    return Hands()


@pytest.fixture
def count(hands: Hands) -> Count:
    """Nothing counted yet."""
    return Count("agent", hands)


def test_the_longest_silence_is_between_good_answers(count: Count, hands: Hands) -> None:
    """A failure does not break a silence."""
    for after_s in (0.5, 0.5):
        hands.now += after_s
        count.answered("green")
    hands.now += 1
    count.failed("timeout")
    hands.now += 1
    count.answered("blue")
    value = count.read()
    assert value["longest_silence_s"] == 2
    assert (value["requests"], value["answered"], value["failed"]) == (4, 3, 1)
    assert value["failures"] == {"timeout": 1}
    assert value["answered_by"] == {"green": 2, "blue": 1}
    assert value["changes"] == [{"after_s": 0.5, "to": "green"}, {"after_s": 3.0, "to": "blue"}]


def test_a_silence_that_lasts_is_counted(count: Count, hands: Hands) -> None:
    """Otherwise a dead manager would look well."""
    hands.now += 7
    assert count.read()["longest_silence_s"] == 7


def test_reset_starts_anew(count: Count, hands: Hands) -> None:
    """And returns what was counted up to then."""
    hands.now += 1
    count.failed("refused")
    assert count.read(reset=True)["failed"] == 1
    assert count.read() == {**count.read(), "requests": 0, "failed": 0, "seconds": 0, "longest_silence_s": 0}


def test_it_is_read_from_another_process(count: Count, tmp_path: Path) -> None:
    """Over a socket in the container: exact at the moment of asking."""
    count.answered("green")
    count.publish(tmp_path / "c.sock")
    assert ask(reset=True, place=tmp_path / "c.sock")["answered"] == 1
    assert ask(reset=False, place=tmp_path / "c.sock")["answered"] == 0
