"""A copy of the demonstration stack in a temporary folder, for demo and bench: a swap edits the compose file."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
import zmq

COMPOSE = Path(__file__).parents[1] / "compose"
GREEN, BLUE = "model_manager_agent", "model_manager_suite"


class StackError(Exception):
    """The stack cannot be used; the message says why and what to do."""


class Project:
    """One Compose project in a temporary folder of its own."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.folder = Path(tempfile.mkdtemp(prefix=_prefix(project)))
        self.file = self.folder / "docker-compose.yml"
        # What is set for another project must not be meant for this one.
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_")}

    def compose(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run docker compose on this project, quietly; what went wrong is in the exception."""
        return self.run(["docker", "compose", "-p", self.project, *args], check=check)

    def cutover(self, *args: str, check: bool = True, quiet: bool = False) -> subprocess.CompletedProcess[str]:
        """Run cutover in the project's folder, for everybody to see unless quiet."""
        command = [sys.executable, "-m", "cutover", *args, "-p", self.project]
        return self.run(command, check=check, visible=not quiet)

    def run(
        self, command: Sequence[str], *, check: bool = True, visible: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project's folder.

        Raises:
            StackError: it failed, and that was to be checked.

        """
        pipe = None if visible else subprocess.PIPE
        done = subprocess.run(command, cwd=self.folder, env=self.env, stdout=pipe, stderr=pipe, text=True, check=False)
        if check and done.returncode:
            raise StackError(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr or ''}".rstrip())
        return done

    def remove(self) -> None:
        """Take it down with everything that is its own, and the folder."""
        take_down(self.project)
        shutil.rmtree(self.folder, ignore_errors=True)


class Stack(Project):
    """The demonstration stack. `edit` changes the texts of its files on the way from compose/."""

    def __init__(self, project: str, ports: tuple[int, int], edit: Callable[[str], str] = str) -> None:
        super().__init__(project)
        self.ports = ports
        shutil.copytree(COMPOSE, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        for file in self.folder.glob("*.y*ml"):
            file.write_text(edit(file.read_text("utf-8")), "utf-8")
        self.before = self.file.read_text("utf-8")

    def count(self, client: str, *, reset: bool = False) -> dict[str, Any]:
        """Ask a dependant what it saw."""
        command = ["python3", "-m", "language_stack.count", *(["--reset"] if reset else [])]
        value: dict[str, Any] = json.loads(self.compose("exec", "-T", client, *command).stdout)
        return value

    def answering(self) -> tuple[str, str]:
        """Say who answers on the two ports: ZeroMQ, HTTP."""
        return ask_zmq(self.ports[0]), ask_http(self.ports[1])


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Handle SIGTERM as Ctrl-C, so that what was started is taken down."""
    raise KeyboardInterrupt


def ask_zmq(port: int, timeout_ms: int = 2000) -> str:
    """Return the service that answers a health check over ZeroMQ."""
    with zmq.Context() as context, context.socket(zmq.REQ) as line:
        line.linger = 0
        line.rcvtimeo = timeout_ms
        line.connect(f"tcp://127.0.0.1:{port}")
        line.send_json({"method": "health_check"})
        try:
            return str(json.loads(line.recv())["service"])
        except zmq.Again:
            return f"nobody within {timeout_ms / 1000:g} s"


def ask_http(port: int) -> str:
    """Return the service that answers /health over HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return str(json.loads(connection.getresponse().read())["service"])
    except OSError as error:
        return f"nobody: {error}"
    finally:
        connection.close()


def clean_up_earlier(project: str) -> None:
    """Take down what an earlier, interrupted run left.

    Raises:
        StackError: there is such a project, and it is somebody else's.

    """
    folders = set(
        _lines("docker", "ps", "-a", *_of(project), "--format", '{{.Label "com.docker.compose.project.working_dir"}}')
    )
    for folder in folders:
        if not _is_ours(Path(folder), project):
            raise StackError(
                f"the project {project} runs already, from {folder}\n  stop it: docker compose -p {project} down"
            )
    if folders:
        print(f"taking down what an earlier run left in {', '.join(sorted(folders))}", file=sys.stderr)
        take_down(project)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def take_down(project: str) -> None:
    """Remove a project's containers, networks and volumes, by their labels: its files may be gone. Its edge too."""
    for each in (edge_of(project), project):  # the edge stands on the project's networks
        _take_down(each)


def edge_of(project: str) -> str:
    """Return the name of the Compose project that is a project's edge."""
    return f"{project}-edge"


def _take_down(project: str) -> None:
    _lines("docker", "compose", "-p", project, "down", "--volumes", "--remove-orphans", "--timeout", "2")
    for network in _lines("docker", "network", "ls", "-q", "--filter", f"label=io.cutover.project={project}"):
        _lines("docker", "network", "rm", network)


def refuse_taken_ports(ports: Sequence[int]) -> None:
    """See that nobody holds the ports.

    Raises:
        StackError: somebody does; it says who.

    """
    for port in ports:
        for owner in _owners(port):
            raise StackError(f"port {port} is in use by {owner}\n  free it and run this again")


def _owners(port: int) -> Iterator[str]:
    for name in _lines(
        "docker", "ps", "--filter", f"publish={port}", "--format", "{{.Names}} ({{.Image}}, {{.Status}})"
    ):
        yield f"the container {name}"
    with suppress(psutil.AccessDenied):
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port:
                yield f"{_command_of(each.pid)}, listening on {each.laddr.ip}"
    try:
        socket.create_server(("", port)).close()
    except OSError as error:
        yield f"somebody ({error.strerror})"


def _command_of(pid: int | None) -> str:
    if pid is None:
        return "another user's process"
    with suppress(psutil.Error):
        return f"process {pid}: {' '.join(psutil.Process(pid).cmdline())[:100]}"
    return f"process {pid}"


def _prefix(project: str) -> str:
    return f"cutover-{project}-"


def _is_ours(folder: Path, project: str) -> bool:
    return folder.parent == Path(tempfile.gettempdir()) and folder.name.startswith(_prefix(project))


def _of(project: str) -> tuple[str, str]:
    return "--filter", f"label=com.docker.compose.project={project}"


def _lines(*command: str) -> list[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_")}
    done = subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr}".rstrip())
    return done.stdout.splitlines()
