"""The project that is loaded: service `one` on the legacy ports, `two` to replace it, maybe a proxy before both."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stack import Project, StackError, clean_up_earlier, edge_of, refuse_taken_ports

from benching.asked import Kind

PROJECT = os.environ.get("BENCH_PROJECT", "cutover_bench")
ONE, TWO = "one", "two"
ZMQ, HTTP, TCP = (int(port) for port in os.environ.get("BENCH_PORTS", "15570,16570,17570").split(","))
"""Both can be told, so that a test can run beside a bench."""
INSIDE = {ZMQ: 5570, HTTP: 6570, TCP: 7570}
KIND_PORTS = {Kind.HTTP_NEW: HTTP, Kind.HTTP_KEPT: HTTP, Kind.ZMQ: ZMQ, Kind.TCP: TCP}
HTTP_ONLY = {Kind.HTTP_NEW: HTTP, Kind.HTTP_KEPT: HTTP}
SERVER = Path(__file__).parents[1] / "bench_server.py"

SERVICE = """\
  {name}:
    image: language-stack:demo
    command: ["python3", "/srv/bench_server.py"]
    environment: {{NAME: {name}, SEEN: /seen, LOAD_S: "{load_s}"}}
    volumes: ["./bench_server.py:/srv/bench_server.py:ro", "./seen:/seen"]
    stop_grace_period: 2s
"""
PORTS_KEY = "    ports:\n"
SETTINGS = f"""\
green: {ONE}
blue: {TWO}
ports: {list(INSIDE)}
observe_s: 0.2
ready_timeout_s: 60
probes:
  - zmq://:{ZMQ}?send={{"method":"who"}}&expect=status:ok&identity=name
  - http://:{HTTP}/who?expect=status:ok&identity=name
"""
EDGE_SETTINGS = f"""\
edge:
  ports: {{{ZMQ}: zmq-rep, {HTTP}: http, {TCP}: tcp}}
"""


class Site(Project):
    """The project on disk and in the Engine. `load_s`: how long either service takes until it listens."""

    def __init__(self, load_s: float = 0.5) -> None:
        super().__init__(PROJECT)
        shutil.copy(SERVER, self.folder)
        self.seen = self.folder / "seen"
        self.seen.mkdir()
        self.seen.chmod(0o777)  # the services run as nobody; the folder around it is ours alone
        self.load_s = load_s
        self.write()

    def write(self, extra: str = "", *, ports_of: str | None = ONE, edge: bool = False) -> None:
        """Write the files; nobody has the ports if a proxy is to have them."""
        parts = ["services:\n"]
        for name in (ONE, TWO):
            parts.append(SERVICE.format(name=name, load_s=self.load_s))
            if name == ports_of:
                parts.append(PORTS_KEY + port_lines())
        self.file.write_text("".join(parts) + extra, "utf-8")
        (self.folder / "cutover.yaml").write_text(SETTINGS + (EDGE_SETTINGS if edge else ""), "utf-8")

    def container(self, service: str) -> str:
        """Return the ID of a service's container."""
        return self.compose("ps", "-q", service).stdout.split()[0]

    def address(self, service: str) -> str:
        """Return a service's address on the project's network."""
        text = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
        found = self.run(["docker", "inspect", "-f", text, self.container(service)]).stdout.split()
        if not found:
            raise StackError(f"{service} has no address")
        return found[0]

    def asked_of(self) -> Iterator[str]:
        """Yield every ID that a service wrote down."""
        for file in sorted(self.seen.iterdir()):
            yield from file.read_text("ascii").split()

    def wait_for(self, who: str, port: int = HTTP, path: str = "/who", within_s: float = 60.0) -> float:
        """Wait until `who` answers over HTTP, and return when that was.

        Raises:
            StackError: it does not.

        """
        end = time.monotonic() + within_s
        while (answered := ask("127.0.0.1", port, path)) != who:
            if time.monotonic() > end:
                raise StackError(f"{who} does not answer on port {port}, but {answered}")
            time.sleep(0.05)
        return time.monotonic()


@contextmanager
def site(load_s: float = 0.5) -> Iterator[Site]:
    """Give a project that is taken down in the end."""
    made = Site(load_s)
    try:
        yield made
    finally:
        made.remove()


def clear_the_ground() -> None:
    """Take down what an earlier, interrupted bench left, and see that the ports are free."""
    clean_up_earlier(PROJECT)
    refuse_taken_ports(list(INSIDE))
    if leftover := _containers_of(edge_of(PROJECT)):
        raise StackError(f"an edge of an earlier bench is left: docker rm -f {' '.join(leftover)}")


def port_lines() -> str:
    """Return what stands under `ports:`."""
    return "".join(f'      - "{port}:{inside}"\n' for port, inside in INSIDE.items())


def ask(host: str, port: int, path: str = "/who") -> str:
    """Return who answers over HTTP, on a connection of its own."""
    try:
        with socket.create_connection((host, port), 2) as line:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
            with line.makefile("rb") as answer:
                return str(json.loads(answer.read().partition(b"\r\n\r\n")[2])["name"])
    except (OSError, ValueError, KeyError) as error:
        return f"nobody ({error})"


def wait_inside(site: Site, service: str, within_s: float = 60.0) -> None:
    """Wait until a service answers at its own address.

    Raises:
        StackError: it does not.

    """
    end, address = time.monotonic() + within_s, site.address(service)
    while ask(address, INSIDE[HTTP]) != service:
        if time.monotonic() > end:
            raise StackError(f"{service} does not answer at {address}")
        time.sleep(0.05)


def hosts() -> tuple[str, ...]:
    """Return the addresses at which the ports are asked: loopback of both families, and one that is not loopback."""
    found = ["127.0.0.1"]
    with socket.socket(socket.AF_INET6) as line:
        try:
            line.bind(("::1", 0))
            found.append("::1")
        except OSError:
            pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.connect(("192.0.2.1", 9))  # nothing is sent: it only asks for the way
            found.append(str(line.getsockname()[0]))
        except OSError:
            pass
    return tuple(found)


def _containers_of(project: str) -> list[str]:
    command = ["docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={project}"]
    done: Any = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    return str(done.stdout).split()
