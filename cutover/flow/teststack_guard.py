"""What a test stack may not do to those who serve: start or stop green, or run a job again over data that they use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from cutover.engine.belongings import belongings, users_of
from cutover.errors import RefusedError
from cutover.flow.session import Session
from cutover.flow.teststack_target import Target, bindings_of
from cutover.flow.teststack_words import again, composed
from cutover.model import Container

COMPLETED = "service_completed_successfully"
Model = Mapping[str, Any]


def needs_of(target: Target) -> list[str]:
    """Return all that the test service depends on, directly or not, each after what it needs itself."""
    found: list[str] = []

    def look_below(service: str) -> None:
        for name in sorted(target.model["services"][service].get("depends_on") or {}):
            if name in target.model["services"] and name not in found:  # else `required: false`
                look_below(name)
                found.append(name)

    look_below(target.service)
    return found


def see_harmless(session: Session, target: Target, *, run_jobs: bool) -> None:
    """See that starting what the test stack depends on starts neither green nor a job over data that others use.

    Raises:
        RefusedError: `green-not-running` or `job-would-run`.

    """
    containers = session.daemon.containers(session.name_project())
    needs = needs_of(target)
    _see_green(session, target, needs, containers)
    if not run_jobs:
        _see_jobs(session, target, needs, containers)


def serving(session: Session, containers: Iterable[Container], legacy: Iterable[int]) -> set[str]:
    """Return the services that are green: the one of that name, and those whose containers hold a legacy port."""
    green, ports = session.options.green or session.settings.green, set(legacy)
    holders = {c.service for c in containers if any(b.host_port in ports for b in c.published)}
    return holders | ({green} if green else set())


def green_of(session: Session, target: Target, containers: Iterable[Container]) -> set[str]:
    """Return the services that a test stack never starts: green, and all that publish a legacy port by the files."""
    base = {name: entry for name, entry in target.model["services"].items() if name != target.service}
    declared = {s for s, entry in base.items() if any(b.host_port in target.ports for b in bindings_of(entry))}
    return declared | serving(session, containers, target.ports)


def _see_green(session: Session, target: Target, needs: list[str], containers: list[Container]) -> None:
    green = green_of(session, target, containers)
    for name in needs:
        if name in green and not any(c.running for c in containers if c.service == name):
            states = [f"{c.name}: {c.state}" for c in containers if c.service == name]
            raise RefusedError(
                "green-not-running",
                f"{target.service} depends on {name}, which serves the legacy ports and does not run: "
                "a test stack never starts it.",
                evidence=states or [f"{name} has no container"],
                hint=composed(session, f"up -d {name}"),
            )


# -- jobs ------------------------------------------------------------------------------------------------------------


def _see_jobs(session: Session, target: Target, needs: list[str], containers: list[Container]) -> None:
    """Refuse what harms; a job is what somebody waits for to complete, and one that did, or is at it, is not run."""
    services = target.model["services"]
    waited = (services[s].get("depends_on") or {} for s in (*needs, target.service))
    jobs = {name for terms in waited for name, how in terms.items() if how.get("condition") == COMPLETED}
    there = {c.service for c in containers if c.running or c.completed}
    running = {c.service for c in containers if c.running}
    reached = {job: list(_reached(session, target, job, running)) for job in needs if job in jobs - there}
    harmful = {job: what for job, what in reached.items() if what}
    if harmful:
        names = ", ".join(harmful)
        raise RefusedError(
            "job-would-run",
            f"{target.service} depends on {names} having completed: up would run it now, where others use what it "
            "can write.",
            evidence=[f"{job} {line}" for job, what in harmful.items() for line in what],
            hint=f"{again(session, target, '--run-jobs')} runs it; {composed(session, f'up {names}')} as well, and "
            "keeps its container, so that it counts as done",
        )


def _reached(session: Session, target: Target, job: str, running: set[str]) -> Iterator[str]:
    """Yield what a job can write that is not its own: volumes, folders, and services that run."""
    model, entry = target.model, target.model["services"][job]
    others = {name: of for name, of in model["services"].items() if name not in {job, target.service}}
    for mount in entry.get("volumes") or ():
        if not mount.get("read_only"):
            yield from _mount(session, model, job, mount, others)
    for source in entry.get("volumes_from") or ():
        if not source.endswith(":ro"):
            yield f"has the volumes of {source}"
    for name in sorted(running & set(entry.get("depends_on") or {})):
        yield f"is made to work on {name}, which runs"


def _mount(session: Session, model: Model, job: str, mount: Model, others: Model) -> Iterator[str]:
    if mount.get("type") == "bind":
        users = [name for name, entry in others.items() if _binds(entry, mount["source"])]
        if users:
            yield f"can write {mount['source']}: {', '.join(users)} mounts it too"
    name = volume_name(model, mount)
    if name is None or name not in belongings(session.daemon).volumes:
        return
    users = [service for service, entry in others.items() if _mounts(model, entry, name)]
    own = (session.name_project(), job)
    users += [container for container, of in users_of(session.daemon, name).items() if of != own]
    if users:
        yield f"can write volume {name}: {', '.join(users)} mounts it too"


def volume_name(model: Model, mount: Model) -> str | None:
    """Return the name of the volume behind a mount of the canonical model, None where it is anonymous or none."""
    volume = (model.get("volumes") or {}).get(mount.get("source")) or {}
    name = volume.get("name") if mount.get("type") == "volume" else None
    return str(name) if name else None


def _mounts(model: Model, entry: Model, volume: str) -> bool:
    return any(volume_name(model, mount) == volume for mount in entry.get("volumes") or ())


def _binds(entry: Model, source: str) -> bool:
    """Say whether a service mounts this folder of the host, one in it, or one that it is in."""
    path = PurePath(source)
    sources = (PurePath(m["source"]) for m in entry.get("volumes") or () if m.get("type") == "bind")
    return any(path.is_relative_to(other) or other.is_relative_to(path) for other in sources)
