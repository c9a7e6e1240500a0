"""A test stack on its way down: what is recorded and labelled as its own goes, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from cutover.engine.belongings import discard, remove_unused_network, remove_volume, volumes_of
from cutover.events import Note
from cutover.flow.session import Session
from cutover.flow.teststack_record import Record, all_records, forget, read_record, write_record
from cutover.flow.teststack_start import shared
from cutover.model import TEST_OF_LABEL, Container

DEPENDS_ON = "com.docker.compose.depends_on"


def known_stacks(session: Session) -> list[str]:
    """Return the test stacks of the project: those on record, and those whose containers say so by their label."""
    containers = session.daemon.containers(session.name_project())
    labelled = {c.service for c in containers if TEST_OF_LABEL in c.labels}
    return sorted(labelled | {r.service for r in all_records(session)})


def take_down(session: Session, service: str) -> list[str]:
    """Take one test stack away and say what was: `container shop-suite_test-1`, `volume ...`, `network ...`.

    That is its containers with their anonymous volumes, its own volumes and networks, and what it started for itself
    and nobody else needs. The record goes last, so that a crash in between is made good by the next call.

    Raises:
        EngineError: the Engine does not answer, or refuses.

    """
    record = read_record(session, service)
    removed: list[str] = []
    with shared(session):
        project = session.name_project()
        own = [c for c in session.daemon.of_service(project, service) if record or TEST_OF_LABEL in c.labels]
        volumes = {v for c in own for v in volumes_of(session.daemon, c.id)} | set(record.volumes if record else ())
        removed += _discarded(session, own)
        if record is not None:
            removed += _release_dependencies(session, record)
        for volume in sorted(volumes):
            if remove_volume(session.daemon, volume, project=project, label=TEST_OF_LABEL):
                removed.append(f"volume {volume}")
        if record is not None:
            removed += _remove_networks(session, record)
        forget(session, service)
    return removed


def _discarded(session: Session, containers: Iterable[Container]) -> list[str]:
    gone = []
    for container in containers:
        discard(session.daemon, container)
        gone.append(f"container {container.name}")
    return gone


def _release_dependencies(session: Session, record: Record) -> list[str]:
    """Stop what was started for this stack, last first; who is needed still is left to those who need it."""
    removed = []
    for service, existed in reversed(list(record.dependencies.items())):
        heir = next((r for r in _others(session, record) if service in r.needs), None)
        dependants = _dependants(session, service)
        if heir is not None:
            write_record(session, heir.taking_over({service: existed}))
        elif dependants:
            session.observer.tell(Note(f"{service} was started for {record.service} and stays: {dependants} needs it"))
        elif existed:
            for container in session.daemon.of_service(record.project, service):
                session.daemon.stop(container)
        else:
            removed += _discarded(session, session.daemon.of_service(record.project, service))
    return removed


def _others(session: Session, record: Record) -> list[Record]:
    return [r for r in all_records(session) if r.service != record.service]


def _dependants(session: Session, service: str) -> str:
    """Return who runs and depends on a service, as Compose wrote on the containers (`redis:service_healthy:false`)."""
    names = {
        c.service
        for c in session.daemon.containers(session.name_project())
        if c.running and any(d.split(":")[0] == service for d in c.labels.get(DEPENDS_ON, "").split(","))
    }
    return ", ".join(sorted(names))


def _remove_networks(session: Session, record: Record) -> list[str]:
    """Remove the networks that were made for it; one that is used still is left to another test stack to remove."""
    left: list[str] = []
    removed: list[str] = []
    for network in record.networks:
        gone = remove_unused_network(session.daemon, network, project=record.project)
        (removed if gone else left).append(network)
    heir = next(iter(_others(session, record)), None)
    if left and heir is not None:
        write_record(session, heir.inheriting(left))
    return [f"network {network}" for network in removed]
