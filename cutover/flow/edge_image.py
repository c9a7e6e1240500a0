"""The edge's image: which one runs, and how it is had where it is not there."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from cutover.config.edge import Edge
from cutover.edge.image import DEFAULT_BASE, build_context, edge_image_name, image_files
from cutover.engine.daemon import Daemon
from cutover.engine.images import build, pull
from cutover.errors import EngineError, RefusedError
from cutover.events import Note, Observer


@dataclass(frozen=True, slots=True)
class EdgeImage:
    """An image that was built: its name, its ID, and what it was built on."""

    image: str
    id: str
    base: str

    def as_dict(self) -> dict[str, str]:
        """Return JSON-ready data."""
        return asdict(self)


def build_edge_image(
    daemon: Daemon, settings: Edge, observer: Observer, *, base: str | None = None, cache: bool = True
) -> EdgeImage:
    """Build the edge's image on `base`, or what cutover.yaml names, or DEFAULT_BASE.

    Raises:
        RefusedError: the base is not there and cannot be pulled.
        EngineError: the image could not be built.

    """
    base = base or settings.base or DEFAULT_BASE
    _have(daemon, base, observer, "name any Debian 12 that is here (docker images): cutover edge build --base IMAGE")
    files = image_files()
    name = edge_image_name(files)
    build(daemon, build_context(files), name, base, lambda line: _steps(line, observer), cache=cache)
    return EdgeImage(name, str(daemon.image_id(name)), base)


def _have(daemon: Daemon, reference: str, observer: Observer, hint: str) -> None:
    """See that an image is there, pulling it if need be."""
    if daemon.image_id(reference) is not None:
        return
    try:
        pull(daemon, reference, lambda line: observer.tell(Note(line)))
    except EngineError as error:
        raise RefusedError(
            "no-image", f"The image {reference} is not here and cannot be pulled.", evidence=error.evidence, hint=hint
        ) from error


def _steps(line: str, observer: Observer) -> None:
    """Pass on what a person wants to see of a build: where it stands."""
    if line.startswith("Step "):
        observer.tell(Note(" ".join(line.split())))
