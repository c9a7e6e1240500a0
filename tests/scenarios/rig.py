"""A Compose project of its own for one scenario, and cutover as a user calls it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import docker

HERE = Path(__file__).parent
IMAGE = "language-stack:demo"
COMPOSE = """\
# the old manager and its successor
services:

  old:   # green
    image: {image}
    command: ["python3", "/srv/server.py"]
    volumes: ["./server.py:/srv/server.py:ro"]
    environment:
      NAME: old
      SECRET: "hunter2-canary"
    ports:
      - "{zmq}:5570"   # ZeroMQ
      - '{http}:6570'
    restart: unless-stopped
    stop_grace_period: 1s

  new:
    image: {blue_image}
    command: ["python3", "/srv/server.py"]
    volumes: ["./server.py:/srv/server.py:ro"]
    environment: {{NAME: new, FAIL: "${{NEW_FAIL:-}}", LOAD_S: "${{NEW_LOAD_S:-0}}",
                  CRASH_AFTER_S: "${{NEW_CRASH:-3}}"}}
    healthcheck:
      test: ["CMD", "python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:6570/')"]
      interval: 1s
      timeout: 5s
      retries: 2
      start_period: "${{NEW_START:-0s}}"
    stop_grace_period: 1s
    restart: unless-stopped
"""
PROBES = """\
green: old
blue: new
strategy: relink
observe_s: 0.5
ready_timeout_s: 20
probes:
  - zmq://:{zmq}?send={{"method":"health"}}&expect=status:ok&identity=name&timeout=2
  - http://:{http}/?expect=status:ok&identity=name&timeout=2
"""


@dataclass(frozen=True)
class Told:
    """What one call of cutover gave."""

    code: int
    out: str
    err: str

    def __repr__(self) -> str:
        """Show all of it, as a person would want to read it in a failed assertion."""
        return f"exit code {self.code}\n{self.out}\n{self.err}"

    @property
    def json(self) -> dict:
        """Return what `--json` printed."""
        return json.loads(self.out)


@dataclass
class Rig:
    """One project: its folder, its ports, and how to ask who answers."""

    folder: Path
    project: str
    zmq: int
    http: int
    env: dict = field(default_factory=dict)
    template: str = COMPOSE
    blue_image: str = IMAGE
    prefix: tuple = ()

    @property
    def file(self) -> Path:
        """Return the compose file."""
        return self.folder / "docker-compose.yml"

    def write(self) -> None:
        """Write the project's files."""
        fill = {"image": IMAGE, "blue_image": self.blue_image, "zmq": self.zmq, "http": self.http}
        self.file.write_text(self.template.format(**fill))
        (self.folder / "cutover.yaml").write_text(PROBES.format(**fill))
        shutil.copy(HERE / "server.py", self.folder / "server.py")

    def compose(self, *args: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run docker compose in the project."""
        command = [*self.prefix, "docker", "compose", "-p", self.project, *args]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ(), capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr[-2000:]}"
        return done

    def environ(self) -> dict:
        """Return the environment of every command."""
        root = str(HERE.parent.parent)
        return {**os.environ, "PYTHONPATH": root, "COMPOSE_PROJECT_NAME": self.project, "NO_COLOR": "1", **self.env}

    def start(self, *args: str) -> subprocess.Popen:
        """Start cutover and return at once."""
        command = [*self.prefix, sys.executable, "-m", "cutover", *args]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def cutover(self, *args: str, timeout: float = 120) -> Told:
        """Run cutover to its end."""
        return ended(self.start(*args), timeout)

    def swap(self, *args: str) -> Told:
        """Swap and read the JSON."""
        return self.cutover("swap", "--json", *args)

    def answers(self, timeout: float = 2.0) -> str | None:
        """Return who answers on the legacy HTTP port, None where nobody does."""
        url = f"http://127.0.0.1:{self.http}/"
        if self.prefix:
            ask = [
                *self.prefix,
                sys.executable,
                "-c",
                f"import urllib.request as u; print(u.urlopen({url!r}).read().decode())",
            ]
            told = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=30)
            return json.loads(told.stdout)["name"] if told.returncode == 0 else None
        try:
            with urllib.request.urlopen(url, timeout=timeout) as reply:
                return json.load(reply)["name"]
        except (OSError, urllib.error.URLError, ValueError):
            return None

    def wait_answer(self, name: str, timeout: float = 20.0) -> None:
        """Wait until `name` answers."""
        end = time.monotonic() + timeout
        while self.answers() != name:
            assert time.monotonic() < end, f"{name} does not answer on {self.http}"
            time.sleep(0.05)

    def up(self) -> None:
        """Start green, and wait until it answers."""
        self.compose("up", "-d", "old")
        self.wait_answer("old")

    def nothing_to_do(self, *, may_start: bool = False) -> bool:
        """Say whether `docker compose up -d --dry-run` would leave all as it is, but for starts where those may be."""
        told = self.compose("up", "-d", "--dry-run", "old", *(["new"] if self.container("new") else [])).stderr
        words = ["Recreat", "Creat", "Stopp", "Remov", *([] if may_start else ["Starting", "Started"])]
        return not any(word in told for word in words)

    def container(self, service: str) -> dict | None:
        """Return the inspected container of a service."""
        client = docker.from_env(environment=self.environ())
        try:
            labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}"]
            found = client.containers.list(all=True, ignore_removed=True, filters={"label": labels})
            return found[0].attrs if found else None
        finally:
            client.close()

    def publishes(self, service: str) -> set[int]:
        """Return the host ports that a service holds."""
        found = self.container(service)
        ports = (found or {}).get("NetworkSettings", {}).get("Ports") or {}
        return {int(h["HostPort"]) for hosts in ports.values() for h in hosts or ()}

    def leftovers(self) -> list[str]:
        """Return the names of networks that cutover left behind."""
        listed = subprocess.run(
            ["docker", "network", "ls", "--format", "{{.Name}}"],
            env=self.environ(),
            capture_output=True,
            text=True,
            check=True,
        )
        return [n for n in listed.stdout.split() if n == f"0-cutover-{self.project}"]

    def state(self) -> tuple:
        """Return what a file is: SHA-256, mode, owner, group."""
        info = self.file.stat()
        return hashlib.sha256(self.file.read_bytes()).hexdigest(), info.st_mode, info.st_uid, info.st_gid

    def records(self) -> list[dict]:
        """Return the journal of the newest run."""
        runs = sorted((self.folder / ".cutover" / self.project).glob("*/journal.jsonl"))
        written = runs[-1].read_text() if runs else ""
        return [json.loads(line) for line in written[: written.rfind("\n") + 1].splitlines()]  # one may be half written

    def wait_record(self, kind: str, step_kind: str | None, timeout: float = 30.0, *, step: str = "") -> None:
        """Wait until the journal has a record of this kind for a step of this kind, or for this very step."""
        end = time.monotonic() + timeout
        while not any(
            r["kind"] == kind and (r["step"] == step if step else r["data"].get("kind") == step_kind)
            for r in self.records()
        ):
            assert time.monotonic() < end, f"no {kind} of {step_kind}: {self.records()}"
            time.sleep(0.02)

    def down(self) -> None:
        """Take everything away."""
        self.compose("down", "-t", "1", "--remove-orphans", "-v", check=False)
        for network in self.leftovers():
            remove = ["docker", "network", "rm", network]
            subprocess.run(remove, env=self.environ(), capture_output=True, check=False)


def ended(process: subprocess.Popen, timeout: float = 120) -> Told:
    """Wait for a call of cutover to end."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"cutover did not end: {out}{err}") from None
    return Told(process.returncode, out, err)


FIRST_PORT, LAST_PORT = 25000, 32000
"""Below the ephemeral range, and away from where cutover itself begins to look for test ports."""
_taken: list[socket.socket] = []


def free_ports(count: int) -> list[int]:
    """Return free host ports that no other test, in this process or another, is given."""
    found, port = [], FIRST_PORT + len(_taken) + 500 * (os.getpid() % 10)
    while len(found) < count:
        port = port + 1 if port < LAST_PORT else FIRST_PORT
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        if _take(port):
            found.append(port)
    return found


def _take(port: int) -> bool:
    """Take a port's name, which lasts as long as this process and is scoped as ports are."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0cutover-tests/port/{port}")
    except OSError:
        name.close()
        return False
    _taken.append(name)
    return True
