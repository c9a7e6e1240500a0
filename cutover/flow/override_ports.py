"""The ports of a test stack: which are to be tried, and on which free ports of the host."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cutover.document.override import (
    OverrideRequest,
    Service,
    TestPort,
    WantedPort,
    asked,
    joined,
    numbers_inside,
    ports_in,
    ports_of,
    published_by,
    refuse_portless,
    see_network,
    with_mapping,
)
from cutover.errors import RefusedError
from cutover.flow.override_origin import Subject
from cutover.flow.override_world import World
from cutover.flow.request import PortRequest
from cutover.flow.session import Session
from cutover.model import Container, PortBinding, Protocol
from cutover.ports.allocate import FreePorts, allocate, hold

MOST = 64
"""A range of media ports may have thousands; each test port is held by five sockets."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The ports to try; `mapping` says which legacy ports go to test ports that the user named."""

    ports: tuple[WantedPort, ...]
    mapping: dict[int, int]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def wanted_ports(session: Session, world: World, subject: Subject, request: OverrideRequest) -> Wanted:
    """Return the ports to try: those of `cutover.yaml` or of green, and the service's own.

    A service that is not the one to replace green, and has ports of its own, is tried on these alone; a note says so.

    Raises:
        UsageError: a mapping makes no sense.
        RefusedError: there is no port, or the service has no network of its own.

    """
    origin = {} if subject.from_image else world.services[subject.origin]
    see_network(origin, subject.origin)
    own, legacy = ports_of(origin), _legacy_ports(session, world, subject, origin)
    left = legacy if own and not subject.as_blue else []
    ports, warnings = joined([] if left else legacy, own)
    ports, mapping = with_mapping(ports, request, numbers_inside(origin), subject.origin)
    if not ports:
        raise refuse_portless(subject.origin)
    kept = set(list(dict.fromkeys(p.legacy for p in ports))[:MOST]) | set(mapping)
    if len(kept) < len({p.legacy for p in ports}):
        warnings.append(f"it publishes {len({p.legacy for p in ports})} ports: only the first {MOST} are tried")
    notes = [_not_for_green(subject)] if left else []
    return Wanted(tuple(p for p in ports if p.legacy in kept), mapping, tuple(warnings), tuple(notes))


def choose_ports(
    world: World, subject: Subject, wanted: Wanted, previous: str | None
) -> tuple[tuple[TestPort, ...], FreePorts]:
    """Choose a test port for each legacy port and hold it: the one that was named, the one it had, or a free one.

    `previous` is the override file as it was written before. What the test stack itself has now counts as free.

    Raises:
        RefusedError: a port that was named is taken, or no port is free.

    """
    own = [c for c in world.containers if c.project == world.project and c.service == subject.name]
    others = [c for c in world.containers if c not in own]
    chooser = _Chooser(world, subject, others, {b.host_port for c in own for b in c.published})
    had = ports_in(previous) if previous else {}
    with contextlib.ExitStack() as undo:
        undo.callback(chooser.close)
        for legacy, new in wanted.mapping.items():
            chooser.take_named(legacy, new)
        for port in wanted.ports:
            if port.legacy not in chooser.chosen:
                chooser.take_any(port.legacy, had)
        undo.pop_all()
    ports = tuple(
        TestPort(p.legacy, chooser.chosen[p.legacy], p.target, p.protocol, origin_target=p.target) for p in wanted.ports
    )
    return ports, chooser.together()


class _Chooser:
    """Collects test ports and what holds them."""

    def __init__(self, world: World, subject: Subject, others: Sequence[Container], own: set[int]) -> None:
        self.chosen: dict[int, int] = {}
        self._subject = subject
        self._others = others
        self._own = own
        declared = {
            port: f"service {name} wants it" for name, s in world.services.items() for port in published_by([s])
        }
        self._taken = {**world.avoided, **declared}
        self._held: list[FreePorts] = []

    def take_named(self, legacy: int, new: int) -> None:
        """Take the port that the user named for a legacy port."""
        if new in self._taken:
            raise RefusedError(
                "port-taken",
                f"Port {new} cannot be the test port of {legacy}.",
                evidence=[f"{new}: {self._taken[new]}"],
                hint="name another one, or leave --map away and let a free port be found",
            )
        if new not in self._own:
            self._held.append(hold([new], containers=self._others))
        self.chosen[legacy] = new

    def take_any(self, legacy: int, before: Mapping[int, int]) -> None:
        """Take the port that a legacy port had before, or a free one that no other had."""
        had, taken = before.get(legacy), {*self._taken, *self.chosen.values()}
        if had is not None and had in self._own and had not in taken:
            self.chosen[legacy] = had
            return
        again = self._again(had) if had is not None and had not in taken else None
        found = again or allocate(1, containers=self._others, taken={*taken, *before.values()})
        self._held.append(found)
        self.chosen[legacy] = found.ports[0]

    def _again(self, port: int) -> FreePorts | None:
        """Hold a port that the file had before, if it is still free."""
        wanted = any(b.host_port == port for c in self._others for b in (*c.published, *c.wanted))
        try:
            both = [PortBinding("", port, port, protocol) for protocol in (Protocol.TCP, Protocol.UDP)]
            return None if wanted else hold(both, containers=self._others)
        except RefusedError:
            return None

    def close(self) -> None:
        """Let go of everything."""
        for held in self._held:
            held.close()

    def together(self) -> FreePorts:
        """Return all ports as one, those that the running test stack has included."""
        held, named = contextlib.ExitStack(), contextlib.ExitStack()
        for ports in self._held:
            held.callback(ports.release)
            named.callback(ports.close)
        return FreePorts(list(self.chosen.values()), held, named)


def _legacy_ports(session: Session, world: World, subject: Subject, origin: Service) -> list[WantedPort]:
    """Return the ports that are to change hands: those that `cutover.yaml` names, else all of green's."""
    green = _green_ports(world, subject)
    named = [PortRequest.parse(p) for p in session.options.ports or session.settings.ports]
    return asked([(n.host_port, n.blue_target) for n in named], origin, green) if named else green


def _not_for_green(subject: Subject) -> str:
    how = f"; --green {subject.green} tries those of {subject.green}" if subject.green else ""
    return f"{subject.origin} is not `blue:` of cutover.yaml, so it is tried on its own ports{how}"


def _green_ports(world: World, subject: Subject) -> list[WantedPort]:
    """Return what green publishes, by its file, or by its containers where the file has it no more."""
    if subject.green is None:
        return []
    declared = ports_of(world.services[subject.green])
    return declared or list(_bound(world.containers, world.project, subject.green))


def _bound(containers: Iterable[Container], project: str, service: str) -> list[WantedPort]:
    mine = [c for c in containers if (c.project, c.service) == (project, service)]
    bindings = [b for c in mine for b in (*c.published, *c.wanted)]
    return list(dict.fromkeys(WantedPort(b.host_port, b.target, b.protocol) for b in sorted(bindings)))
