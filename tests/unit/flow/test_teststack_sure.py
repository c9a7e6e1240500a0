"""When waiting for a test stack makes no sense any more."""

from __future__ import annotations

from dataclasses import replace

from cutover.flow.teststack_sure import LOOK_EVERY_S, TIMES, Sure
from cutover.model import Container, ContainerState, Listener
from cutover.ports.facts import Facts, Setting
from tests.unit.flow.world import FakeClock

CONTAINER = Container("t" * 64, "shop-new_test", "shop", "new_test", ContainerState.RUNNING)
ELSEWHERE = Facts(
    container=CONTAINER,
    targets=(5570,),
    listeners=(Listener("0.0.0.0", 5571),),
    settings=(Setting("environment PORT", 5571),),
)
LOADING = replace(ELSEWHERE, listeners=())


def told(*looks: Facts) -> list[bool]:
    """Return, look by look, whether waiting makes no sense any more."""
    clock, seen = FakeClock(), iter(looks)
    sure = Sure(lambda: next(seen), clock)
    said = []
    for _ in looks:
        said.append(sure() is not None)
        clock.sleep(LOOK_EVERY_S)
    return said


def test_a_service_that_listens_where_its_settings_say_will_not_move() -> None:
    """After it was seen there a few times in a row."""
    assert told(*[ELSEWHERE] * TIMES) == [*[False] * (TIMES - 1), True]


def test_a_service_that_loads_may_take_its_time() -> None:
    """Nothing is known of where it will listen."""
    assert not any(told(*[LOADING] * 10))


def test_it_has_to_be_in_a_row() -> None:
    """What changes in between is not settled."""
    assert not any(told(ELSEWHERE, ELSEWHERE, LOADING, ELSEWHERE, ELSEWHERE))


def test_looking_is_rare() -> None:
    """Each look asks the Engine and every probe."""
    looks = []

    def look() -> Facts:
        looks.append(1)
        return LOADING

    clock = FakeClock()
    sure = Sure(look, clock)
    for _ in range(10):
        sure()
        clock.sleep(LOOK_EVERY_S / 10)
    assert len(looks) == 1
