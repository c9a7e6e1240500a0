"""Why nobody answered: what the doctor makes of a container that was asked in vain, in a line of evidence.

Said where something else has failed already: so it is quick, starts nothing, and what goes wrong here hides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from cutover.clock import Clock
from cutover.config.messages import Socket
from cutover.engine.daemon import Daemon
from cutover.flow.doctor_facts import HERE, HURRY_S, Question, Ward, facts_of, leads_here
from cutover.flow.ready import Place
from cutover.model import Container, PortBinding, Protocol, Severity
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

    def __init__(self, daemon: Daemon, clock: Clock, project: str) -> None:
        self._daemon, self._clock, self._project = daemon, clock, project
        self._told: set[Address] = set()

    def __call__(self, question: Asked, address: Address, response: Response) -> list[str]:
        """Return what explains the silence, [] if nothing does, or if it was told of this address before."""
        if response.answered or address in self._told:
            return []
        self._told.add(address)
        with suppress(Exception):
            found = asked_there(self._daemon.containers(), address, self._project)
            if found is not None:
                probed = _probed(question, address, found[1], response)
                return _first(facts_of(_hurried(self._daemon, self._clock), found[0], (), (probed,)))
        return []


def asked_there(everyone: Sequence[Container], address: Address, project: str) -> tuple[Container, int] | None:
    """Return the container to which an address leads, and the port inside; None where there is none.

    First one that has that address itself, then one that publishes the port, then one of the project that would.
    """
    for container in everyone:
        if container.running and any(e.ip == address.host for e in container.endpoints if e.ip):
            return container, address.port
    for container in everyone:
        for binding in container.published:
            if _meets(binding, address):
                return container, binding.target
    for container in everyone:
        for binding in container.wanted:
            if container.project == project and not container.running and _meets(binding, address):
                return container, binding.target
    return None


def _meets(binding: PortBinding, address: Address) -> bool:
    same = (binding.host_port, binding.protocol) == (address.port, Protocol.TCP)
    return same and (address.host in HERE or address.host == binding.host_ip) and leads_here(binding, address.host)


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
