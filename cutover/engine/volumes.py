"""What the Engine knows of a named volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import docker.errors

from cutover.engine.daemon import Daemon
from cutover.engine.translate import translated


@dataclass(frozen=True, slots=True)
class User:
    """A container that mounts a volume: its name, Compose project and service ("" without), and whether it runs."""

    name: str
    project: str
    service: str
    running: bool


@dataclass(frozen=True, slots=True)
class VolumeRecord:
    """A volume as the Engine has it."""

    name: str
    driver: str
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    created: str = ""


def volume_record(daemon: Daemon, volume: str) -> VolumeRecord | None:
    """Return what the Engine has of a volume, None where it has none of that name."""
    with translated(f"Inspecting volume {volume}"):
        try:
            found = daemon.api.inspect_volume(volume)
        except docker.errors.NotFound:
            return None
    return VolumeRecord(
        found["Name"],
        found["Driver"],
        dict(found.get("Labels") or {}),
        dict(found.get("Options") or {}),
        found.get("CreatedAt") or "",
    )


def volume_users(daemon: Daemon, volume: str) -> list[User]:
    """Return the containers that mount a volume, running or not, helpers of cutover's left out."""
    with translated(f"Looking who mounts volume {volume}"):
        found = daemon.api.containers(all=True, filters={"volume": volume})
    key = "com.docker.compose"
    users = []
    for entry in found:
        labels = entry.get("Labels") or {}
        if entry.get("Names") and "io.cutover.helper" not in labels:
            name = entry["Names"][0].lstrip("/")
            running = entry.get("State") in {"running", "paused", "restarting"}
            users.append(User(name, labels.get(f"{key}.project", ""), labels.get(f"{key}.service", ""), running))
    return sorted(users, key=lambda u: u.name)


def make_volume(daemon: Daemon, record: VolumeRecord) -> None:
    """Make a volume with this driver, these labels and options; nothing happens where there is one of that name."""
    with translated(f"Making volume {record.name}"):
        daemon.api.create_volume(record.name, record.driver, dict(record.options), dict(record.labels))
