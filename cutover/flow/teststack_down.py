"""A test stack on its way down: what is recorded and labelled as its own goes, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cutover.engine.belongings import discard, remove_unused_network, remove_volume, volumes_of
from cutover.events import Note
from cutover.flow.session import Session
from cutover.flow.teststack_guard import serving
from cutover.flow.teststack_record import (
    Dependency,
    Record,
    all_records,
    forget,
    is_damaged,
    read_record,
    recorded,
    write_record,
)
from cutover.flow.teststack_start import shared
from cutover.model import TEST_OF_LABEL, Container

DEPENDS_ON = "com.docker.compose.depends_on"
LOOKS = 3


def known_stacks(session: Session) -> list[str]:
    """Return the test stacks of the project: those on record, and those whose containers say so by their label."""
    containers = session.daemon.containers(session.name_project())
    labelled = {c.service for c in containers if TEST_OF_LABEL in c.labels}
    return sorted(labelled | set(recorded(session)))


def take_down(session: Session, service: str) -> list[str]:
    """Take one test stack away and say what was: `container shop-suite_test-1`, `volume ...`, `network ...`.

    That is its containers with their anonymous volumes, its own volumes and networks, and what it started for itself
    and nobody else needs. The record goes last, so that a crash in between is made good by the next call. Where it is
    damaged, only what carries the label is known to belong to it.

    Raises:
        EngineError: the Engine does not answer, or refuses.

    """
    record = read_record(session, service)
    removed: list[str] = []
    with shared(session):
        project = session.name_project()
        volumes: set[str] = set()
        for _ in range(LOOKS):  # a Compose that outlived the `up` that was killed may be creating one at this moment
            own = [c for c in session.daemon.of_service(project, service) if TEST_OF_LABEL in c.labels]
            volumes |= {v for c in own for v in volumes_of(session.daemon, c.id)}
            removed += _discarded(session, own)
            if not own:
                break
        if record is not None:
            removed += _release_dependencies(session, record)
        elif is_damaged(session, service):
            session.observer.tell(Note(f"the record of {service} cannot be read: only what has its label is removed"))
        removed += _remove_volumes(session, project, volumes, record)
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
    for service, dependency in reversed(list(record.dependencies.items())):
        own = _own(session, record, service, dependency)
        heir = next((r for r in _others(session, record) if service in r.needs), None)
        dependants = _dependants(session, service)
        if not own:
            continue
        if heir is not None:
            write_record(session, heir.knowing(service, dependency))
        elif dependants:
            session.observer.tell(Note(f"{service} was started for {record.service} and stays: {dependants} needs it"))
        elif dependency.existed:
            for container in own:
                session.daemon.stop(container)
        else:
            removed += _discarded(session, own)
    return removed


def _own(session: Session, record: Record, service: str, dependency: Dependency) -> list[Container]:
    """Return the containers of a dependency that this very stack started, and say of others why they stay.

    What answers on a legacy port is green, however it came to that.
    """
    own = []
    serves = serving(session, session.daemon.containers(record.project), map(int, record.ports))
    for container in session.daemon.of_service(record.project, service):
        if service in serves and container.running:
            session.observer.tell(Note(f"{container.name} stays: it answers on the legacy ports"))
        elif dependency.is_own(container):
            own.append(container)
        elif container.running:
            session.observer.tell(Note(f"{container.name} stays: it is not what was started for {record.service}"))
    return own


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


def _remove_volumes(session: Session, project: str, mounted: Iterable[str], record: Record | None) -> list[str]:
    """Remove its own volumes, and those that were not there before it; what is in use is left to another stack."""
    made = record.volumes if record else {}
    removed = []
    left: dict[str, str] = {}
    for volume in sorted({*mounted, *made}):

        def may(labels: Mapping[str, str], created_at: str, volume: str = volume) -> bool:
            return TEST_OF_LABEL in labels or (record is not None and record.made(volume, created_at))

        if remove_volume(session.daemon, volume, project=project, may=may):
            removed.append(f"volume {volume}")
        elif made.get(volume):
            left[volume] = made[volume]
    heir = next(iter(_others(session, record)), None) if record else None
    if left and heir is not None:
        write_record(session, heir.inheriting(volumes=left))
    return removed


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
