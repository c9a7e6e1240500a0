"""A project with one service that is rolled, its dependants, and images that name themselves or are broken."""

from __future__ import annotations

import io
import json
import secrets
import subprocess
from contextlib import contextmanager

import docker

from tests.scenarios.rig import IMAGE, Rig

TEMPLATE = """\
# one service, and those that live with it
services:
  web:   # the one that is rolled
    image: "{image}"   # the release sets this
    {named}
    command: ["python3", "/srv/server.py"]
    environment: {{WORD: one}}   # what the user edits
    ports:
      - "{zmq}:5570"   # ZeroMQ
      - '{http}:6570'
    volumes: ["./server.py:/srv/server.py:ro", "data:/data"]
    depends_on: [db]
    healthcheck:
      test: ["CMD", "python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:6570/')"]
      interval: 1s
      timeout: 10s
      retries: 5
    restart: unless-stopped
    stop_grace_period: 1s

  db: &idle
    image: {base}
    command: ["sleep", "600"]
    init: true
    stop_grace_period: 1s
  peer:
    <<: *idle
    depends_on: [web]
  proxy:
    <<: *idle
    depends_on: {{web: {{condition: service_healthy, restart: true}}}}

volumes:
  data: {{}}
"""
SETTINGS = """\
strategy: {strategy}
observe_s: 0
ready_timeout_s: 20
probes:
  - zmq://:{zmq}?send={{"method":"health"}}&expect=status:ok&identity=name&timeout=2
  - http://:{http}/?expect=status:ok&identity=name&timeout=2
"""


class RollRig(Rig):
    """A project whose one service is replaced by new containers of itself."""

    strategy: str = "relink"
    images: str = ""
    named: str = ""

    def image(self, name: str) -> str:
        """Return the image whose service calls itself `name`, or fails in this way."""
        return f"{self.images}:{name}"

    def write(self) -> None:
        """Write the project's files."""
        super().write()
        fill = {"zmq": self.zmq, "http": self.http, "named": self.named, "base": IMAGE}
        self.file.write_text(TEMPLATE.format(image=self.image("v1"), **fill))
        self.settle(self.strategy)

    def settle(self, strategy: str) -> None:
        """Write `cutover.yaml`, with a strategy."""
        settings = SETTINGS.format(strategy=strategy, zmq=self.zmq, http=self.http)
        (self.folder / "cutover.yaml").write_text(settings)

    def up(self) -> None:
        """Start the whole project, and wait until the service answers."""
        self.compose("up", "-d", "--quiet-pull")
        self.wait_answer("v1")

    def edit(self, old: str, new: str) -> None:
        """Replace text in the compose file, as the user does."""
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    def to_do(self) -> list[str]:
        """Return what `docker compose up -d` would still do to the whole project."""
        done = self.compose("up", "-d", "--dry-run", check=False)
        assert done.returncode == 0, done.stderr
        told = done.stderr
        words = ("Recreat", "Creat", "Starting", "Started", "Stopp", "Remov")
        return [line.strip() for line in told.splitlines() if any(word in line for word in words)]

    def names(self, service: str = "web") -> list[str]:
        """Return the names of a service's containers, running or not."""
        told = self.compose("ps", "-a", "--format", "json", service).stdout
        return sorted(json.loads(line)["Name"] for line in told.splitlines())

    def everything(self) -> dict[str, str]:
        """Return each container of the project by its name, with its ID."""
        found = self._listed("{{.Names}} {{.ID}}")
        return dict(line.split(" ") for line in found)

    def inside(self, *argv: str) -> str:
        """Return the output of a command in the service's container."""
        return self.compose("exec", "-T", "-u", "root", "web", *argv).stdout

    def docker(self, *words: str) -> None:
        """Run the Docker CLI."""
        subprocess.run(["docker", *words], capture_output=True, text=True, check=True)

    def strays(self) -> list[str]:
        """Return what a roll must not leave: containers by names that Compose does not know, and networks."""
        return [n for n in self._listed("{{.Names}}") if n.endswith(("-next", "-back")) or "_" in n] + self.leftovers()

    def _listed(self, form: str) -> list[str]:
        label = f"label=com.docker.compose.project={self.project}"
        done = subprocess.run(
            ["docker", "ps", "-a", "--no-trunc", "--filter", label, "--format", form],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()


@contextmanager
def images():
    """Give the name of an image with a tag for each version and each way to fail, gone at the end."""
    name = f"ct-roll-{secrets.token_hex(4)}"
    tags = {"v1": "NAME=v1", "v2": "NAME=v2", **{f: f"NAME=v2 FAIL={f}" for f in ("exit", "unhealthy", "wrong")}}
    try:
        for tag, env in tags.items():
            build(f"{name}:{tag}", f"ENV {env}")
        yield name
    finally:
        subprocess.run(["docker", "rmi", "-f", *(f"{name}:{tag}" for tag in tags)], capture_output=True, check=False)


def build(tag, *lines):
    """Build an image of the demo's, with some lines more."""
    client = docker.from_env()
    try:
        recipe = "\n".join([f"FROM {IMAGE}", *lines, ""]).encode()
        client.images.build(fileobj=io.BytesIO(recipe), tag=tag, rm=True)
    finally:
        client.close()
