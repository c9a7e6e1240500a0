"""One command's view of one project: the Engine, Compose, the settings, the runs, opened once and handed on."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cutover import config
from cutover.clock import Clock, SystemClock
from cutover.config import Settings, Suite
from cutover.engine.address import resolve
from cutover.engine.daemon import Daemon
from cutover.engine.files import compose_files, see_files
from cutover.engine.stack import ProjectFiles, Stack
from cutover.events import Note, Observer, Silence, Sturdy
from cutover.flow.context import Context
from cutover.flow.lock import compose_lock
from cutover.flow.observed import canonical
from cutover.flow.plan import Move, Plan
from cutover.flow.proof import answered
from cutover.flow.request import Options
from cutover.flow.runs import STATE_FOLDER, Run, Runs
from cutover.flow.stall import StallMeter
from cutover.model import Protocol
from cutover.probes import ProbeSpec, parse
from cutover.trust import see_state_ours


@dataclass
class Session:
    """What a command works with. `stack` carries the project name that Compose resolved once `name_project` ran."""

    options: Options
    settings: Settings
    daemon: Daemon
    stack: Stack
    clock: Clock
    observer: Observer
    settings_path: Path = Path(config.NAME)

    @property
    def folder(self) -> Path:
        """Return the project directory."""
        return self.stack.source.folder

    def name_project(self, name: str | None = None) -> str:
        """Fix the project's name, asking Compose for it where nobody said, and return it."""
        project = name or self.stack.source.project or str(canonical(self.stack)["name"])
        self.stack = self.stack.named(project, compose_lock(self.folder / STATE_FOLDER, project))
        return project

    def runs(self) -> Runs:
        """Return the runs of this project."""
        return Runs(self.folder, self.name_project())

    def source_header(self) -> dict[str, Any]:
        """Return what the journal keeps of where the project was read from: a way back must read the same."""
        source = self.stack.source
        return {
            "files": [str(f) for f in source.files],
            "profiles": list(source.profiles),
            "env_files": [os.path.abspath(f) for f in source.env_files],  # noqa: PTH100  (links stay links)
        }

    def read_as(self, header: Mapping[str, Any]) -> None:
        """Read the project from where a run read it, but for what the command line says now."""
        source = self.stack.source
        kept = {name: tuple(map(Path, header.get(name, ()))) for name in ("files", "env_files")}
        self.stack = self.stack.read_from(
            replace(
                source,
                files=source.files if self.options.files else kept["files"] or source.files,
                env_files=source.env_files or kept["env_files"],
                profiles=source.profiles or tuple(header.get("profiles", ())),
            )
        )

    def spoken(self, words: str) -> str:
        """Return a command as the user has to type it from here: with the options that this one had."""
        return " ".join(filter(None, ["cutover", words, self.said()]))

    def said(self, *, compose: bool = False) -> str:
        """Return the options of this command that say which project is meant, for cutover, or as `compose` takes them.

        The context is none of Compose's.
        """
        options = self.options
        said = [
            *(f"-f {shlex.quote(str(f))}" for f in options.files),
            *([f"-p {shlex.quote(options.project)}"] if options.project else []),
            *(f"--profile {shlex.quote(profile)}" for profile in options.profiles),
            *(f"--env-file {shlex.quote(str(f))}" for f in options.env_files),
            *([f"-c {shlex.quote(options.context)}"] if options.context and not compose else []),
        ]
        return " ".join(said)

    def observer_note(self, message: str) -> None:
        """Tell whoever looks on."""
        self.observer.tell(Note(message))

    def suites(self, names: Iterable[str]) -> dict[str, Suite]:
        """Return suites of `cutover.yaml`, read from their own files where they have them.

        Raises:
            UsageError: there is no such suite, or its file does not hold.

        """
        return {name: config.suite_named(self.settings, name, self.settings_path) for name in names}

    def context(self, plan: Plan, run: Run, probes: tuple[ProbeSpec, ...]) -> Context:
        """Return what the steps of a run share."""
        ctx = Context(
            plan=plan,
            folder=run.folder,
            daemon=self.daemon,
            stack=self.stack,
            probes=probes or default_probes(plan.moves),
            clock=self.clock,
            observer=self.observer,
            stall=StallMeter(lambda: False, self.clock),
            edge=self.settings.edge,
            canary=self.settings.canary,
            settings=self.settings,
            state=self.folder / STATE_FOLDER,
        )
        ctx.stall = StallMeter(lambda: answered(ctx), self.clock)
        return ctx


def default_probes(moves: tuple[Move, ...]) -> tuple[ProbeSpec, ...]:
    """Return a TCP connection to each legacy port: the least that a service can be asked."""
    tcp = (m.binding.host_port for m in moves if m.binding.protocol is Protocol.TCP)
    return tuple(parse(f"tcp://:{port}") for port in dict.fromkeys(tcp))


@contextmanager
def opened(
    options: Options, observer: Observer | None = None, clock: Clock | None = None, *, lenient: bool = False
) -> Iterator[Session]:
    """Open a session for the project that the options, `cutover.yaml` and the current folder mean.

    `lenient` does without `cutover.yaml`, for the verb that writes one.

    Raises:
        UsageError: there is no compose file, or `cutover.yaml` does not hold.
        RefusedError: what cutover keeps beside the compose file is somebody else's.
        EngineGoneError: no Engine answers.

    """
    here = Path.cwd()
    beside = options.files[0].parent if options.files else here
    settings_path = here / beside / config.NAME
    settings = Settings() if lenient else config.load(settings_path)
    given = options.files or tuple(here / beside / f for f in settings.files)
    files = compose_files(given, here)
    if not lenient and not options.files and files[0].parent != here:  # Compose found the file in a folder above
        settings_path = files[0].parent / config.NAME
        settings = config.load(settings_path)
    source = ProjectFiles(
        files=files,
        project=options.project or settings.project,
        profiles=options.profiles,
        env_files=options.env_files,
    )
    see_state_ours(source.folder / STATE_FOLDER)
    see_files(source.folder / ".env", *(here / f for f in source.env_files))
    address = resolve(options.context)
    daemon = Daemon(address)
    try:
        stack = Stack(address, source)
        yield Session(
            options, settings, daemon, stack, clock or SystemClock(), Sturdy(observer or Silence()), settings_path
        )
    finally:
        daemon.close()
