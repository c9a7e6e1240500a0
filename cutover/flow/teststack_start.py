"""A test stack on its way up: what it depends on, its container, its ports. What is made is recorded before it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from filelock import FileLock, Timeout

from cutover.clock import Deadline
from cutover.engine.belongings import belongings
from cutover.engine.reservation import Taken, try_reservation
from cutover.errors import CutoverError, EngineError, LockHeldError, ProbeError, RefusedError
from cutover.flow.lock import PRIVATE
from cutover.flow.runs import state_folder
from cutover.flow.session import Session
from cutover.flow.signals import postponed
from cutover.flow.teststack_guard import green_of, needs_of, volume_name
from cutover.flow.teststack_record import Dependency, Record, read_record, write_record
from cutover.flow.teststack_target import Target
from cutover.flow.teststack_words import again, composed
from cutover.model import Container, Health
from cutover.ports.allocate import FreePorts, hold

SHARED_TIMEOUT_S = 120.0
POLL_S = 0.2
LOG_LINES = 8


class PortGoneError(EngineError):
    """Somebody took a test port between its release and Docker's bind; nothing was started."""


def see_image(session: Session, target: Target) -> None:
    """See that the image is here: a test stack builds and pulls nothing.

    Raises:
        RefusedError: it is not.

    """
    if session.daemon.image_id(target.image) is None:
        raise RefusedError(
            "image-missing",
            f"The image {target.image} of {target.service} is not on this Engine.",
            evidence=[f"file: {target.file}"],
            hint=_to_have_image(session, target),
        )


def _to_have_image(session: Session, target: Target) -> str:
    """Return the command that gives this very image: building blue helps only where it is blue's."""
    of = target.model["services"].get(target.of, {})
    if target.image == (of.get("image") or f"{target.model['name']}-{target.of}"):
        return composed(session, f"{'build' if 'build' in of else 'pull'} {target.of}")
    if "build" in target.entry:
        return composed(session, f"build {target.service}", *target.stack.source.files)
    return f"docker pull {target.image}"


def see_gpu(session: Session, target: Target) -> None:
    """See that the Engine takes the GPU reservation, by trying it with a container that runs nothing.

    Raises:
        RefusedError: it does not.

    """
    runtime = target.entry.get("runtime")
    if not target.devices and runtime != "nvidia":
        return
    trial = try_reservation(session.daemon, target.image, target.devices, runtime)
    if trial.taken is Taken.ACCEPTED:
        return
    words = "has no NVIDIA runtime" if trial.taken is Taken.NO_RUNTIME else "does not grant it"
    raise RefusedError(
        "no-gpu-runtime" if trial.taken is Taken.NO_RUNTIME else "gpu-refused",
        f"{target.service} reserves a GPU, and this Engine {words}.",
        evidence=[*(f"reserved: {d}" for d in target.devices), f"Engine: {trial.words}"],
        hint=again(session, target, "--no-gpu"),
    )


def reserved(session: Session, target: Target) -> FreePorts | None:
    """Return the test ports, held; None where the Engine is on another machine.

    Raises:
        RefusedError: somebody has one of them.

    """
    if not session.daemon.address.local:
        return None
    try:
        return hold(target.bindings, containers=session.daemon.containers())
    except RefusedError as error:
        hint = f"{_other_ports(session, target)} chooses other ports; or change them in {target.file}"
        raise RefusedError(error.reference, error.message, evidence=error.evidence, hint=hint) from error


def start(session: Session, target: Target, held: FreePorts | None) -> Container:
    """Start what the test stack depends on and does not run, then its container, and see that it has its ports.

    Raises:
        PortGoneError: a port was taken meanwhile.
        EngineError: Compose or the Engine refuses.
        ProbeError: a dependency does not get where it has to.

    """
    needs = needs_of(target)
    with shared(session), postponed():
        record = _record(session, target, needs)
        write_record(session, record)
    for service in needs:
        if service in record.dependencies:
            _wait_for_conditions(session, target, service)
            with shared(session), postponed():
                _start_dependency(session, target, service)
    _wait_for_conditions(session, target, target.service)
    with shared(session), postponed():
        target.stack.create(target.service, force=True)
        _see_volumes(session, target)
    container = _container(session, target)
    if held is not None:
        held.release()
    _start(session, target, container)
    return _with_ports(session, target, container)


@contextmanager
def shared(session: Session) -> Iterator[None]:
    """Hold what the test stacks of a project share, networks and dependencies, for a moment.

    Raises:
        LockHeldError: another test stack did not let go of it for two minutes.

    """
    runs = session.runs()
    state_folder(runs.state)
    lock = FileLock(runs.state / f"{runs.folder.name}.tests.lock", mode=PRIVATE)
    try:
        lock.acquire(timeout=SHARED_TIMEOUT_S)
    except Timeout as error:
        raise LockHeldError(
            "lock-held",
            f"Another test stack of project {runs.folder.name} is being started, for {SHARED_TIMEOUT_S:.0f} s already.",
            evidence=[lock.lock_file],
            hint="wait for it, or interrupt it",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _record(session: Session, target: Target, needs: list[str]) -> Record:
    project = session.name_project()
    there = belongings(session.daemon)
    green = green_of(session, target, session.daemon.containers(project))  # it may have stopped since it was seen
    of = {service: session.daemon.of_service(project, service) for service in needs if service not in green}
    missing = {service: bool(found) for service, found in of.items() if not _is_there(found)}
    made = [target.service, *missing]
    return Record(
        service=target.service,
        of=target.of,
        project=project,
        file=str(target.file),
        started_at=session.clock.now().isoformat(timespec="seconds"),
        ports={str(legacy): str(binding) for legacy, binding in target.ports.items()},
        networks=tuple(sorted(set(_networks(target.model, made)) - there.networks)),
        volumes=dict.fromkeys(sorted(set(_volumes(target.model, made)) - there.volumes.keys()), ""),
        needs=tuple(needs),
        dependencies={service: Dependency(existed) for service, existed in missing.items()},
    )


def _start_dependency(session: Session, target: Target, service: str) -> None:
    """Start it, and write down which containers that made or started; if it runs by now, it is somebody else's."""
    project = session.name_project()
    record = read_record(session, target.service)
    if record is None:
        raise EngineError("record-gone", f"The record of {target.service} was removed while it was started.")
    dependency = record.dependencies[service]
    found = session.daemon.of_service(project, service)
    if _is_there(found):
        if not any(map(dependency.is_own, found)):
            write_record(session, record.knowing(service, None))
        return
    dependency = replace(dependency, begun_at=session.clock.now().isoformat())
    write_record(session, record.knowing(service, dependency))
    target.stack.start_only(service)
    started = {c.id: c.started_at for c in session.daemon.of_service(project, service)}
    write_record(session, record.knowing(service, replace(dependency, containers=started)))
    _see_volumes(session, target)


def _see_volumes(session: Session, target: Target) -> None:
    """Write down when the volumes that were made were created: one of the same name may be made by others later."""
    record = read_record(session, target.service)
    if record is not None and not all(record.volumes.values()):
        write_record(session, record.seeing(belongings(session.daemon).volumes))


def _is_there(found: list[Container]) -> bool:
    return any(c.running or c.completed for c in found)


def _networks(model: Mapping[str, Any], services: list[str]) -> Iterator[str]:
    for service in services:
        for key in model["services"][service].get("networks") or {}:
            network = (model.get("networks") or {}).get(key) or {}
            if not network.get("external"):
                yield str(network.get("name") or f"{model['name']}_{key}")


def _volumes(model: Mapping[str, Any], services: list[str]) -> Iterator[str]:
    for service in services:
        for mount in model["services"][service].get("volumes") or ():
            name = volume_name(model, mount)
            if name is not None and not model["volumes"][mount["source"]].get("external"):
                yield name


def _wait_for_conditions(session: Session, target: Target, service: str) -> None:
    """Wait until what a service depends on is what its `depends_on` asks for."""
    deadline = Deadline(session.settings.ready_timeout_s, session.clock)
    for name, terms in sorted((target.model["services"][service].get("depends_on") or {}).items()):
        if name not in target.model["services"]:
            continue
        condition = terms.get("condition") or "service_started"
        while not _holds(session, target, name, condition):
            if deadline.passed:
                raise _dependency_failed(session, target, name, f"is not {condition} after {deadline.seconds:.0f} s")
            session.clock.sleep(POLL_S)


def _holds(session: Session, target: Target, name: str, condition: str) -> bool:
    found = session.daemon.of_service(session.name_project(), name)
    if condition == "service_completed_successfully":
        if found and found[0].exit_code and not found[0].running:
            raise _dependency_failed(session, target, name, f"ended with code {found[0].exit_code}")
        return any(c.completed for c in found)
    if not any(c.running or c.completed for c in found):
        raise _dependency_failed(session, target, name, "does not run")
    return condition != "service_healthy" or any(c.health in {Health.HEALTHY, Health.NONE} for c in found)


def _dependency_failed(session: Session, target: Target, name: str, what: str) -> ProbeError:
    found = session.daemon.of_service(session.name_project(), name)
    log = session.daemon.logs(found[0].id, tail=LOG_LINES) if found else []
    return ProbeError(
        "dependency-failed",
        f"{target.service} depends on {name}, which {what}.",
        evidence=[*(f"{c.name}: {c.state}, health {c.health}" for c in found), *(f"log: {x}" for x in log)],
        hint=f"docker compose up -d {name}",
    )


def _container(session: Session, target: Target) -> Container:
    found = session.daemon.of_service(session.name_project(), target.service)
    if not found:
        raise EngineError(
            "not-created", f"Compose created no container of {target.service}.", hint="docker compose ps -a"
        )
    return found[0]


def _start(session: Session, target: Target, container: Container) -> None:
    try:
        with postponed():
            session.daemon.start(container.id)
    except EngineError as error:
        taken = _who_has(session, target, container)
        if taken is not None:
            raise PortGoneError(
                taken.reference,
                f"{taken.message} It was taken just before Docker could bind it.",
                evidence=[*taken.evidence, *error.evidence],
                hint=_other_ports(session, target),
            ) from error
        raise EngineError(
            "start-failed",
            f"{container.name} does not start: {error.message}",
            evidence=[*error.evidence, *(f"log: {x}" for x in session.daemon.logs(container.id, tail=LOG_LINES))],
            hint=f"{again(session, target, '--keep')}, then docker inspect {container.name}",
        ) from error


def _other_ports(session: Session, target: Target) -> str:
    return session.spoken(f"override {target.of} --name {target.service} --force")


def _who_has(session: Session, target: Target, container: Container) -> CutoverError | None:
    """Return who stands on a test port, None where nobody does: Docker's own words are no ground to decide on."""
    if not session.daemon.address.local:
        return None
    others = [c for c in session.daemon.containers() if c.id != container.id]
    for binding in target.bindings:
        try:
            hold([binding], containers=others, names=False).close()
        except RefusedError as error:
            return error
    return None


def _with_ports(session: Session, target: Target, container: Container) -> Container:
    now = session.daemon.container(container.id)
    if now is None:
        raise EngineError("container-gone", f"{container.name} was removed while it started.")
    if now.running and not set(target.bindings) <= set(now.published):
        raise EngineError(
            "not-published",
            f"{now.name} runs without its test ports.",
            evidence=[f"wanted: {', '.join(map(str, target.bindings))}", f"has: {', '.join(map(str, now.published))}"],
            hint="cutover ports",
        )
    return now
