"""One look at everything that a plan depends on, frozen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cutover.document import Document
from cutover.edge.shape import Slot
from cutover.engine.daemon import Daemon
from cutover.engine.stack import Stack
from cutover.errors import RefusedError
from cutover.files import FileState, read_state
from cutover.flow.edge_record import EdgeRecord
from cutover.flow.runs import Runs
from cutover.gpu.readings import Gpu, gpus
from cutover.model import Container, Listener
from cutover.ports.host import host_listeners
from cutover.trust import followed, may_replace, read_file


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A compose file as it was read. `writable` says whether this user may replace it, `names` how many it has."""

    path: Path
    content: bytes = field(repr=False)
    state: FileState
    writable: bool
    names: int = 1


@dataclass(frozen=True, slots=True)
class ObservedState:
    """The world before a swap. `model` is Compose's canonical one; `environment` is secret and never shown.

    `load_seconds` is how long a service took to become ready in earlier runs; `free_bytes` is on the project's disk.
    `edge` is the standing edge, `edge_active` the slot that it serves, `edge_trouble` why it cannot be asked;
    `edge_image` is the image that a new one would run, None where the Engine does not have it; `edge_image_wanted` is
    that of cutover.yaml, if it names one.
    """

    project: str
    folder: Path
    files: tuple[SourceFile, ...]
    model: Mapping[str, Any] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    containers: tuple[Container, ...]
    images: Mapping[str, str | None]
    listeners: tuple[Listener, ...]
    park_parent: str | None
    free_bytes: int
    gpus: tuple[Gpu, ...] = ()
    load_seconds: Mapping[str, float] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()
    engine_local: bool = True
    edge: EdgeRecord | None = None
    edge_active: Slot | None = None
    edge_trouble: RefusedError | None = None
    edge_image: str | None = None
    edge_image_wanted: str | None = None

    @property
    def services(self) -> Mapping[str, Any]:
        """Return the services of the canonical model."""
        services: Mapping[str, Any] = self.model.get("services") or {}
        return services

    def of_service(self, service: str) -> list[Container]:
        """Return the project's containers of one service, running ones first."""
        found = [c for c in self.containers if c.project == self.project and c.service == service]
        return sorted(found, key=lambda c: not c.running)


def observe(daemon: Daemon, stack: Stack, services: tuple[str, ...], image: str | None = None) -> ObservedState:
    """Look at the files, at Compose's model of them, at the Engine and at the host, at the same time.

    `services` are green and blue; `image` is one that the files do not name yet.

    Raises:
        RefusedError: a file cannot be read, or Compose rejects it.
        EngineError: the Engine does not answer.

    """
    files = tuple(_source_file(path) for path in stack.source.files)
    with ThreadPoolExecutor(max_workers=4) as pool:
        modelled = pool.submit(canonical, stack)
        environment = pool.submit(stack.environment)
        contained = pool.submit(daemon.containers)
        listening = pool.submit(host_listeners) if daemon.address.local else None
        model, containers = modelled.result(), contained.result()
        listeners = tuple(listening.result()) if listening else ()
    project = str(model["name"])
    runs = Runs(stack.source.folder, project)
    images = {_image_of(project, s, model) for s in services if s in (model.get("services") or {})}
    images |= {image} if image else set()
    green = [c for c in containers if c.project == project and c.service == services[0]]
    return ObservedState(
        project=project,
        folder=stack.source.folder,
        files=files,
        model=model,
        environment=environment.result(),
        containers=tuple(containers),
        images={image: daemon.image_id(image) for image in images},
        listeners=listeners,
        park_parent=daemon.first_bridge(green),
        gpus=gpus() if daemon.address.local and any(map(reserves_gpu, _named(model, services))) else (),
        free_bytes=shutil.disk_usage(stack.source.folder).free,
        load_seconds=load_seconds(runs),
        unfinished=tuple(r.id for r in runs.unfinished()),
        engine_local=daemon.address.local,
    )


def _source_file(path: Path) -> SourceFile:
    try:
        content, state = read_state(path)
        real = followed(path)
    except OSError as error:
        raise RefusedError("file-unreadable", f"{path} cannot be used: {error.strerror}.") from error
    writable = os.access(real, os.W_OK) and os.access(real.parent, os.W_OK) and may_replace(real)
    return SourceFile(path, content, state, writable, real.stat().st_nlink)


def canonical(stack: Stack) -> dict[str, Any]:
    """Return Compose's model of the project.

    Raises:
        RefusedError: the files make no valid project; where one is not even YAML, with its file and line.

    """
    try:
        return stack.config()
    except RefusedError as error:
        for path in stack.source.files:
            Document.parse(read_file(path), str(path))
        error.evidence = (*error.evidence, f"files: {', '.join(map(str, stack.source.files))}")
        raise


def _named(model: Mapping[str, Any], services: tuple[str, ...]) -> list[Mapping[str, Any]]:
    known = model.get("services") or {}
    return [known[s] for s in services if s in known]


def reserves_gpu(service: Mapping[str, Any]) -> bool:
    """Say whether a service of the canonical model reserves a GPU."""
    resources = (service.get("deploy") or {}).get("resources") or {}
    devices = (resources.get("reservations") or {}).get("devices") or ()
    return any("gpu" in (d.get("capabilities") or ()) or d.get("driver") == "nvidia" for d in devices)


def image_of(state: ObservedState, service: str) -> str:
    """Return the image that Compose would run for a service."""
    return _image_of(state.project, service, state.model)


def _image_of(project: str, service: str, model: Mapping[str, Any]) -> str:
    return str(model["services"][service].get("image") or f"{project}-{service}")


def load_seconds(runs: Runs) -> dict[str, float]:
    """Return how long each service took to become ready, from the newest run that measured it."""
    known: dict[str, float] = {}
    for run in runs.all():
        for record in () if run.damaged else run.records:
            if "ready_s" in record.data and "service" in record.data:
                known[str(record.data["service"])] = float(record.data["ready_s"])
    return known
