"""A stack of two colours with the same ports, one parked, and clients of three kinds."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import zmq

from cutover.engine.address import resolve
from cutover.engine.daemon import Daemon
from cutover.engine.helpers import helpers
from cutover.errors import EngineError
from cutover.flow.takeover import Way, take_over
from cutover.model import PortBinding
from tests.scenarios.rig import HERE, IMAGE

COMPOSE = """\
services:
  old: &server
    image: {image}
    command: ["python3", "/srv/server.py"]
    volumes: ["./server.py:/srv/server.py:ro"]
    environment: {{NAME: old}}
    stop_grace_period: 1s
    ports: ["{zmq}:5570", "{http}:6570"]
  new:
    <<: *server
    environment: {{NAME: new}}
"""
WAIT_S = 20.0
START_TRIES = 80


class World:
    """One project: `old` holds the ports, `new` runs parked."""

    def __init__(self, folder: Path, project: str, zmq_port: int, http_port: int) -> None:
        self.folder, self.project, self.zmq, self.http = folder, project, zmq_port, http_port
        self.daemon = Daemon(resolve())
        self.park_network = f"0-cutover-{project}"

    def up(self) -> None:
        """Start both."""
        shutil.copy(HERE / "server.py", self.folder / "server.py")
        text = COMPOSE.format(image=IMAGE, zmq=self.zmq, http=self.http)
        (self.folder / "docker-compose.yml").write_text(text)
        self.compose("up", "-d", "old")
        self.compose("create", "new")
        old, new = self.container("old"), self.container("new")
        self.daemon.create_macvlan(self.park_network, self.daemon.first_bridge([old]), {}, ipv6=False)
        self.daemon.connect(self.park_network, new.id)
        self._start_parked(new)
        for way in (*self.ways("old"), *self.ways("new")):
            wait_for(lambda w=way: accepts(w.address, w.port))

    def _start_parked(self, container) -> None:
        for left in reversed(range(START_TRIES)):
            try:
                self.daemon.start(container.id)
            except EngineError:
                if not left:
                    raise
            else:
                return

    def compose(self, *args: str) -> None:
        """Run docker compose."""
        command = ["docker", "compose", "-p", self.project, *args]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, timeout=120)

    def container(self, service: str):
        """Return a colour's container."""
        return self.daemon.of_service(self.project, service)[0]

    def ways(self, service: str) -> list[Way]:
        """Return where the ports lead once a colour has them."""
        network = f"{self.project}_default"
        address = next(e.ip for e in self.container(service).endpoints if e.network == network)
        pairs = ((self.zmq, 5570), (self.http, 6570))
        return [Way(PortBinding("", host, inside), address, inside) for host, inside in pairs]

    def park(self, service: str) -> None:
        """Take a colour's ports."""
        self.daemon.connect(self.park_network, self.container(service).id)

    def unpark(self, service: str) -> None:
        """Give a colour its ports."""
        self.daemon.disconnect(self.park_network, self.container(service).id)

    def take(self, image: str, source: str, destination: str, **more):
        """Take the ports over."""
        acts = {"park": lambda: self.park(source), "unpark": lambda: self.unpark(destination), **more}
        old = [self.container(source)]
        return take_over(self.daemon, self.project, image, ways=self.ways(destination), sources=old, **acts)

    def traces(self) -> list[str]:
        """Return what a take-over left: tables, helper containers."""
        listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
        tables = [line for line in listed.splitlines() if line.endswith(f" cutover_{self.project}")]
        return [*tables, *helpers(self.daemon, self.project)]

    def answers(self, host: str = "127.0.0.1") -> str | None:
        """Return who answers."""
        connection = http.client.HTTPConnection(host, self.http, timeout=5)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/")
                return json.loads(connection.getresponse().read())["name"]
            except (OSError, http.client.HTTPException):
                return None

    def down(self) -> None:
        """Take everything away."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.compose("down", "-t", "1", "-v")
        self.daemon.remove_network(self.park_network)
        self.daemon.close()


def accepts(host: str, port: int) -> bool:
    """Say whether somebody accepts there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for(condition) -> None:
    """Wait until it holds."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def own_address() -> str:
    """Return an address of this host that is not loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


class Client(threading.Thread):
    """Asks at regular times until told to stop; counts answers by who gave them, and failures by their names."""

    def __init__(self, host: str, port: int, every_s: float) -> None:
        super().__init__()
        self.host, self.port, self.every_s = host, port, every_s
        self.answers: dict[str, int] = {}
        self.failed: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Ask."""
        while not self.over.wait(self.every_s):
            try:
                name = self.ask()
                self.answers[name] = self.answers.get(name, 0) + 1
            except (OSError, http.client.HTTPException, zmq.ZMQError) as error:
                self.failed.append(f"{type(self).__name__} {self.host}: {type(error).__name__}")
                self.reset()
        self.reset()

    def ask(self) -> str:
        """Ask once and return who answered."""
        raise NotImplementedError

    def reset(self) -> None:
        """Give up what is open."""


class NewHttp(Client):
    """A connection for each request."""

    def ask(self) -> str:
        """Ask once."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/", headers={"Connection": "close"})
            return json.loads(connection.getresponse().read())["name"]


class KeptHttp(Client):
    """One connection, opened again where it is found ended before a request: as every pool does."""

    kept: http.client.HTTPConnection | None = None

    def ask(self) -> str:
        """Ask once."""
        if self.kept and self.kept.sock and select.select([self.kept.sock], [], [], 0)[0]:
            self.reset()
        self.kept = self.kept or http.client.HTTPConnection(self.host, self.port, timeout=10)
        self.kept.request("GET", "/")
        return json.loads(self.kept.getresponse().read())["name"]

    def reset(self) -> None:
        """Close it."""
        if self.kept:
            self.kept.close()
        self.kept = None


class Req(Client):
    """One REQ socket."""

    kept: zmq.Socket | None = None

    def ask(self) -> str:
        """Ask once."""
        if self.kept is None:
            self.kept = zmq.Context.instance().socket(zmq.REQ)
            self.kept.setsockopt(zmq.LINGER, 0)
            self.kept.setsockopt(zmq.IPV6, 1)
            self.kept.setsockopt(zmq.RCVTIMEO, 10_000)
            self.kept.connect(f"tcp://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}")
        self.kept.send_json({"method": "health"})
        return self.kept.recv_json()["name"]

    def reset(self) -> None:
        """Close it."""
        if self.kept is not None:
            self.kept.close()
        self.kept = None


@contextlib.contextmanager
def clients(world: World, hosts: tuple[str, ...], every_s: float = 0.1):
    """Give clients of three kinds from each address."""
    made = [
        kind(host, world.zmq if kind is Req else world.http, every_s)
        for host in hosts
        for kind in (NewHttp, KeptHttp, Req)
    ]
    for client in made:
        client.start()
    try:
        wait_for(lambda: all(sum(c.answers.values()) > 3 for c in made))
        yield made
    finally:
        for client in made:
            client.over.set()
        for client in made:
            client.join(30)
