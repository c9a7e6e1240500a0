"""A test stack on its way down: what is recorded and labelled as its own goes, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cutover.engine.belongings import discard, remove_unused_network, remove_volume, volumes_of
from cutover.events import Note
from cutover.flow.session import Session
from cutover.flow.teststack_record import Record, all_records, forget, read_record, write_record
from cutover.flow.teststack_start import shared
from cutover.model import TEST_OF_LABEL, Container

DEPENDS_ON = "com.docker.compose.depends_on"


@dataclass(frozen=True, slots=True)
class Removed:
    """What was taken away of one test stack, by name."""

    service: str
    containers: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Say whether there was nothing to take away."""
        return not (self.containers or self.volumes or self.networks)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "service": self.service,
            "containers": list(self.containers),
            "volumes": list(self.volumes),
            "networks": list(self.networks),
        }


@dataclass
class _Basket:
    containers: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)


def known_stacks(session: Session) -> list[str]:
    """Return the test stacks of the project: those on record, and those whose containers say so by their label."""
    containers = session.daemon.containers(session.name_project())
    labelled = {c.service for c in containers if TEST_OF_LABEL in c.labels}
    return sorted(labelled | {r.service for r in all_records(session)})


def take_down(session: Session, service: str) -> Removed:
    """Take one test stack away: its containers with their anonymous volumes, its own volumes and networks, and what it
    started for itself and nobody else needs. The record goes last, so that a crash in between is made good by the next.

    Raises:
        EngineError: the Engine does not answer, or refuses.

    """  # noqa: D205  (one obligation)
    record = read_record(session, service)
    basket = _Basket()
    with shared(session):
        project = session.name_project()
        own = [c for c in session.daemon.of_service(project, service) if record or TEST_OF_LABEL in c.labels]
        volumes = {v for c in own for v in volumes_of(session.daemon, c.id)} | set(record.volumes if record else ())
        _discard(session, own, basket)
        if record is not None:
            _release_dependencies(session, record, basket)
        basket.volumes += [
            v for v in sorted(volumes) if remove_volume(session.daemon, v, project=project, label=TEST_OF_LABEL)
        ]
        for network in record.networks if record else ():
            if remove_unused_network(session.daemon, network, project=project):
                basket.networks.append(network)
        if record is not None:
            _hand_over_networks(session, record, basket)
        forget(session, service)
    return Removed(service, tuple(basket.containers), tuple(basket.volumes), tuple(basket.networks))


def _discard(session: Session, containers: Iterable[Container], basket: _Basket) -> None:
    for container in containers:
        discard(session.daemon, container)
        basket.containers.append(container.name)


def _release_dependencies(session: Session, record: Record, basket: _Basket) -> None:
    """Stop what was started for this stack, last first; who is needed still is left to those who need it."""
    others = [r for r in all_records(session) if r.service != record.service]
    for service, existed in reversed(list(record.dependencies.items())):
        heir = next((r for r in others if service in r.needs), None)
        if heir is not None:
            write_record(session, heir.taking_over({service: existed}))
            others = [r if r.service != heir.service else heir.taking_over({service: existed}) for r in others]
            continue
        dependants = _dependants(session, service)
        if dependants:
            session.observer.tell(Note(f"{service} was started for {record.service} and stays: {dependants} needs it"))
            continue
        found = session.daemon.of_service(record.project, service)
        if existed:
            for container in found:
                session.daemon.stop(container)
        else:
            _discard(session, found, basket)


def _dependants(session: Session, service: str) -> str:
    """Return who runs and depends on a service, as Compose wrote on the containers (`redis:service_healthy:false`)."""
    names = {
        c.service
        for c in session.daemon.containers(session.name_project())
        if c.running and any(d.split(":")[0] == service for d in c.labels.get(DEPENDS_ON, "").split(","))
    }
    return ", ".join(sorted(names))


def _hand_over_networks(session: Session, record: Record, basket: _Basket) -> None:
    """Leave a network that other test stacks still use to one of them, for the last to remove."""
    left = [n for n in record.networks if n not in basket.networks]
    heir = next((r for r in all_records(session) if r.service != record.service), None)
    if left and heir is not None:
        write_record(session, heir.inheriting(left))
