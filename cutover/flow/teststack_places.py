"""Where the probes of cutover.yaml are put to a test stack: the same questions, at its test ports."""

from __future__ import annotations

from collections.abc import Collection

from cutover.events import Note
from cutover.flow.ready import Place
from cutover.flow.request import probes_of
from cutover.flow.session import Session
from cutover.flow.teststack_target import Target
from cutover.model import PortBinding, Protocol
from cutover.probes import ProbeSpec, parse
from cutover.validate.talk import Address

EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  (compared, not bound)
LOOPBACK = frozenset({"127.0.0.1", "::1"})


def places_of(session: Session, target: Target) -> tuple[Place, ...]:
    """Return where each probe is to ask, and a TCP connection to each test port for which there is none.

    What cannot be asked from here is told and left out: a probe of another port, or of an Engine whose test ports are
    bound to that machine's own loopback.
    """
    found = []
    asked = probes_of(session.options, session.settings)
    for spec in (*asked, *default_probes(target, {spec.port for spec in asked})):
        binding = target.ports.get(spec.port)
        if binding is None:
            session.observer.tell(Note(f"probe {spec} is not asked: {spec.port} is no port of {target.service}"))
        elif not session.daemon.address.local and binding.host_ip in LOOPBACK:
            where = session.daemon.address.host
            session.observer.tell(Note(f"probe {spec} is not asked: {binding} is bound to the loopback of {where}"))
        else:
            address = test_address(session, binding)
            found.append(Place(spec, address.host, address.port))
    return tuple(found)


def default_probes(target: Target, asked: Collection[int] = ()) -> tuple[ProbeSpec, ...]:
    """Return a TCP connection for each port that is not asked otherwise: the least that a service can be asked."""
    tcp = (legacy for legacy, binding in target.ports.items() if binding.protocol is Protocol.TCP)
    return tuple(parse(f"tcp://:{legacy}") for legacy in tcp if legacy not in asked)


def test_address(session: Session, binding: PortBinding) -> Address:
    """Return where a binding of a test stack answers from here."""
    every = binding.host_ip in EVERY_ADDRESS
    return Address(session.daemon.address.host if every else binding.host_ip, binding.host_port)
