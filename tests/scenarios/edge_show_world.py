"""A project behind the edge with TCP, HTTP, WebSocket and ZeroMQ, and clients that hold many connections to it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import zmq

from tests.scenarios.edge_world import EdgeRig, green_up
from tests.scenarios.rig import HERE, free_ports

LARGE = os.environ.get("CUTOVER_SHOW_ALL") == "1"
"""Whether the numbers are those that the edge is judged by, or those that a test run has time for."""
ANSWER_S = 20.0
TEMPLATE = """\
services:
  old:
    image: {image}
    command: ["python3", "/srv/edge_server.py"]
    volumes: ["./edge_server.py:/srv/edge_server.py:ro"]
    environment: {{NAME: old}}
    ports: ["{zmq}:5570", "{http}:6570", "{tcp}:7570"]
    stop_grace_period: 1s
  new:
    image: {image}
    command: ["python3", "/srv/edge_server.py"]
    volumes: ["./edge_server.py:/srv/edge_server.py:ro"]
    environment: {{NAME: new, FAIL: "${{NEW_FAIL:-}}"}}
    stop_grace_period: 1s
"""


class ShowRig(EdgeRig):
    """A project with a port of each kind; `tcp` is set before it is written, `more` goes under `edge:`."""

    tcp: int = 0
    more: str = ""
    canary: str = "{}"

    def write(self) -> None:
        """Write the project's files."""
        self.template = TEMPLATE.replace("{tcp}", str(self.tcp))
        super().write()
        shutil.copy(HERE / "edge_server.py", self.folder / "edge_server.py")
        settings = self.folder / "cutover.yaml"
        edge = f"edge: {{image: {self.edge_image}{self.more}}}"
        text = "\n".join(line for line in settings.read_text().splitlines() if not line.startswith("edge:"))
        settings.write_text(f"{text}\n{edge}\ncanary: {self.canary}\n")


def done(told):
    """See that a command did what it was told."""
    assert told.code == 0, f"{told!r}"


@contextlib.contextmanager
def behind_an_edge(edge_image, folder, **more):
    """Give a project with every kind of port behind a standing edge: `old` serves, `new` is the next blue."""
    (tcp,) = free_ports(1)
    with green_up(ShowRig, edge_image, folder, tcp=tcp, **more) as rig:
        done(rig.swap("--observe", "0"))
        done(rig.swap("--green", "new", "--blue", "old", "--observe", "0", "--commit"))
        yield rig


def address_of_host() -> str:
    """Return an address of this host that is not loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:  # no way out of here: the Engine's own bridge is an address too
            return "172.17.0.1"


def established(port: int) -> set[int]:
    """Return the local ports of the connections that are open to a port of 127.0.0.1."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return {int(r[1].split(":")[1], 16) for r in rows if r[2] == f"0100007F:{port:04X}" and r[3] == "01"}


@dataclass
class Crowd:
    """Connections that are open and idle, each asked once in a while: TCP, WebSocket, kept HTTP, ZeroMQ REQ."""

    rig: ShowRig
    tcp: int
    websockets: int
    http: int
    zmq: int
    cut: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Open them all."""
        self._context = zmq.Context()
        self._context.max_sockets = 1000
        self._number = 0
        self._tcp = [Wire(self.rig.tcp) for _ in range(self.tcp)]
        self._http = [Wire(self.rig.http) for _ in range(self.http)]
        self._websockets = [self._upgraded(Wire(self.rig.http)) for _ in range(self.websockets)]
        self._req = [self._asking() for _ in range(self.zmq)]
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        for one in (*self._tcp, *self._http, *self._websockets):
            one.close()
        self._context.destroy(linger=0)

    def ask(self) -> dict[str, Counter]:
        """Ask each connection once; return who answered, by kind, and note which was cut."""
        kinds = (
            ("tcp", self._tcp, self._line),
            ("websocket", self._websockets, self._frame),
            ("http", self._http, self._get),
            ("zmq", self._req, self._question),
        )
        return {kind: Counter(self._asked(kind, act, one) for one in ones) for kind, ones, act in kinds}

    def _asked(self, kind, act, one) -> str:
        self._number += 1
        try:
            name, echo = act(one, str(self._number))
        except Exception as error:  # noqa: BLE001  (every way to fail counts)
            self.cut.append(f"{kind}: {type(error).__name__}: {error}")
            return "nobody"
        if echo != str(self._number):
            self.cut.append(f"{kind}: asked {self._number}, answered {echo}")
        return name

    @staticmethod
    def _upgraded(wire: Wire) -> Wire:
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = (
            "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
        )
        wire.send(f"{upgrade}\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        assert b" 101 " in wire.until(b"\r\n\r\n")
        return wire

    def _asking(self) -> zmq.Socket:
        asking = self._context.socket(zmq.REQ)
        asking.linger = 0
        asking.rcvtimeo = asking.sndtimeo = int(ANSWER_S * 1000)
        asking.connect(f"tcp://127.0.0.1:{self.rig.zmq}")
        return asking

    @staticmethod
    def _line(wire, text):
        wire.send(f"{text}\n".encode())
        return wire.until(b"\n").decode().split()

    @staticmethod
    def _frame(wire, text):
        mask = os.urandom(4)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(text.encode()))
        wire.send(bytes([0x81, 0x80 | len(masked)]) + mask + masked)
        _, length = wire.exactly(2)
        return wire.exactly(length).decode().split()

    @staticmethod
    def _get(wire, text):
        return get(wire, text)[:2]

    @staticmethod
    def _question(asking, text):
        asking.send_json({"method": "health", "id": text})
        told = asking.recv_json()
        return told["name"], told["id"]


class Wire:
    """A TCP connection that is read by lines and by sizes."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        self._got = b""

    def close(self) -> None:
        """Close it."""
        self.sock.close()

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.sock.sendall(data)

    def exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        while len(self._got) < size:
            self._more()
        taken, self._got = self._got[:size], self._got[size:]
        return taken

    def until(self, end: bytes) -> bytes:
        """Read what ends so."""
        while end not in self._got:
            self._more()
        return self.exactly(self._got.index(end) + len(end))

    def _more(self) -> None:
        part = self.sock.recv(65536)
        if not part:
            raise ConnectionError("it was cut")
        self._got += part


def get(wire: Wire, text: str, *headers: str) -> tuple[str, str, str]:
    """GET a path on a connection that is kept; return who answered, the path without its slash, and the head."""
    extra = "".join(f"{h}\r\n" for h in headers)
    wire.send(f"GET /{text} HTTP/1.1\r\nHost: x\r\n{extra}\r\n".encode())
    head = wire.until(b"\r\n\r\n").decode()
    size = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length"))
    body = wire.exactly(size)
    if " 200 " not in head.splitlines()[0]:
        raise ConnectionError(f"{head}{body!r}")
    told = json.loads(body)
    return told["name"], told["path"][1:], head


@dataclass
class Seen:
    """Who answered how many of the requests of several clients, and which answers came out of order."""

    names: Counter = field(default_factory=Counter)
    disordered: list[str] = field(default_factory=list)
    by_client: dict[str, set[str]] = field(default_factory=dict)

    @property
    def blue_percent(self) -> float:
        """Return the share of the requests that blue answered."""
        return 100 * self.names["new"] / self.names.total()


def over_http(port: int, requests: int, clients: int = 4, *, mark: str = "", gap_s: float = 0.0) -> Seen:
    """Ask over kept connections; `mark` is a header with the client's name, or the cookie that the edge sets."""

    def client(number: int, seen: Seen) -> None:
        sent = [f"{mark}: client-{number}"] if mark else []
        with closing(Wire(port)) as wire:
            for n in range(requests // clients):
                name, echo, head = get(wire, f"{number}-{n}", *sent)
                if "set-cookie: " in head.lower():
                    sent = [f"Cookie: {head.lower().split('set-cookie: ')[1].split(';')[0]}"]
                _note(seen, f"client-{number}", name, echo, f"{number}-{n}")
                time.sleep(gap_s)

    return _together(client, clients)


def over_zmq(port: int, requests: int, clients: int = 4, *, depth: int = 20) -> Seen:
    """Ask by DEALER sockets that have several requests under way each, so that order can be lost."""
    context = zmq.Context()

    def client(number: int, seen: Seen) -> None:
        with context.socket(zmq.DEALER) as asking:
            asking.linger = 0
            asking.rcvtimeo = int(ANSWER_S * 1000)
            asking.setsockopt(zmq.IDENTITY, f"client-{number}".encode())
            asking.connect(f"tcp://127.0.0.1:{port}")
            total = requests // clients
            for n in range(total + depth):
                if n < total:
                    asking.send_multipart([b"", json.dumps({"method": "health", "id": n}).encode()])
                if n >= depth:
                    told = json.loads(asking.recv_multipart()[1])
                    _note(seen, f"client-{number}", told.get("name", str(told)), told.get("id"), n - depth)

    try:
        return _together(client, clients)
    finally:
        context.destroy(linger=0)


def _note(seen, client, name, echo, asked):
    seen.names[name] += 1
    seen.by_client.setdefault(client, set()).add(name)
    if echo != asked:
        seen.disordered.append(f"{client}: asked {asked}, answered {echo}")


def _together(client, clients) -> Seen:
    each = [Seen() for _ in range(clients)]
    wrong: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            client(number, each[number])
        except Exception as error:  # noqa: BLE001  (told below, in the thread that is looked at)
            wrong.append(error)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
    seen = Seen()
    for one in each:
        seen.names += one.names
        seen.disordered += one.disordered
        seen.by_client |= one.by_client
    return seen
