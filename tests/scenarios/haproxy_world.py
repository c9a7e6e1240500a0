"""Two colours on a network of their own, a real HAProxy before them, and clients that ask all the time."""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cutover.config import Edge
from cutover.edge.haproxy.face import HaproxyFace
from cutover.edge.shape import EdgePort, Mode, Slot, Target
from cutover.errors import EdgeError
from cutover.model import PortBinding
from tests.scenarios.rig import IMAGE

COLOUR = Path(__file__).parent / "haproxy_colour.py"
HTTP, TCP = 6570, 5571
UPGRADE = b"".join(
    line + b"\r\n"
    for line in (
        b"GET /websocket HTTP/1.1",
        b"Host: x",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"",
    )
)


class World:
    """Green and blue, which live as long as a module; edges come and go before them."""

    def __init__(self, engine, image, http_port, tcp_port):
        self.engine, self.image, self.http, self.tcp = engine, image, http_port, tcp_port
        self.name = f"ct{secrets.token_hex(4)}"
        self.network = engine.networks.create(self.name, driver="bridge")
        self.green, self.blue = self.colour("green"), self.colour("blue")

    def colour(self, name):
        """Start a colour."""
        return self.engine.containers.run(
            IMAGE,
            ["python3", "/colour.py"],
            name=f"{self.name}-{name}",
            network=self.name,
            environment={"NAME": name},
            volumes={str(COLOUR): {"bind": "/colour.py", "mode": "ro"}},
            init=True,
            detach=True,
        )

    def targets(self, colour):
        """Return where a colour answers, as the Engine says it now."""
        colour.reload()
        address = colour.attrs["NetworkSettings"]["Networks"][self.name]["IPAddress"] or "192.0.2.1"
        return {port: Target(colour.name, address, port) for port in (HTTP, TCP)}

    def edge(self, folder, **settings):
        """Write the files of an edge that serves green, and start it as a swap would."""
        bindings = {p: (PortBinding("127.0.0.1", host, p),) for p, host in ((HTTP, self.http), (TCP, self.tcp))}
        ports = (EdgePort(HTTP, Mode.HTTP, bindings[HTTP], "/health"), EdgePort(TCP, Mode.TCP, bindings[TCP]))
        face = HaproxyFace(folder / "haproxy", ports, Edge.model_validate(settings))
        face.write({Slot.A: self.targets(self.green)}, Slot.A)
        container = self.engine.containers.run(
            self.image,
            ["haproxy", "-W", "-db", "-f", "/run/cutover/haproxy/haproxy.cfg"],
            name=f"{self.name}-edge",
            network=self.name,
            user=f"{os.getuid()}:{os.getgid()}",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            read_only=True,
            volumes={str(folder): {"bind": "/run/cutover", "mode": "rw"}},
            ports={f"{p}/tcp": ("127.0.0.1", b[0].host_port) for p, b in bindings.items()},
            detach=True,
        )
        return Running(self, face, container, folder)

    @contextlib.contextmanager
    def both_up(self):
        """Have both colours run; the edges that are handed in are gone afterwards."""
        for colour in (self.green, self.blue):
            colour.reload()
            if colour.status != "running":
                colour.start()
        with contextlib.ExitStack() as stack:
            yield lambda edge: stack.enter_context(contextlib.closing(edge))

    def close(self):
        """Take everything away."""
        for container in (self.green, self.blue):
            container.remove(force=True)
        self.network.remove()


@dataclass
class Running:
    """An edge that runs."""

    world: World
    face: HaproxyFace
    container: object
    folder: Path

    def up(self):
        """Wait until it answers on its control socket and to clients."""
        wait(lambda: not quietly(self.face.down, Slot.A), 10)
        return self

    def aim_blue(self):
        """Aim slot b at blue, and wait until the edge sees it alive."""
        self.face.aim(Slot.B, self.world.targets(self.world.blue))
        wait(lambda: not self.face.down(Slot.B), 5)
        return self

    def close(self):
        """Stop it, and show what it said if the test failed."""
        sys.stdout.write(self.container.logs().decode())
        self.container.remove(force=True)

    def ask(self, path="/", method="GET", body=None, headers=None, timeout=20):
        """Return status, body and headers of one request on a connection of its own."""
        client = http.client.HTTPConnection("127.0.0.1", self.world.http, timeout=timeout)
        try:
            client.request(method, path, body=body, headers=headers or {})
            reply = client.getresponse()
            return reply.status, reply.read().decode(), dict(reply.headers)
        finally:
            client.close()

    def raw(self, port=None):
        """Return a connection."""
        return contextlib.closing(socket.create_connection(("127.0.0.1", port or self.world.http), timeout=20))


@dataclass
class Load:
    """Clients that ask in turn: `kept` on connections that are kept, `fresh` on a new one for each request."""

    port: int
    kept: int = 2
    fresh: int = 2
    method: str = "GET"
    pause_s: float = 0.002
    answers: list = field(default_factory=list)
    failures: Counter = field(default_factory=Counter)
    reopened: int = 0

    def __enter__(self):
        """Begin to ask."""
        self._over = threading.Event()
        kinds = [True] * self.kept + [False] * self.fresh
        self._threads = [threading.Thread(target=self._run, args=(keep,)) for keep in kinds]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        """Stop asking."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def names(self, since=0.0):
        """Return who answered what was asked after a moment."""
        return Counter(who for asked, _, who in self.answers if asked >= since)

    def slowest_s(self):
        """Return the longest time that an answer took."""
        return max(took for _, took, _ in self.answers)

    def _run(self, keep):
        client = None
        while not self._over.is_set():
            if client is None:
                client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            asked = time.monotonic()
            try:
                client.request(self.method, "/", body=b"x" if self.method == "POST" else None)
                reply = client.getresponse()
                who = reply.read().decode().strip()
            except (OSError, http.client.HTTPException) as error:
                self.failures[repr(error)] += 1
                client.close()
                client = None
                continue
            if reply.status != 200:
                self.failures[reply.status] += 1
            else:
                self.answers.append((asked, time.monotonic() - asked, who))
            if not keep or client.sock is None:
                self.reopened += keep
                client.close()
                client = None
            self._over.wait(self.pause_s)
        if client is not None:
            client.close()


def wait(true: Callable[[], object], timeout_s: float) -> None:
    """Wait until something is true."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def quietly(ask, *args):
    """Return what the edge says; where it does not answer, that."""
    try:
        return ask(*args)
    except EdgeError as error:
        return error
