"""The facts for a diagnosis of a test stack: what the doctor sees of it, and what its probes get at its test ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cutover.flow.doctor_facts import HURRY_S, Question, Ward, facts_of
from cutover.flow.ready import Place
from cutover.flow.session import Session
from cutover.model import Container, PortBinding
from cutover.ports.facts import Facts

TIMEOUT_S = 2.0


def gather(
    session: Session,
    container: Container,
    bindings: Sequence[PortBinding],
    places: Sequence[Place],
    *,
    speech_s: float = HURRY_S,
) -> Facts:
    """Return what can be seen of a container at this moment; every place is asked once more.

    `speech_s` is how long a port whose probe failed may take to say what it speaks, in seconds; 0: it is not asked.

    Raises:
        EngineError: the Engine does not answer.

    """
    now = session.daemon.container(container.id) or container
    leads = {b.host_port: b.target for b in bindings}
    questions = [Question(p.spec, p.host, p.port, leads.get(p.port, p.port)) for p in places]
    ward = Ward(session.daemon, session.clock, patience_s=TIMEOUT_S, speech_s=speech_s, thorough=False)
    return replace(facts_of(ward, now, questions), test_stack=True)
