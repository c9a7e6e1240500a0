"""testcontainers, and its errors translated: the one home of that library."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from cutover.engine.stack import APART
from cutover.errors import EngineError, RefusedError, UsageError
from cutover.flow.signals import deferred
from cutover.validate.talk import Address

try:
    from testcontainers.compose import DockerCompose
    from testcontainers.core.exceptions import ContainerIsNotRunning, NoSuchPortExposed
except ImportError as error:
    raise UsageError(
        "no-testcontainers",
        f"The fixtures need testcontainers: {error}.",
        hint="pip install 'cutover[pytest]'",
    ) from error

ATTEMPTS = 3
_LAST = 5


class Project(DockerCompose):
    """A Compose project whose name is said on the command line, where no variable of the environment overrules it."""

    project = ""
    apart: tuple[str, ...] = ()

    @cached_property
    def compose_command_property(self) -> list[str]:
        """Return what every command begins with."""
        return [*self.apart, *super().compose_command_property, "--project-name", self.project]


@contextmanager
def started(model: Mapping[str, Any], *, keep: bool = False) -> Iterator[DockerCompose]:
    """Start a project that is given as Compose's model; take it down at the end, however that comes.

    Raises:
        EngineError: Compose could not start it, with its own words.

    """
    with tempfile.TemporaryDirectory(prefix="cutover-") as folder:
        file = Path(folder) / "compose.json"
        # It holds what the environment held: for its owner only.
        file.touch(0o600)
        file.write_text(json.dumps(model), "utf-8")
        project = _project(folder, str(model["name"]))
        try:
            with _translated("start"):
                project.start()
            yield project
        finally:
            if not keep:
                _take_down(folder, str(model["name"]))


def address_of(project: DockerCompose, service: str, port: int) -> Address:
    """Return where a port inside a service's container is published.

    Raises:
        RefusedError: it is not; the container may have ended.

    """
    try:
        host, published = project.get_service_host_and_port(service, port)
    except (ContainerIsNotRunning, NoSuchPortExposed) as error:
        raise RefusedError(
            "not-running", f"{service} does not run.", evidence=[f"log: {x}" for x in log_of(project, service, _LAST)]
        ) from error
    return Address(host or "127.0.0.1", int(published or 0))


def log_of(project: DockerCompose, service: str, tail: int) -> list[str]:
    """Return the last lines of a service's log, without the name that Compose puts before each."""
    with _translated("logs"):
        out, _ = project.get_logs("--no-log-prefix", "--no-color", "--tail", str(tail), service)
    return out.splitlines()


def _project(folder: str, name: str, apart: tuple[str, ...] = ()) -> Project:
    project = Project(folder, compose_file_name="compose.json", wait=False)
    project.project, project.apart = name, apart
    return project


def _take_down(folder: str, name: str) -> None:
    """Remove containers, networks and volumes; Ctrl-C, which may have brought us here, does not stop that.

    An `up` that was cut short may still create a container while it dies: looked at, and done, again.
    """
    project = _project(folder, name, APART)
    with deferred(lambda: None):
        for _ in range(ATTEMPTS):
            with _translated("down"):
                project.stop()
                if not project.get_containers(include_all=True):
                    return


@contextmanager
def _translated(verb: str) -> Iterator[None]:
    logging.getLogger("testcontainers.compose.compose").disabled = True  # it logs what we tell
    try:
        yield
    except subprocess.CalledProcessError as error:
        told = [line.strip() for line in error.stderr.decode(errors="replace").splitlines() if line.strip()]
        last = told[-1] if told else f"exit code {error.returncode}"
        raise EngineError(
            "compose-failed",
            f"docker compose could not {verb} the test project: {last}",
            evidence=told[-_LAST:-1],
            hint="the images have to be there: docker compose build",
        ) from error
    except FileNotFoundError as error:
        raise RefusedError(
            "no-docker-cli", "There is no `docker` command on the PATH.", hint=f"PATH is {os.environ.get('PATH')}"
        ) from error
