"""The facts for a diagnosis of a test stack: what the Engine, the socket tables inside and the probes say of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cutover.clock import Clock
from cutover.engine.vitals import vitals_of
from cutover.flow.ready import Place
from cutover.flow.session import Session
from cutover.model import Container, Health, PortBinding, Protocol
from cutover.ports.facts import Facts, Probed, Setting
from cutover.ports.inside import Source, look_inside
from cutover.probes import ask

LOG_LINES = 20
TIMEOUT_S = 2.0


def gather(session: Session, container: Container, bindings: Sequence[PortBinding], places: Sequence[Place]) -> Facts:
    """Return what can be seen of a container at this moment; every place is asked once more.

    Raises:
        EngineError: the Engine does not answer.

    """
    daemon = session.daemon
    now = daemon.container(container.id) or container
    vitals = vitals_of(daemon, container.id)
    inside = look_inside(now, run_inside=lambda argv: daemon.run_inside(now.id, list(argv)))
    return Facts(
        container=now,
        log=tuple(daemon.logs(container.id, tail=LOG_LINES)),
        targets=tuple(dict.fromkeys(b.target for b in bindings if b.protocol is Protocol.TCP)),
        listeners=None if inside.source is Source.NONE else inside.listeners,
        settings=tuple(Setting(f"{s.where} {s.name}", s.port) for s in vitals.settings),
        probed=tuple(_asked(place, bindings) for place in places) if now.running else (),
        health_output="" if now.health is Health.NONE else daemon.last_health_output(container.id),
        oom_killed=vitals.oom_killed,
        engine_error=vitals.error,
        seconds=seconds_since(session.clock, now.started_at),
    )


def _asked(place: Place, bindings: Sequence[PortBinding]) -> Probed:
    answer = ask(place.spec, place.host, place.port, timeout_s=TIMEOUT_S)
    target = next((b.target for b in bindings if b.host_port == place.port), place.port)
    return Probed(answer.probe, target, answer.ok, answer.replied, answer.detail)


def seconds_since(clock: Clock, started_at: str) -> float:
    """Return how long ago Docker's RFC 3339 text was, 0 where it says nothing."""
    try:
        then = datetime.fromisoformat(started_at)
    except ValueError:
        return 0.0
    return max(0.0, (clock.now() - then).total_seconds()) if then.year > 1 else 0.0
