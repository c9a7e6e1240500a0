"""What belongs to a container and would outlive it: volumes and networks; and how all of it is taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import docker.errors

from cutover.engine.daemon import Daemon
from cutover.engine.translate import translated
from cutover.model import Container

LONGEST_STOP_S = 10
"""A test stack serves nobody: whoever needs longer to stop is killed."""


@dataclass(frozen=True, slots=True)
class Belongings:
    """The names of all networks and volumes that an Engine has, volumes with the time of their creation."""

    networks: frozenset[str]
    volumes: Mapping[str, str]


def belongings(daemon: Daemon) -> Belongings:
    """Return the names of the networks and volumes that there are."""
    with translated("Listing networks and volumes"):
        networks = daemon.api.networks()
        volumes = daemon.api.volumes()["Volumes"] or ()
    return Belongings(frozenset(n["Name"] for n in networks), {v["Name"]: v.get("CreatedAt") or "" for v in volumes})


def volumes_of(daemon: Daemon, container_id: str) -> list[str]:
    """Return the volumes that a container mounts, anonymous ones included; none where it is gone."""
    with translated(f"Inspecting container {container_id[:12]}"):
        try:
            details = daemon.api.inspect_container(container_id)
        except docker.errors.NotFound:
            return []
    return [m["Name"] for m in details.get("Mounts") or () if m.get("Type") == "volume" and m.get("Name")]


def users_of(daemon: Daemon, volume: str) -> dict[str, tuple[str, str]]:
    """Return the containers that mount a volume, running or not: name -> Compose project and service, or ""."""
    with translated(f"Looking who mounts volume {volume}"):
        found = daemon.api.containers(all=True, filters={"volume": volume})
    labels = ((c["Names"][0].lstrip("/"), c.get("Labels") or {}) for c in found if c.get("Names"))
    key = "com.docker.compose"
    return {name: (of.get(f"{key}.project", ""), of.get(f"{key}.service", "")) for name, of in labels}


def discard(daemon: Daemon, container: Container) -> None:
    """Stop and remove a container with its anonymous volumes, whatever it does; nothing happens where it is gone."""
    with translated(f"Removing container {container.name}"):
        try:
            daemon.api.stop(container.id, timeout=min(int(container.stop_timeout_s), LONGEST_STOP_S))
            daemon.api.remove_container(container.id, v=True, force=True)
        except docker.errors.NotFound:
            return


def remove_volume(daemon: Daemon, name: str, *, project: str, may: Callable[[Mapping[str, str], str], bool]) -> bool:
    """Remove a volume of the project that no container uses; say whether it was there and is gone.

    `may` is asked with its labels and the time of its creation.
    """
    with translated(f"Removing volume {name}"):
        try:
            found = daemon.api.inspect_volume(name)
            labels = found.get("Labels") or {}
            if labels.get("com.docker.compose.project") != project or not may(labels, found.get("CreatedAt") or ""):
                return False
            daemon.api.remove_volume(name)
        except docker.errors.NotFound:
            return False
        except docker.errors.APIError as error:
            if error.status_code == _IN_USE:
                return False
            raise
    return True


def remove_unused_network(daemon: Daemon, name: str, *, project: str) -> bool:
    """Remove a network of the project to which no container belongs, running or not; say whether it is gone for it."""
    with translated(f"Removing network {name}"):
        found = [n for n in daemon.api.networks(names=[name]) if n["Name"] == name]
        if not found or (found[0].get("Labels") or {}).get("com.docker.compose.project") != project:
            return False
        if daemon.api.containers(all=True, filters={"network": found[0]["Id"]}):
            return False
        try:
            daemon.api.remove_network(found[0]["Id"])
        except docker.errors.NotFound:
            return False
        except docker.errors.APIError as error:
            if error.status_code in (_FORBIDDEN, _IN_USE):  # somebody joined it in this very moment
                return False
            raise
    return True


def named(containers: Iterable[Container]) -> list[str]:
    """Return the names of containers, in order."""
    return sorted(c.name for c in containers)


_FORBIDDEN = 403
_IN_USE = 409
