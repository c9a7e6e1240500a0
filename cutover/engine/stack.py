"""Docker Compose: the model it makes of the files, and the containers it makes of the model."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutover.engine.address import EngineAddress
from cutover.engine.daemon import see_engine
from cutover.engine.words import last_words
from cutover.errors import EngineError, RefusedError
from cutover.files import UNREADABLE

LOOK_S = 120.0
"""A command that changes nothing may take so long; 0.2 s are usual."""
APART = ("setsid", "--wait") if shutil.which("setsid") else ()
"""Compose in a session of its own: Ctrl-C in a terminal goes to the whole group, and must not kill the way back."""
HOLDING = ("flock", "-s") if shutil.which("flock") else ()
"""Holds a lock for as long as Compose works, also when cutover does not live to see its end."""

if TYPE_CHECKING:
    from python_on_whales import DockerClient


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """What says which Compose project is meant; every field means what the Compose option of that name means."""

    files: tuple[Path, ...]
    project: str | None = None
    directory: Path | None = None
    profiles: tuple[str, ...] = ()
    env_files: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        """Return the project directory: the first file's folder unless another was given."""
        return self.directory or self.files[0].parent

    def with_files(self, substitutes: Mapping[Path, Path]) -> ProjectFiles:
        """Return the same project read from other files, relative paths still seen from the old folder."""
        return replace(self, files=tuple(substitutes.get(f, f) for f in self.files), directory=self.folder)


@dataclass(frozen=True)
class Stack:
    """One Compose project on one Engine."""

    address: EngineAddress
    source: ProjectFiles
    _environment: dict[str, str] = field(default_factory=dict, repr=False)
    held: Path | None = None
    """The file that every Compose which changes something holds a shared lock on, if it is there."""

    def with_files(self, substitutes: Mapping[Path, Path]) -> Stack:
        """Return the same project with some of its files replaced by candidates."""
        return replace(self, source=self.source.with_files(substitutes))

    def read_from(self, source: ProjectFiles) -> Stack:
        """Return the same project read from elsewhere."""
        return replace(self, source=source, _environment={})

    def named(self, project: str, held: Path | None = None) -> Stack:
        """Return the same project under the name that Compose resolved, and with the lock that its Compose holds."""
        return replace(self, source=replace(self.source, project=project), held=held or self.held)

    def config(self) -> dict[str, Any]:
        """Return the canonical model (`docker compose config`), services of every profile included.

        Raises:
            RefusedError: the files are not a valid Compose project.

        """
        done = self.ask("config", "--format", "json", profiles=("*",))
        if done.returncode != 0:
            raise RefusedError(
                "compose-invalid",
                "Docker Compose rejects the project's files; nothing was changed.",
                evidence=last_words(done.stderr),
                hint=f"docker compose {' '.join(f'-f {shlex.quote(str(f))}' for f in self.source.files)} config -q",
            )
        model = read_model(done.stdout)
        _see_names(model)
        return model

    def as_written(self) -> dict[str, Any]:
        """Return the model with every `${VARIABLE}` as the files have it; empty where Compose cannot tell it so."""
        done = self.ask("config", "--no-interpolate", "--format", "json", profiles=("*",))
        return read_model(done.stdout) if done.returncode == 0 else {}

    def environment(self) -> Mapping[str, str]:
        """Return what Compose interpolates with: the process environment and `.env`. Secret: never log it."""
        if not self._environment:
            done = self.ask("config", "--environment", profiles=self.source.profiles)
            pairs = (line.partition("=") for line in done.stdout.splitlines() if "=" in line)
            self._environment.update({name: value for name, _, value in pairs})
        return self._environment

    def create(self, service: str, *, force: bool = False) -> None:
        """Create the service's container without starting it; an existing one is replaced where it differs."""
        with_force = {"force_recreate": True} if force else {}
        self._up(service, start=False, **with_force)

    def up(self, service: str) -> None:
        """Create and start the service's container and nothing else; an existing one is replaced where it differs."""
        self._up(service)

    def start_dependency(self, service: str) -> None:
        """Start a service and what it depends on; containers that exist stay as they are."""
        self._up(service, recreate=False, dependencies=True)

    def start_only(self, service: str) -> None:
        """Start one service and nothing that it depends on; a container that exists stays as it is."""
        self._up(service, recreate=False)

    def ask(
        self, *words: str, profiles: tuple[str, ...] = (), given: str | None = None, apart: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a Compose command without python-on-whales: loading it costs 180 ms.

        `given` is what it reads on its standard input, nothing where it is None: it asks no question. `apart` is for
        commands that change something.

        Raises:
            RefusedError: there is no Docker CLI.
            EngineError: a command that only looks does not come to an end: it reads a pipe, say, that nobody writes to.

        """
        source = self.source
        engine = ["--context", self.address.context] if self.address.context else ["--host", self.address.url]
        options = [
            *(f"--file={f}" for f in source.files),
            *(f"--profile={p}" for p in profiles),
            *(f"--env-file={f}" for f in source.env_files),
            *([f"--project-name={source.project}"] if source.project else []),
            *([f"--project-directory={source.directory}"] if source.directory else []),
        ]
        command = [*(self._apart() if apart else ()), "docker", *engine, "compose", *options, *words]
        try:
            if apart:
                return subprocess.run(command, input=given or "", capture_output=True, text=True, check=False)
            return _looked(command, given or "")
        except FileNotFoundError as error:
            raise RefusedError(
                "no-docker-cli", "There is no `docker` command on the PATH.", hint="install docker-cli and Compose v2"
            ) from error

    def failed(self, action: str, stderr: str) -> EngineError:
        """Return the error that Compose's own output makes, or raise that no Engine answers."""
        see_engine(self.address)
        return _compose_error(action, stderr)

    def _up(self, service: str, *, dependencies: bool = False, **options: Any) -> None:
        from python_on_whales.exceptions import DockerException  # noqa: PLC0415

        try:
            self._client().compose.up(
                [service], detach=True, dependencies=dependencies, no_build=True, pull="never", quiet=True, **options
            )
        except DockerException as error:
            see_engine(self.address)
            raise _compose_error(f"docker compose up {service}", error.stderr or str(error)) from error

    def _apart(self) -> tuple[str, ...]:
        """Return what Compose is started by where it changes something."""
        holding = (*HOLDING, str(self.held)) if HOLDING and self.held is not None and self.held.exists() else ()
        return (*APART, *holding)

    def _client(self) -> DockerClient:
        from python_on_whales import DockerClient  # noqa: PLC0415

        context = self.address.context
        return DockerClient(
            client_call=[*self._apart(), "docker"],
            host=None if context else self.address.url,
            context=context,
            compose_files=list(self.source.files),
            compose_project_name=self.source.project,
            compose_project_directory=self.source.directory,
            compose_profiles=list(self.source.profiles),
            compose_env_files=list(self.source.env_files),
        )


def read_model(text: str) -> dict[str, Any]:
    """Return the model that `docker compose config --format json` printed.

    Raises:
        EngineError: `compose-unreadable`: it is none.

    """
    try:
        model: dict[str, Any] = json.loads(text)
        services = model.get("services") or {}
        whole = isinstance(model["name"], str) and all(isinstance(s, dict) for s in services.values())
    except UNREADABLE:
        whole = False
    if not whole:
        raise EngineError(
            "compose-unreadable",
            "What `docker compose config --format json` printed is no model of a project.",
            hint="docker compose version: is it Compose v2?",
        )
    return model


def _compose_error(action: str, stderr: str) -> EngineError:
    words = last_words(stderr)
    message = f"{action} failed: {words[-1]}" if words else f"{action} failed."
    return EngineError("compose-failed", message, evidence=words, hint="read the evidence; `docker compose config`")


def _see_names(model: Mapping[str, Any]) -> None:
    """See that no service is called like an option: its name is a word on Compose's command line."""
    odd = [name for name in model.get("services") or {} if name.startswith("-")]
    if odd:
        raise RefusedError(
            "odd-name",
            f"A service is called {odd[0]!r}, which Docker Compose takes for an option on its command line.",
            hint="give it a name that begins with a letter or a digit",
        )


def _looked(command: list[str], given: str) -> subprocess.CompletedProcess[str]:
    """Run a command that changes nothing, in a process group of its own: Compose is a child of `docker`."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, process_group=0) as process:
        try:
            out, err = process.communicate(given, LOOK_S)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise EngineError(
                "compose-silent",
                f"Docker Compose did not come to an end within {LOOK_S:g} s.",
                evidence=[" ".join(command[command.index("compose") :])],
                hint="does it read a pipe (env_file, include), or fetch something? the same command shows it",
            ) from error
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def scale_of(service: Mapping[str, Any]) -> int:
    """Return how many containers a service of Compose's canonical model is meant to have."""
    scale = service.get("scale", (service.get("deploy") or {}).get("replicas"))
    return 1 if scale is None else int(scale)
