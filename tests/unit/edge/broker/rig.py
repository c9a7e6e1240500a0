"""A broker that runs as its own process, and colours behind it: what every test of the broker stands on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import zmq

from cutover.config.edge import Edge
from cutover.edge.brokerface import BrokerFace
from cutover.edge.shape import EdgePort, Mode, PortStats, Slot, Target
from cutover.errors import EdgeError

ROOT = Path(__file__).parents[4]
SOON_S = 10.0
NOWHERE = "no-such-container.invalid"

_PROCESS = """
import sys, time, zmq
kind, port, tag, delay = getattr(zmq, sys.argv[1]), sys.argv[2], sys.argv[3].encode(), float(sys.argv[4])
socket = zmq.Context().socket(kind)
socket.bind(f"tcp://127.0.0.1:{port}")
print("up", flush=True)
while True:
    *envelope, body = socket.recv_multipart()
    time.sleep(delay if b"method" in body else 0)
    socket.send_multipart([*envelope, tag + body])
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(fact: Callable[[], object], what: str = "it") -> float:
    """Wait until something is so; return how long that took."""
    began = time.monotonic()
    while not fact():
        if time.monotonic() - began > SOON_S:
            raise AssertionError(f"{what} did not come to be within {SOON_S} s")
        time.sleep(0.005)
    return time.monotonic() - began


class Colour:
    """A service in a thread: says its tag before what it was asked, as REP or ROUTER; `frames` is what it saw last."""

    def __init__(self, tag: str = "", kind: int = zmq.REP, *, delay_s: float = 0.0, port: int | None = None) -> None:
        self.tag, self.kind, self.delay_s = tag.encode(), kind, delay_s
        self.port = port or free_port()
        self.frames: list[bytes] = []
        self.asked = 0
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(SOON_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the socket; what it has not answered is not answered."""
        self._stop.set()
        self._thread.join()

    @property
    def target(self) -> Target:
        """Return where it answers."""
        return Target(NOWHERE, "127.0.0.1", self.port)

    def _work(self) -> None:
        with zmq.Context() as context, context.socket(self.kind) as server:
            server.linger = 0
            server.bind(f"tcp://127.0.0.1:{self.port}")
            self._ready.set()
            while not self._stop.is_set():
                if server.poll(10):
                    self.frames = server.recv_multipart()
                    self.asked += 1
                    if self._stop.wait(self.delay_s):
                        return
                    server.send_multipart([*self.frames[:-1], self.tag + self.frames[-1]])


class ColourProcess:
    """The same as a process, which can be killed and paused; it takes its time only over what names a method."""

    def __init__(self, tag: str = "", kind: str = "REP", *, delay_s: float = 0.0, port: int | None = None) -> None:
        self.port = port or free_port()
        self._command = [sys.executable, "-c", _PROCESS, kind, str(self.port), tag, str(delay_s)]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "up\n"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    @property
    def target(self) -> Target:
        """Return where it answers."""
        return Target(NOWHERE, "127.0.0.1", self.port)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)


class Rig:
    """A broker's folder, its process, and its face. The first port is the one that is meant where none is named."""

    def __init__(self, folder: Path, modes: tuple[Mode, ...], settings: dict[str, Any], **more: object) -> None:
        self.folder = folder
        self.ports = [free_port() for _ in modes]
        edge_ports = [EdgePort(port, mode, ()) for port, mode in zip(self.ports, modes, strict=True)]
        self.face = BrokerFace(folder, edge_ports, Edge.model_validate(settings))
        self.face.write({}, Slot.A)
        path = folder / "broker.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "bind": "127.0.0.1", **more}))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the broker's process."""
        assert self._process is not None
        return self._process.pid

    @property
    def rss_bytes(self) -> int:
        """Return how much memory it has."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def cpu_s(self) -> float:
        """Return how much processor time it used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def start(self) -> Self:
        """Start the process, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "cutover.edge.broker", str(self.folder)]
            self._process = subprocess.Popen(command, cwd=ROOT, stderr=log)
        wait_for(self.answers, "an answer of the broker")
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the process; return its exit status."""
        self.send(number)
        return self.wait()

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return the exit status of the process."""
        assert self._process is not None
        return self._process.wait(SOON_S)

    def answers(self) -> bool:
        """Say whether the control socket answers."""
        with contextlib.suppress(EdgeError):
            self.face.stats()
            return True
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        return False

    def aim(self, slot: Slot, *colours: Colour | ColourProcess) -> None:
        """Lead a slot to colours, one for each port, and wait until they are up."""
        self.face.aim(slot, {port: colour.target for port, colour in zip(self.ports, colours, strict=True)})
        wait_for(lambda: not self.face.down(slot), f"slot {slot}")

    def stats(self, which: int = 0) -> PortStats:
        """Return the counters of a port."""
        return self.face.stats()[self.ports[which]]

    @contextlib.contextmanager
    def client(self, kind: int = zmq.REQ, which: int = 0, **options: object) -> Iterator[zmq.Socket[bytes]]:
        """Connect to a port; what is waited for comes soon or fails the test."""
        with zmq.Context() as context, context.socket(kind) as socket:
            socket.linger = 0
            socket.rcvtimeo = socket.sndtimeo = int(SOON_S * 1000)
            for name, value in options.items():
                setattr(socket, name, value)
            socket.connect(f"tcp://127.0.0.1:{self.ports[which]}")
            yield socket

    def log(self) -> str:
        """Return what the broker said."""
        return (self.folder / "log").read_text()


@contextlib.contextmanager
def rig(
    folder: Path, *modes: Mode, settings: dict[str, Any] | None = None, started: bool = True, **more: object
) -> Iterator[Rig]:
    """Have a broker for a while; it must not have met anything that it did not foresee."""
    made = Rig(folder, modes or (Mode.REP,), settings or {}, **more)
    try:
        yield made.start() if started else made
    finally:
        if made._process is not None and made._process.poll() is None:
            assert made.stop() == 0
        assert "defect" not in made.log(), made.log()


def ask(socket: zmq.Socket[bytes], text: str = "") -> str:
    """Ask over a REQ."""
    socket.send(text.encode())
    return socket.recv().decode()
