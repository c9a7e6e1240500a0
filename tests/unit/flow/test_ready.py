"""When a container is ready, and when it makes no sense to wait for it any longer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cutover.errors import ProbeError
from cutover.flow.ready import Place, Wait, hopeless, wait_healthy, wait_ready
from cutover.model import Answer, Container, ContainerState, Health
from cutover.probes import parse
from tests.unit.flow.world import BLUE, FakeClock

RUNS = replace(BLUE, state=ContainerState.RUNNING, restart_count=1)


def waiting(*states: Container | None, timeout_s: float = 10.0) -> Wait:
    """Return a wait for a container that is in these states, one look after the other; the last one stays."""

    def look() -> Iterator[Container | None]:
        yield from states
        while True:
            yield states[-1]

    seen = look()
    daemon = SimpleNamespace(
        container=lambda _: next(seen),
        logs=lambda _, tail: ["loading", "Traceback"][:tail],
        last_health_output=lambda _: "503",
    )
    clock = FakeClock()
    return Wait(daemon, RUNS, clock, clock.monotonic() + timeout_s)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (RUNS, None),
        (None, "was removed"),
        (replace(RUNS, state=ContainerState.EXITED, exit_code=3), "exited with code 3"),
        (replace(RUNS, state=ContainerState.DEAD), "exited"),
        (replace(RUNS, state=ContainerState.RESTARTING), "crashed and was restarted"),
        (replace(RUNS, restart_count=2), "crashed and was restarted"),
    ],
)
def test_when_it_is_hopeless(now: Container | None, reason: str | None) -> None:
    """Restarts from before the wait do not count."""
    found = hopeless(waiting(now))
    assert (found is None) if reason is None else (reason in str(found))


def test_a_healthcheck_may_take_its_time() -> None:
    """STARTING is waited for; a container without a healthcheck is content at once."""
    starting = replace(RUNS, health=Health.STARTING)
    wait_healthy(waiting(starting, starting, starting, replace(RUNS, health=Health.HEALTHY)))
    wait_healthy(waiting(RUNS))


def test_failures_while_it_was_loading_do_not_count() -> None:
    """Three in a row after the probes were content do; the evidence is the check's output and the log."""
    streak = [replace(RUNS, health=Health.UNHEALTHY, failing_streak=n) for n in (5, 5, 6, 6, 7, 7)]
    well = replace(RUNS, health=Health.HEALTHY)
    wait_healthy(waiting(*streak, well))
    with pytest.raises(ProbeError, match="its healthcheck says unhealthy") as caught:
        wait_healthy(waiting(*streak, replace(streak[-1], failing_streak=8)))
    assert caught.value.evidence == ("health: unhealthy: 503", "log: loading", "log: Traceback")


def test_a_healthcheck_that_never_ends() -> None:
    """The deadline ends it."""
    wait = waiting(replace(RUNS, health=Health.STARTING), timeout_s=2.0)
    with pytest.raises(ProbeError, match="says starting"):
        wait_healthy(wait)
    assert wait.left_s == 0.0


def test_ready_means_every_place_in_turn() -> None:
    """A place where nobody answers ends the wait as soon as the container is gone; nobody is asked after that."""
    told: list[Answer] = []
    gone = replace(RUNS, state=ContainerState.EXITED, exit_code=1)
    with socket.socket() as nobody:  # bound and not listening: who connects is refused
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        place = Place(parse(f"tcp://:{port}"), "127.0.0.1", port)
        with pytest.raises(ProbeError, match="exited with code 1") as caught:
            wait_ready(waiting(gone), [place, place], told.append)
    assert caught.value.reference == "not-ready"
    assert not told
    assert any("refused" in line for line in caught.value.evidence)


def test_no_places_and_no_healthcheck_is_ready() -> None:
    """That is what an Engine elsewhere comes to, where nothing can be asked."""
    assert wait_ready(waiting(RUNS), []) == []
