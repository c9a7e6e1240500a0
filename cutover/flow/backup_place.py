"""Where a project's backups are, also when its files are gone or broken, or no Engine answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cutover import config
from cutover.clock import Clock, SystemClock
from cutover.config import Settings
from cutover.engine.address import resolve
from cutover.engine.daemon import Daemon
from cutover.engine.files import compose_files
from cutover.engine.stack import ProjectFiles, Stack
from cutover.errors import CutoverError, UsageError
from cutover.events import Note, Observer, Silence, Sturdy
from cutover.flow.observed import canonical
from cutover.flow.request import Options
from cutover.flow.runs import BACKUPS, STATE_FOLDER, Runs
from cutover.trust import see_state_ours


@dataclass
class Place:
    """A project as its backups see it: its folder, its name, and the Engine, asked only when it is needed."""

    project: str
    stack: Stack
    settings: Settings
    clock: Clock
    observer: Observer
    unread: CutoverError | None = None
    """Why `cutover.yaml` could not be read: then `settings` are not the user's."""
    _daemon: list[Daemon] = field(default_factory=list, repr=False)

    @property
    def folder(self) -> Path:
        """Return the project directory."""
        return self.stack.source.folder

    @property
    def runs(self) -> Runs:
        """Return the runs of this project."""
        return Runs(self.folder, self.project)

    @property
    def backups(self) -> Path:
        """Return the folder of its backups."""
        return self.runs.folder / BACKUPS

    def daemon(self) -> Daemon:
        """Return the Engine.

        Raises:
            EngineGoneError: none answers.

        """
        if not self._daemon:
            self._daemon.append(Daemon(self.stack.address))
        return self._daemon[0]

    def daemon_if_any(self) -> Daemon | None:
        """Return the Engine, None where none answers."""
        try:
            return self.daemon()
        except CutoverError:
            return None

    def see_settings(self) -> None:
        """See that the settings are the user's own.

        Raises:
            CutoverError: `cutover.yaml` cannot be read.

        """
        if self.unread is not None:
            raise self.unread

    def tell(self, message: str) -> None:
        """Tell whoever looks on."""
        self.observer.tell(Note(message))

    def close(self) -> None:
        """Close the connection to the Engine."""
        for daemon in self._daemon:
            daemon.close()


@contextmanager
def placed(options: Options, observer: Observer | None = None, clock: Clock | None = None) -> Iterator[Place]:
    """Find the project that the options, `cutover.yaml` and the current folder mean; it may be in ruins.

    Raises:
        UsageError: several projects have backups here, and nothing says which is meant.
        RefusedError: the state folder is somebody else's.

    """
    here = Path.cwd()
    beside = here / (options.files[0].parent if options.files else "")
    settings, unread = _settings(beside)
    files = _files(options, settings, here, beside)
    folder = files[0].parent if files else _with_backups(beside)
    if folder != beside and not options.files:
        settings, unread = _settings(folder)
    source = ProjectFiles(
        files=files,
        project=options.project or settings.project,
        directory=None if files else folder,
        profiles=options.profiles,
        env_files=options.env_files,
    )
    see_state_ours(folder / STATE_FOLDER)
    stack = Stack(resolve(options.context), source)
    project = source.project or _name(stack, folder)
    watching = Sturdy(observer or Silence())
    place = Place(project, stack.named(project), settings, clock or SystemClock(), watching, unread)
    try:
        yield place
    finally:
        place.close()


def _settings(folder: Path) -> tuple[Settings, UsageError | None]:
    """Return what `cutover.yaml` says; a broken one says nothing, and why: a backup may be what mends it."""
    try:
        return config.load(folder / config.NAME), None
    except UsageError as error:
        return Settings(), error


def _files(options: Options, settings: Settings, here: Path, beside: Path) -> tuple[Path, ...]:
    try:
        return compose_files(options.files or tuple(beside / f for f in settings.files), here)
    except UsageError:
        return ()


def _with_backups(folder: Path) -> Path:
    return next((p for p in (folder, *folder.parents) if _projects(p)), folder)


def _projects(folder: Path) -> list[str]:
    return sorted(p.parent.name for p in (folder / STATE_FOLDER).glob(f"*/{BACKUPS}") if p.is_dir())


def _name(stack: Stack, folder: Path) -> str:
    if stack.source.files:
        try:
            return str(canonical(stack)["name"])
        except CutoverError:
            pass
    known = _projects(folder)
    if len(known) > 1:
        raise UsageError(
            "which-project",
            f"Several projects have backups in {folder}, and the compose files do not say which is meant.",
            evidence=known,
            hint=f"-p {known[0]}",
        )
    return known[0] if known else folder.name.lower()
