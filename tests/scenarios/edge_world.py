"""A project that is swapped by the edge, what an edge leaves behind, and clients that ask all the time."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import secrets
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

import docker
import zmq

from tests.scenarios.rig import Rig, Told, free_ports

ANSWER_S = 30.0
TOLD = re.compile(r"\d+ connections ended at rest[^\"\n]*")
LOST = re.compile(r"(\d+) (?:at the deadline|got another request in that very moment)")


def reported_lost(*runs: Told) -> int:
    """Return how many requests cutover reported, at most, as lost with a connection that it ended."""
    lines = (line for told in runs for line in TOLD.findall(f"{told.out}{told.err}"))
    return sum(int(number) for line in lines for number in LOST.findall(line))


class EdgeRig(Rig):
    """A project whose `cutover.yaml` asks for the edge."""

    def write(self) -> None:
        """Write the project's files."""
        super().write()
        settings = self.folder / "cutover.yaml"
        asked = settings.read_text().replace("strategy: relink", "strategy: edge")
        settings.write_text(f"{asked}edge: {{image: {self.edge_image}}}\n")

    def edges(self) -> list[str]:
        """Return the names of the edge's containers, running or not."""
        client = docker.from_env(environment=self.environ())
        try:
            labels = {"label": [f"io.cutover.project={self.project}"]}
            return sorted(c.name for c in client.containers.list(all=True, ignore_removed=True, filters=labels))
        finally:
            client.close()

    def tables(self) -> list[str]:
        """Return the nftables tables of this project on the host."""
        listed = subprocess.run(
            [
                "docker",
                "run",
                "--rm",
                "--network=host",
                "--cap-add=NET_ADMIN",
                self.edge_image,
                "nft",
                "list",
                "tables",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return [line for line in listed.stdout.splitlines() if "cutover" in line and self.project in line]

    def traces(self) -> list[str]:
        """Return what a swap by the edge must not leave behind once it was rolled back."""
        overrides = [str(p) for p in (self.folder / "overrides").glob("*")]
        return [*self.edges(), *self.tables(), *self.leftovers(), *overrides]

    def down(self) -> None:
        """Take everything away."""
        for name in self.edges():
            subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)
        super().down()

    edge_image: str = ""


def made(kind, edge_image, folder, **more):
    """Return a project of a kind of EdgeRig, its files written."""
    zmq_port, http_port = free_ports(2)
    rig = kind(folder, f"ce{secrets.token_hex(4)}", zmq_port, http_port)
    rig.edge_image = edge_image
    for name, value in more.items():
        setattr(rig, name, value)
    rig.write()
    return rig


@contextlib.contextmanager
def green_up(kind, edge_image, folder, **more):
    """Give such a project with green up, behind no edge yet."""
    rig = made(kind, edge_image, folder, **more)
    try:
        rig.up()
        yield rig
    finally:
        rig.down()


@dataclass
class Clients:
    """New HTTP connections, a kept one, and a persistent ZeroMQ REQ socket, each asking in turn without a pause."""

    http: int
    zmq: int
    hosts: tuple[str, ...] = ("127.0.0.1",)
    pause_s: float = 0.01
    failed: list[str] = field(default_factory=list)
    answered: Counter = field(default_factory=Counter)
    longest_s: float = 0.0
    reopened: int = 0

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._over = threading.Event()
        asks = (self._new, self._kept, self._req)
        self._threads = [threading.Thread(target=ask, args=(host,)) for host in self.hosts for ask in asks]
        for thread in self._threads:
            thread.start()
        time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        """Ask no more."""
        time.sleep(0.3)
        self._over.set()
        for thread in self._threads:
            thread.join()

    def see_none_lost_unseen(self, *runs: Told) -> None:
        """See that nothing failed but what cutover reported as cut at the deadline, or asked in that very moment.

        A client that asks while its connection is being ended: the machine has to be out of breath for that.
        """
        assert not [f for f in self.failed if f.startswith("new") or "Refused" in f], self.failed
        assert len(self.failed) <= reported_lost(*runs), (self.failed, runs)

    def _each(self, kind, ask) -> None:
        number = 0
        while not self._over.wait(self.pause_s):
            number += 1
            began = time.monotonic()
            try:
                name, echo = ask(number)
            except Exception as error:  # noqa: BLE001  (every way to fail counts)
                self.failed.append(f"{kind}: {type(error).__name__}: {error}")
                continue
            if str(number) not in str(echo):
                self.failed.append(f"{kind}: asked {number}, answered {echo}")
            self.answered[kind, name] += 1
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    def _new(self, host: str) -> None:
        def ask(number):
            where = f"[{host}]" if ":" in host else host
            with urllib.request.urlopen(f"http://{where}:{self.http}/{number}", timeout=ANSWER_S) as reply:
                told = json.load(reply)
            return told["name"], told["path"]

        self._each(f"new {host}", ask)

    def _kept(self, host: str) -> None:
        connection = http.client.HTTPConnection(host, self.http, timeout=ANSWER_S)

        def ask(number):
            if connection.sock is not None and _closed(connection.sock):  # before a request: as every client does
                connection.close()
                self.reopened += 1
            connection.request("GET", f"/{number}")
            with connection.getresponse() as reply:
                if reply.status != http.HTTPStatus.OK:
                    raise http.client.HTTPException(f"HTTP {reply.status}: {reply.read()[:200]!r}")
                told = json.load(reply)
            return told["name"], told["path"]

        try:
            self._each(f"kept {host}", ask)
        finally:
            connection.close()

    def _req(self, host: str) -> None:
        with zmq.Context() as context, context.socket(zmq.REQ) as asking:
            asking.linger = 0
            asking.rcvtimeo = asking.sndtimeo = int(ANSWER_S * 1000)
            asking.ipv6 = ":" in host
            where = f"[{host}]" if ":" in host else host
            asking.connect(f"tcp://{where}:{self.zmq}")

            def ask(number):
                asking.send_json({"method": "health", "id": number})
                told = asking.recv_json()
                return told["name"], told["id"]

            self._each(f"req {host}", ask)


def _closed(sock) -> bool:
    """Say whether the server closed a connection while nothing was asked on it."""
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(ANSWER_S)
