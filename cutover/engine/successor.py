"""A second container of a service beside the one that runs: what a swap of one service starts, proves and keeps.

    new = create_successor(daemon, stack, "web")          # the old one is not touched
    daemon.start(new.id)                                  # prove it, switch to it
    daemon.stop(old); remove_keeping_volumes(daemon, old)
    finish_successor(daemon, old, new, name)              # new gets the name that Compose expects

Afterwards `docker compose up -d --dry-run` has nothing to do: Compose itself made the container that is copied here
(`successor_compose`), and the copy has the old one's number, so that it is as if Compose had recreated the service.

Both containers answer to the service's name on its networks while both run: peers that open a connection by that name
reach either. The new one has no alias of its final name before it has that name: a peer that asks for the old
container by name gets no other.

**Anonymous volumes** (an image's `VOLUME`, `- /data` without a name) are not shared: the new container begins with
empty ones, as two containers that write to one database file at once would ruin it. Compose would hand them on, as it
stops the old container first. `share_anonymous=True` mounts those of the old one in the new one, as it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cutover.engine.daemon import Daemon
from cutover.engine.stack import ProjectFiles, Stack
from cutover.engine.successor_compose import hash_without_name, make_second, would_do
from cutover.engine.successor_files import inject, injected_files
from cutover.engine.successor_rules import expected_name, see_successor
from cutover.engine.successor_spec import (
    Spec,
    anonymous_volumes,
    clone_spec,
    create_from_spec,
    remove_keeping_volumes,
    spec_from,
)
from cutover.engine.translate import translated
from cutover.errors import EngineError, RefusedError
from cutover.model import Container, ContainerState, Finding, Severity

__all__ = [
    "clone_spec",
    "create_from_spec",
    "create_successor",
    "expected_name",
    "final_name",
    "finish_successor",
    "injected_paths",
    "remove_keeping_volumes",
    "see_successor",
    "successor_name",
    "volume_findings",
    "would_do",
]

NEXT = "-next"
_LABEL = "com.docker.compose"
_FIRST = "1"


def final_name(model: Mapping[str, Any], service: str, old: Container) -> str:
    """Return the name that Compose expects of the container that comes after `old`."""
    return expected_name(model, service, old.labels.get(f"{_LABEL}.container-number", _FIRST))


def successor_name(name: str) -> str:
    """Return what a container is called before it gets its final `name`."""
    return name + NEXT


def volume_findings(daemon: Daemon, old: Container) -> tuple[Finding, ...]:
    """Return what is to be known of the old container's anonymous volumes, which its successor does not get."""
    with translated(f"Reading container {old.name}"):
        found = anonymous_volumes(daemon, daemon.api.inspect_container(old.id))
    if not found:
        return ()
    return (
        Finding(
            "volume-not-shared",
            Severity.WARNING,
            f"{old.service} keeps {', '.join(sorted(found))} in nameless volumes: the new container begins empty.",
            tuple(f"{path}: {name}" for path, name in sorted(found.items())),
            "give the volume a name in the compose file if its data matters",
        ),
    )


def create_successor(
    daemon: Daemon,
    stack: Stack,
    service: str,
    *,
    files: ProjectFiles | None = None,
    alone: bool = False,
    share_anonymous: bool = False,
) -> Container:
    """Create a second container of a service from the current files, and do not start it.

    `stack` may read candidates; `files` are then the project's real ones, which the container's labels name. The one
    that runs is not touched. What an earlier attempt left, and never ran, is removed first. `alone`: the one that runs
    stops before this one starts.

    Raises:
        RefusedError: it cannot run beside the first one (`see_successor`), or an earlier successor still runs.
        EngineError: Compose or the Engine refused.

    """
    model = stack.config()
    before = _without_remains(daemon, model, service)
    see_successor(model, service, before, alone=alone)
    (old,) = before
    with_files = injected_files(model, service, stack.environment() if _injects(model, service) else {})
    spec = _spec(daemon, stack, model, old)
    spec["config"]["Labels"] |= _labels(model, service, old, files or stack.source)
    if share_anonymous:
        spec["volumes"] = clone_spec(daemon, old.id)["volumes"]
    new = create_from_spec(daemon, spec, successor_name(final_name(model, service, old)))
    try:
        inject(daemon, new.id, with_files)
    except BaseException:
        daemon.remove(new)
        raise
    return new


def injected_paths(
    daemon: Daemon, old: Container, model: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[str, ...]:
    """Return which files of a container are neither in its image nor mounted, of those that the files copy into it.

    Raises:
        EngineError: it is gone.
        RefusedError: `secret-unset`.

    """
    wanted = injected_files(model, old.service, environment) if _injects(model, old.service) else ()
    if not wanted:
        return ()
    with translated(f"Reading what changed in {old.name}"):
        changed = {str(entry["Path"]) for entry in daemon.api.diff(old.id) or ()}
    return tuple(file.path for file in wanted if file.path in changed)


def finish_successor(daemon: Daemon, old: Container, new: Container, name: str) -> Container:
    """Give `new` the name that Compose expects; `old`, where it still has that name, steps aside. Nothing is removed.

    With the two exchanged it takes itself back. It may be repeated.

    Raises:
        RefusedError: another container has the name.
        EngineError: the new one is gone.

    """
    holder = daemon.container(name)
    if holder is not None and holder.name == name and holder.id != new.id:
        if holder.id != old.id:
            raise RefusedError(
                "name-taken",
                f"{new.name} cannot be called {name}: another container is.",
                evidence=[f"{name} is {holder.id[:12]} ({holder.state})"],
                hint=f"docker rename {name} SOMETHING-ELSE",
            )
        daemon.rename(old.id, aside_name(old, name))
    now = daemon.container(new.id)
    if now is None:
        raise EngineError("not-found", f"The new container {new.name} is gone.")
    if now.name != name:
        daemon.rename(new.id, name)
    return daemon.container(new.id) or now


def aside_name(old: Container, name: str) -> str:
    """Return what a container is called that had `name` and had to step aside (as Compose calls those it replaces)."""
    return f"{old.id[:12]}_{name}"


def _without_remains(daemon: Daemon, model: Mapping[str, Any], service: str) -> list[Container]:
    """Return the containers of the service, those that an earlier attempt left and that never ran removed."""
    found = daemon.of_service(str(model["name"]), service)
    kept = [c for c in found if c.state is not ContainerState.CREATED]
    for container in kept:
        if container.name.endswith(NEXT):
            raise RefusedError(
                "successor-exists",
                f"A new container of {service!r} is there already: {container.name} ({container.state}).",
                hint=f"cutover recover; where that knows of nothing, docker rm -f {container.name}",
            )
    if len(kept) != 1:
        return found
    for container in found:
        if container not in kept:
            daemon.remove(container)
    return kept


def _spec(daemon: Daemon, stack: Stack, model: Mapping[str, Any], old: Container) -> Spec:
    """Have Compose create the container, and return what it made; nothing of that is left."""
    service = old.service
    made: list[Container] = []
    try:
        known = make_second(stack, model, service)
        made = _others(daemon, model, old)
        if len(made) != 1:
            raise EngineError("compose-failed", f"docker compose created {len(made)} new containers of {service!r}.")
        with translated(f"Reading container {made[0].name}"):
            details = daemon.api.inspect_container(made[0].id)
        spec = spec_from(details)
        if known:
            _see_hash(stack, model, service, spec)
            spec["config"]["Labels"][f"{_LABEL}.config-hash"] = known
    finally:
        for container in made or _others(daemon, model, old):
            daemon.remove(container)
    for _, endpoint in spec["networks"]:
        endpoint["Aliases"] = [a for a in endpoint.get("Aliases") or () if a != made[0].name]
    return spec


def _others(daemon: Daemon, model: Mapping[str, Any], old: Container) -> list[Container]:
    return [c for c in daemon.of_service(str(model["name"]), old.service) if c.id != old.id]


def _see_hash(stack: Stack, model: Mapping[str, Any], service: str, spec: Spec) -> None:
    """See that a hash as it is worked out here is what this Compose writes on its containers."""
    if hash_without_name(stack, model, service) != spec["config"]["Labels"][f"{_LABEL}.config-hash"]:
        raise RefusedError(
            "successor-hash",
            f"This Docker Compose does not tell under which hash it will know the container of {service!r}.",
            hint=f"remove container_name from {service!r}, or cutover swap --strategy recreate",
        )


def _labels(model: Mapping[str, Any], service: str, old: Container, files: ProjectFiles) -> dict[str, str]:
    """Return Compose's labels that are to be other than those of the container that Compose made for us."""
    needs = model["services"][service].get("depends_on") or {}
    needed = (
        f"{name}:{need.get('condition', 'service_started')}:{str(bool(need.get('restart'))).lower()}"
        for name, need in needs.items()
    )
    return {
        f"{_LABEL}.container-number": old.labels.get(f"{_LABEL}.container-number", _FIRST),
        f"{_LABEL}.depends_on": ",".join(needed),
        f"{_LABEL}.project.config_files": ",".join(str(Path(f).absolute()) for f in files.files),
        f"{_LABEL}.project.working_dir": str(files.folder.absolute()),
    }


def _injects(model: Mapping[str, Any], service: str) -> bool:
    definition = model["services"][service]
    return bool(definition.get("configs") or definition.get("secrets"))
