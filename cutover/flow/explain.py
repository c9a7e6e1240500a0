"""Why nobody answered: what the doctor makes of a container that was asked in vain, in a line of evidence.

Said where something else has failed already: so it is quick, starts nothing, and what goes wrong here hides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from cutover.clock import Clock
from cutover.config.messages import Socket
from cutover.engine.daemon import Daemon
from cutover.flow.doctor_facts import HERE, HURRY_S, Question, Ward, facts_of
from cutover.flow.ready import Place
from cutover.model import Container, Severity
from cutover.ports.diagnose import diagnose
from cutover.ports.facts import Facts, Probed
from cutover.validate.talk import Address
from cutover.validate.talk import Question as Asked
from cutover.validate.talk.base import Response


def explanation(daemon: Daemon, clock: Clock, container: Container, places: Sequence[Place]) -> list[str]:
    """Return what explains best why a container does not answer at these places, asked once more; [] if none."""
    with suppress(Exception):
        questions = [Question(p.spec, p.host, p.port, p.port) for p in places]
        return _first(facts_of(_hurried(daemon, clock), container, questions))
    return []


def _hurried(daemon: Daemon, clock: Clock) -> Ward:
    return Ward(daemon, clock, patience_s=HURRY_S, speech_s=HURRY_S, thorough=False)


class Explainer:
    """Explains questions that were asked in vain: finds the container by the address, and tells each finding once."""

    def __init__(self, daemon: Daemon, clock: Clock) -> None:
        self._daemon, self._clock = daemon, clock
        self._told: set[Address] = set()

    def __call__(self, question: Asked, address: Address, response: Response) -> list[str]:
        """Return what explains the silence, [] if nothing does, or if it was told of this address before."""
        if response.answered or address in self._told:
            return []
        self._told.add(address)
        with suppress(Exception):
            for container in self._daemon.containers():
                target = _target(container, address)
                if target is not None:
                    probed = _probed(question, address, target, response)
                    return _first(facts_of(_hurried(self._daemon, self._clock), container, (), (probed,)))
        return []


def _target(container: Container, address: Address) -> int | None:
    """Return the port inside to which an address leads, None where that is not this container."""
    if any(e.ip == address.host for e in container.endpoints if e.ip):
        return address.port
    bindings = (*container.published, *(container.wanted if not container.running else ()))
    here = (b for b in bindings if b.host_port == address.port and address.host in {*HERE, b.host_ip})
    return next((b.target for b in here), None)


def _probed(question: Asked, address: Address, target: int, response: Response) -> Probed:
    return Probed(
        f"{question.kind}://{address}",
        target,
        ok=False,
        detail=f"{response.kind}: {response.detail}",
        kind=str(question.kind),
        path=question.path,
        timeout_s=question.timeout_s,
        waited_s=round(response.elapsed_s, 1),
        bare=question.socket is Socket.DEALER and not question.delimiter,
    )


def _first(facts: Facts) -> list[str]:
    found = next((f for f in diagnose(facts) if f.severity is Severity.ERROR), None)
    return [f"doctor: {found.code} ({found.sure}): {found.message}"] if found else []
