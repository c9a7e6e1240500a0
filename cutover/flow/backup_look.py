"""What a backup saves, looked at at the same time: files, Compose's model, images, git."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cutover import config
from cutover.backup.git import Git, Look
from cutover.backup.manifest import ImageUse
from cutover.backup.places import Found, given_to_services, to_save
from cutover.config import Settings
from cutover.document import FileSet
from cutover.edge.image import edge_image_name
from cutover.engine.daemon import Daemon
from cutover.engine.images import facts_of
from cutover.engine.stack import Stack
from cutover.errors import CutoverError, EditRefusedError
from cutover.flow.override_origin import included
from cutover.flow.override_world import FOLDER as OVERRIDES
from cutover.model import Container

GIT_LIMIT_S = 60.0
GIT_LIMIT_IN_SWAP_S = 3.0


@dataclass(frozen=True, slots=True)
class Subject:
    """The project that is saved, and files to save `also`; with `lenient`, what cannot be told is left out."""

    project: str
    stack: Stack
    settings: Settings
    daemon: Daemon | None
    git_limit_s: float = GIT_LIMIT_S
    lenient: bool = False
    also: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        """Return the project directory."""
        return self.stack.source.folder

    @property
    def tools(self) -> str:
        """Return the image whose tar reads volumes, where it is there; else one of the project's own does."""
        return tools(self.settings)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found. `model` is Compose's canonical one: it holds secrets."""

    found: Found
    model: Mapping[str, Any] = field(repr=False)
    containers: tuple[Container, ...] = ()
    images: tuple[ImageUse, ...] = ()
    git: Look = field(default_factory=Look)
    warnings: tuple[str, ...] = ()


def tools(settings: Settings) -> str:
    """Return the image that has GNU tar for certain: the edge's."""
    return settings.edge.image or edge_image_name()


def look(subject: Subject) -> Seen:
    """Look at everything that a backup saves; changes nothing.

    Raises:
        RefusedError: Compose rejects the files (`lenient`: that is a warning).
        EngineError: the Engine does not answer.

    """
    warnings: list[str] = []
    with ThreadPoolExecutor(max_workers=4) as pool:
        modelled = pool.submit(_model, subject, warnings)
        written = pool.submit(subject.stack.as_written)
        git = pool.submit(Git(subject.folder, subject.git_limit_s).look)
        used = pool.submit(_images, subject, warnings)
        own = [*_own(subject)]
        model, (containers, images) = modelled.result(), used.result()
        given = given_to_services(model, written.result(), subject.folder)
        seen_git = git.result()
    found = to_save(own, given, subject.folder)
    warnings += found.left_out
    warnings += [seen_git.why] if seen_git.why else []
    warnings += ["what is not committed is more than 16 MiB; not saved"] if seen_git.diff_left_out else []
    return Seen(found, model, tuple(containers), tuple(images), seen_git, tuple(warnings))


def _model(subject: Subject, warnings: list[str]) -> Mapping[str, Any]:
    try:
        return subject.stack.config()
    except CutoverError as error:
        if not subject.lenient:
            raise
        warnings.append(f"without Compose's model of the project: {error.message}")
        return {}


def _images(subject: Subject, warnings: list[str]) -> tuple[list[Container], list[ImageUse]]:
    if subject.daemon is None:
        return [], []
    try:
        containers = subject.daemon.containers(subject.project)
        facts = facts_of(subject.daemon, {c.image_id for c in containers})
    except CutoverError as error:
        if not subject.lenient:
            raise
        warnings.append(f"without the images of the containers: {error.message}")
        return [], []
    uses = []
    for c in containers:
        of = facts.get(c.image_id)
        tags, digests = (of.tags, of.digests) if of else ((), ())
        uses.append(
            ImageUse(
                service=c.service,
                container=c.name,
                reference=c.image,
                image_id=c.image_id,
                tags=tags,
                digests=digests,
            )
        )
    return containers, uses


def _own(subject: Subject) -> Iterator[Path]:
    """Yield the project's own files: what Compose and cutover read, and the overrides that cutover wrote."""
    source, folder = subject.stack.source, subject.folder
    yield from source.files
    yield from subject.also
    yield from _read_too(source.files, folder)
    yield from (Path.cwd() / p for p in source.env_files)
    yield folder / ".env"
    yield folder / config.NAME
    suites = (s.file for s in subject.settings.suites.values() if s.file)
    yield from (folder / file for file in suites)
    yield from sorted(p for s in ("yml", "yaml") for p in (folder / OVERRIDES).glob(f"*.{s}"))


def _read_too(files: Iterable[Path], folder: Path) -> Iterator[Path]:
    """Yield what the compose files include or extend, as far as it can be understood."""
    paths = tuple(files)
    with contextlib.suppress(EditRefusedError, OSError):
        yield from included(paths, folder, os.environ)
    with contextlib.suppress(EditRefusedError, OSError):
        yield from (folder / name for name in FileSet.open(paths).extended)
