"""What the scenarios of test stacks share: a project with green up, and everything on the Engine remembered."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request

import docker

from tests.scenarios.rig import Rig, Told, free_ports

DEP = """\

  dep:
    image: {image}
    command: ["redis-server", "--port", "6379"]
    healthcheck: {{test: ["CMD", "redis-cli", "ping"], interval: 1s}}
    networks: [default, apart]
    stop_grace_period: 1s

networks:
  apart: {{}}
"""
OVERRIDE = """\
services:
  {name}:
    extends: {{file: docker-compose.yml, service: new}}
    labels: !override {{cutover.test-of: new, cutover.test-ports: "{zmq}:{one},{http}:{two}"}}
    ports: !override ["127.0.0.1:{one}:5570", "127.0.0.1:{two}:6570"]
    restart: "no"
    volumes: ["/anonymous", "own:/own"]
{more}
volumes:
  own:
    name: "{project}_{name}_own"
    labels: {{cutover.test-of: new}}
"""
NEEDS_DEP = "    depends_on: {dep: {condition: service_healthy}}\n"


class World:
    """A rig with green up and everything that is on the Engine remembered."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.client = docker.from_env()
        self.one, self.two = free_ports(4)[2:]
        self.before = self.seen()

    def seen(self) -> dict:
        """Return the containers, with their starts, the networks and the volumes of this project and no other."""
        label = f"com.docker.compose.project={self.rig.project}"
        containers = self._containers(label)
        checks = self._containers(f"cutover.gpu-check={self.rig.project}")
        return {
            "containers": {c.name: (c.id, c.attrs["State"]["StartedAt"]) for c in [*containers, *checks]},
            "networks": {n.name for n in self.client.networks.list(filters={"label": label})},
            "volumes": {v.name for v in self.client.volumes.list() if self.rig.project in v.name},
            "anonymous": {m["Name"] for c in containers for m in c.attrs["Mounts"] if m["Type"] == "volume"},
        }

    def _containers(self, label: str) -> list:
        """Return the containers with a label; others come and go beside us."""
        return self.client.containers.list(all=True, ignore_removed=True, filters={"label": label})

    def override(self, name: str = "new_test", *, more: str = NEEDS_DEP, ports: tuple | None = None) -> None:
        """Write the override file of a test stack."""
        folder = self.rig.folder / "overrides"
        folder.mkdir(exist_ok=True)
        one, two = ports or (self.one, self.two)
        filled = {"zmq": self.rig.zmq, "http": self.rig.http, "project": self.rig.project}
        text = OVERRIDE.format(name=name, one=one, two=two, more=more, **filled)
        (folder / f"{name}.yml").write_text(text)

    def untouched(self) -> None:
        """See that nothing is left, and that green is the same container, which answers."""
        assert self.seen() == self.before
        assert self.rig.answers() == "old"
        assert not list((self.rig.folder / ".cutover" / self.rig.project / "tests").glob("*"))


def who(port):
    """Return who answers on an HTTP port."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as reply:
        return json.load(reply)["name"]


def findings(told):
    """Return the codes of the findings, the root cause first."""
    return [f["code"] for f in told.json["error"]["findings"]]


def robbed(world, thefts, *args):
    """Run cutover while somebody takes its first test port in the gap, so many times."""
    command = [sys.executable, "-m", "tests.scenarios.robbed", str(thefts), *args]
    done = subprocess.run(
        command,
        cwd=world.rig.folder,
        env=world.rig.environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Told(done.returncode, done.stdout, done.stderr)


def wait_for(world, when, timeout=30.0):
    """Wait until the stack is on record, or until its container runs."""
    record = world.rig.folder / ".cutover" / world.rig.project / "tests" / "new_test.json"
    end = time.monotonic() + timeout
    while not (record.exists() if when == "recorded" else is_running(world)):
        assert time.monotonic() < end, f"never {when}"
        time.sleep(0.02)


def is_running(world):
    """Say whether the test stack's container runs."""
    found = world.rig.container("new_test")
    return bool(found) and found["State"]["Running"]


def settled(world):
    """Wait until a Compose that outlived its killed parent has come to its end."""
    end = time.monotonic() + 20
    last, same = None, 0
    while same < 10:
        now = world.seen()
        last, same = now, same + 1 if now == last else 0
        assert time.monotonic() < end
        time.sleep(0.1)
