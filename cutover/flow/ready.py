"""Ready: every probe is answered at its place, and the healthcheck, if there is one, is content. Not a log line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cutover.clock import Clock
from cutover.engine.daemon import Daemon
from cutover.errors import ProbeError
from cutover.model import Answer, Container, ContainerState, Health
from cutover.probes import ProbeSpec, wait_until_ok

INTERVAL_S = 0.2
HEALTH_FAILURES = 3
LOG_LINES = 8
HEALTH_CHARS = 300


@dataclass(frozen=True, slots=True)
class Place:
    """Where a probe is to ask."""

    spec: ProbeSpec
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Wait:
    """One wait for one container: `container` is what it was when the wait began, `deadline` on the monotonic clock.

    `sure` may say, while probes are not content, why they never will be.
    """

    daemon: Daemon
    container: Container
    clock: Clock
    deadline: float
    sure: Callable[[], str | None] = lambda: None

    @property
    def left_s(self) -> float:
        """Return the seconds that are left, never less than zero."""
        return max(0.0, self.deadline - self.clock.monotonic())


def wait_ready(wait: Wait, places: Iterable[Place], told: Callable[[Answer], None] = lambda _: None) -> list[Answer]:
    """Wait until every place answers as it should and the healthcheck is content; `told` hears of each answer.

    Raises:
        ProbeError: `not-ready`: it exits, is restarted, becomes unhealthy, or does not answer in time; with the last
            answer, the healthcheck's output and the end of the log as evidence.

    """
    answers = []
    for place in places:
        answers.append(wait_for(wait, place))
        told(answers[-1])
    wait_healthy(wait)
    return answers


def wait_for(wait: Wait, place: Place) -> Answer:
    """Wait until one place answers as it should.

    Raises:
        ProbeError: as `wait_ready`.

    """
    try:
        return wait_until_ok(
            place.spec,
            place.host,
            place.port,
            deadline_s=wait.left_s,
            interval_s=INTERVAL_S,
            give_up=lambda: hopeless(wait) or wait.sure(),
        )
    except ProbeError as error:
        raise _not_ready(wait, error.message, error.evidence) from error


def hopeless(wait: Wait) -> str | None:
    """Return why it makes no sense to wait any longer, None where it does."""
    now = wait.daemon.container(wait.container.id)
    if now is None:
        return f"{wait.container.name} was removed"
    if now.state in {ContainerState.EXITED, ContainerState.DEAD}:
        return f"{now.name} exited with code {now.exit_code}"
    if now.state is ContainerState.RESTARTING or now.restart_count > wait.container.restart_count:
        return f"{now.name} crashed and was restarted"
    return None


def wait_healthy(wait: Wait) -> None:
    """Wait for the healthcheck; failures from before the probes were content are a service that was loading.

    Raises:
        ProbeError: as `wait_ready`.

    """
    first: int | None = None
    while True:
        reason = hopeless(wait)
        now = wait.daemon.container(wait.container.id)
        if reason or now is None:
            raise _not_ready(wait, reason or "it was removed", ())
        if now.health in {Health.HEALTHY, Health.NONE}:
            return
        first = now.failing_streak if first is None else min(first, now.failing_streak)
        failed_since = now.failing_streak - first
        late = wait.clock.monotonic() >= wait.deadline
        if late or (now.health is Health.UNHEALTHY and failed_since >= HEALTH_FAILURES):
            raise _not_ready(wait, f"the probes are content, but its healthcheck says {now.health}", ())
        wait.clock.sleep(INTERVAL_S)


def _not_ready(wait: Wait, reason: str, evidence: tuple[str, ...]) -> ProbeError:
    return ProbeError(
        "not-ready",
        f"{wait.container.name} is not ready: {reason}",
        evidence=[*evidence, *_health_and_log(wait)],
        hint=f"docker compose logs {wait.container.service}",
    )


def _health_and_log(wait: Wait) -> list[str]:
    daemon, container = wait.daemon, wait.container
    now = daemon.container(container.id)
    health = []
    if now is not None and now.health is not Health.NONE:
        health = [f"health: {now.health}: {daemon.last_health_output(container.id)[-HEALTH_CHARS:]}"]
    return [*health, *(f"log: {line}" for line in daemon.logs(container.id, tail=LOG_LINES))]
