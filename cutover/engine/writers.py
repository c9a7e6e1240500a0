"""Who writes to a volume, and how they are made to wait."""

from __future__ import annotations

from dataclasses import dataclass

import docker.errors

from cutover.engine.daemon import Daemon
from cutover.engine.helpers import ROLE_LABEL
from cutover.engine.translate import translated

CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Writer:
    """A running container that may write to a volume."""

    id: str
    name: str


def writers_of(daemon: Daemon, volume: str) -> list[Writer]:
    """Return the containers that may write to a volume now; one that is paused does not, nor do cutover's helpers."""
    with translated(f"Looking who mounts volume {volume}"):
        found = daemon.api.containers(filters={"volume": volume})
    writers = []
    for entry in found:
        mounts = [m for m in entry.get("Mounts") or () if m.get("Type") == "volume" and m.get("Name") == volume]
        idle = entry.get("State") == "paused" or ROLE_LABEL in (entry.get("Labels") or {})
        if not idle and any(m.get("RW", True) for m in mounts):
            name = (entry.get("Names") or [entry["Id"][:12]])[0].lstrip("/")
            writers.append(Writer(entry["Id"], name))
    return sorted(writers, key=lambda w: w.name)


def goes_when_stopped(daemon: Daemon, container_id: str) -> bool:
    """Say whether the Engine removes a container once it is stopped: `docker run --rm`."""
    with translated(f"Inspecting container {container_id[:12]}"):
        return bool(daemon.api.inspect_container(container_id)["HostConfig"].get("AutoRemove"))


def pause(daemon: Daemon, container_id: str) -> None:
    """Freeze a container's processes; nothing happens where they are frozen, or it runs no more.

    Raises:
        EngineError: it cannot be; it is about to be started again, say.

    """
    with translated(f"Pausing container {container_id[:12]}"):
        try:
            daemon.api.pause(container_id)
        except docker.errors.APIError as error:
            if error.status_code != CONFLICT or "restarting" in str(error.explanation):
                raise


def unpause(daemon: Daemon, container_id: str) -> None:
    """Let a container's processes go on; nothing happens where they do, or it is gone."""
    with translated(f"Unpausing container {container_id[:12]}"):
        try:
            daemon.api.unpause(container_id)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if "is not paused" not in str(error.explanation):
                raise
