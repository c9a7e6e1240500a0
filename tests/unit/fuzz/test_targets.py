"""Bad input, a little of it each time: every target of scripts/fuzz, with Hypothesis's dice and no instruments."""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.finding import name_of, signature, smallest, wrong_with
from tests.fuzz.mutate import mutated
from tests.fuzz.registry import TARGETS
from tests.fuzz.target import SLOWEST_S, BrokenError, Target

SLOW = {"document-edits": 40, "document-texts": 40, "cutover-yaml": 30, "cases": 30}
EXAMPLES = 50


@pytest.mark.parametrize("name", TARGETS)
def test_good_input_is_read(name: str) -> None:
    """What the fuzzing begins with is nobody's finding."""
    seeds = list(TARGETS[name].seeds())
    assert seeds
    for seed in seeds[:12]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
def test_bad_input_ends_in_a_value_or_in_words(name: str) -> None:
    """No traceback, no hang, no edit of anything else; the failing bytes are in the report."""
    target = TARGETS[name]
    seeds = list(target.seeds())

    @settings(
        max_examples=SLOW.get(name, EXAMPLES),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(seeds) | st.binary(max_size=60), st.integers(0, 1 << 32))
    def hold(seed: bytes, dice: int) -> None:
        data = mutated(seed, Random(dice), target.words)
        found = wrong_with(target, data)
        assert found is None, f"{found}: {smallest(target, data, found, seconds=5)!r}"

    hold()


def _reader(data: bytes) -> None:
    if b"\xff" in data:
        raise ValueError(data)
    if data.count(b"[") > 3:
        raise BrokenError("too deep: really")


def test_a_fault_is_found_told_apart_and_made_small() -> None:
    """The harness itself: without this, targets that cannot fail would pass."""
    target = Target("x", _reader, lambda: ())
    assert wrong_with(target, b"good") is None
    first, second = wrong_with(target, b"a\xffb"), wrong_with(target, b"[[[[[[")
    assert first is not None
    assert second is not None
    assert name_of(first) != name_of(second)
    assert "ValueError at" in first
    assert smallest(target, b"abc\xffdef" * 9, first) == b"\xff"
    assert smallest(target, b"[[[[[[[[a", second) == b"[[[["


def test_a_reader_that_takes_too_long_is_a_finding() -> None:
    """In processor time."""

    def slow(data: bytes) -> None:
        end = time.process_time() + len(data) * SLOWEST_S / 9
        while time.process_time() < end:
            pass

    assert "took" not in str(wrong_with(Target("x", slow, lambda: ()), b""))
    with pytest.raises(BrokenError, match="took"):
        Target("x", slow, lambda: ())(b"1234567890")


def test_the_same_fault_has_the_same_name() -> None:
    """So that it is told once."""
    assert signature(ValueError("a")) == signature(ValueError("b"))
