"""What is on disk about a project's standing edge: which ports it owns, and which service is in which slot.

`.cutover/<project>/edge/edge.json` is written whole, atomically, after each change; which slot is active, the edge
itself knows. `.cutover/<project>/edge/<generation>/` is the folder that its containers see as /run/cutover.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any

from cutover.edge.composefile import generation_of
from cutover.edge.shape import EdgePort, Mode, Slot
from cutover.errors import NeedsHandsError, RefusedError, UsageError
from cutover.files import UNREADABLE, fsync_folder, private_folder, write_atomic
from cutover.flow.runs import EDGE
from cutover.model import PortBinding, Protocol

NAME = "edge.json"


@dataclass(frozen=True, slots=True)
class Place:
    """What a slot holds: a service's container by name and ID, and the port inside it for each port of the edge."""

    service: str
    container: str
    container_id: str
    targets: Mapping[int, int]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        targets = {str(port): target for port, target in self.targets.items()}
        return {"service": self.service, "container": self.container, "id": self.container_id, "targets": targets}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Place:
        """Read what `as_dict` wrote."""
        targets = {int(port): int(target) for port, target in data["targets"].items()}
        _see_texts(data["service"], data["container"], data["id"])
        return cls(data["service"], data["container"], data["id"], targets)


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """A standing edge. `file` is its compose file; `networks` are Docker's names of those that it is on."""

    project: str
    generation: int
    image: str
    file: Path
    networks: tuple[str, ...]
    ports: tuple[EdgePort, ...]
    slots: Mapping[Slot, Place] = field(default_factory=dict)

    @property
    def compose_project(self) -> str:
        """Return the name of the Compose project of its own that it is."""
        return f"{self.project}-edge"

    def with_slot(self, slot: Slot, place: Place | None) -> EdgeRecord:
        """Return the record with another content of a slot."""
        rest = {s: p for s, p in self.slots.items() if s is not slot}
        return replace(self, slots=rest if place is None else {**rest, slot: place})

    def slot_of(self, service: str, container_id: str | None = None) -> Slot | None:
        """Return the slot that holds a service; where it holds it twice (a roll), that of the container."""
        found = [s for s, p in self.slots.items() if p.service == service]
        exact = [s for s in found if self.slots[s].container_id == container_id]
        return next(iter(exact or found), None)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "project": self.project,
            "generation": self.generation,
            "image": self.image,
            "file": str(self.file),
            "networks": list(self.networks),
            "ports": [port_as_dict(p) for p in self.ports],
            "slots": {str(slot): place.as_dict() for slot, place in self.slots.items()},
        }


def port_as_dict(port: EdgePort) -> dict[str, Any]:
    """Return an edge port as JSON-ready data."""
    bindings = [[b.host_ip, b.host_port, str(b.protocol)] for b in port.bindings]
    return {"port": port.port, "mode": str(port.mode), "bindings": bindings, "check_path": port.check_path}


def port_from_dict(data: Mapping[str, Any]) -> EdgePort:
    """Read what `port_as_dict` wrote."""
    number = int(data["port"])
    bindings = tuple(PortBinding(str(ip), int(host), number, Protocol(p)) for ip, host, p in data["bindings"])
    return EdgePort(number, Mode(data["mode"]), bindings, data.get("check_path"))


def edge_folder(state: Path, project: str) -> Path:
    """Return the folder of a project's edge below `.cutover`."""
    return state / project / EDGE


def edge_file(folder: Path, project: str) -> Path:
    """Return the compose file of a project's edge; `folder` is that of the project's own."""
    return folder / "overrides" / f"{project}-edge.yml"


def see_edge_file_free(path: Path, project: str) -> None:
    """See that the edge's compose file may be written.

    Raises:
        RefusedError: a file that is not cutover's is there.

    """
    if path.exists() and (not path.is_file() or generation_of(path.read_bytes(), project) is None):
        raise RefusedError(
            "edge-file-taken",
            f"{path} is there already and is not cutover's.",
            hint=f"mv {quote(str(path))} {quote(f'{path}.mine')}",
        )


def load(state: Path, project: str) -> EdgeRecord | None:
    """Return the record of the standing edge, None where there is none.

    Raises:
        NeedsHandsError: it is there and cannot be read.

    """
    path = edge_folder(state, project) / NAME
    try:
        data = json.loads(path.read_bytes())
        _see_texts(data["project"], data["image"], data["file"], *data["networks"])
        slots = {Slot(slot): Place.from_dict(place) for slot, place in data["slots"].items()}
        ports = tuple(port_from_dict(p) for p in data["ports"])
        networks, file = tuple(data["networks"]), Path(data["file"])
        return EdgeRecord(data["project"], int(data["generation"]), data["image"], file, networks, ports, slots)
    except FileNotFoundError:
        return None
    except (*UNREADABLE, UsageError) as error:
        raise NeedsHandsError(
            "edge-record-damaged",
            f"{path} is not what cutover wrote: {error}.",
            evidence=["the edge itself does not read it, and goes on as it was told last"],
            hint=f"restore the file, or take the edge away by hand (docs/edge.md); docker compose -p {project}-edge ps "
            "shows what runs",
        ) from error


def _see_texts(*values: Any) -> None:
    if not all(isinstance(value, str) and value for value in values):
        raise TypeError("a name is no text")


def save(state: Path, record: EdgeRecord) -> None:
    """Make a record last."""
    folder = private_folder(edge_folder(state, record.project))
    write_atomic(folder / NAME, json.dumps(record.as_dict(), indent=1).encode() + b"\n", mode=0o600)


def forget(state: Path, project: str) -> None:
    """Remove the record; nothing happens where there is none."""
    folder = edge_folder(state, project)
    if (folder / NAME).exists():
        (folder / NAME).unlink()
        fsync_folder(folder)
