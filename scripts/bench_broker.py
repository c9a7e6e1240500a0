"""What the edge's ZeroMQ broker costs, paired in one run: no proxy, libzmq's own zmq_proxy, and the broker.

One DEALER client that speaks as REQ does, messages of 200 bytes, an echo server; 64 requests in flight for the
throughput, one for the latency. Each round measures every way once, in turn, so that a busy minute hits all of them.

  --rounds N   rounds (7; the medians count)
  --out FILE   the raw figures as JSON
  --check      exit 1 where the broker has less than 70 % of zmq_proxy's throughput, or adds more than 150 us at p50
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import zmq

ROOT = Path(__file__).parent.parent
BODY = b"x" * 200
REQUESTS = 20_000
ONE_BY_ONE = 2_000
DEPTH = 64
LEAST_SHARE = 0.70
MOST_ADDED_US = 150.0

Figures = dict[str, float]
Spawn = multiprocessing.get_context("spawn")


def main() -> int:
    """Measure and print; see the text above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    raw: dict[str, list[Figures]] = {name: [] for name in WAYS}
    for number in range(1, asked.rounds + 1):
        for name, way in WAYS.items():
            with way() as port:
                raw[name].append(measured(port))
            print(f"round {number} {name}: {raw[name][-1]}", file=sys.stderr)
    found = summary(raw)
    print(table(found))
    if asked.out:
        about = {"pyzmq": zmq.__version__, "libzmq": zmq.zmq_version(), "python": platform.python_version()}
        about["cpus"] = str(os.cpu_count())
        asked.out.write_text(json.dumps({"on": about, "rounds": raw, "summary": found}, indent=1) + "\n")
    good = found["broker"]["of_proxy"] >= LEAST_SHARE and found["broker"]["added_p50_us"] <= MOST_ADDED_US
    return 0 if good or not asked.check else 1


def summary(raw: dict[str, list[Figures]]) -> dict[str, Figures]:
    """Return the medians of each way, and how they compare."""
    middle = {name: {key: median(r[key] for r in rounds) for key in rounds[0]} for name, rounds in raw.items()}
    for name, figures in middle.items():
        pairs = zip(raw[name], raw["zmq_proxy"], strict=True)
        figures["of_proxy"] = round(median(ours["per_s"] / theirs["per_s"] for ours, theirs in pairs), 3)
        figures["added_p50_us"] = round(figures["p50_us"] - middle["direct"]["p50_us"], 1)
        figures["added_to_proxy_p50_us"] = round(figures["p50_us"] - middle["zmq_proxy"]["p50_us"], 1)
    return middle


def table(found: dict[str, Figures]) -> str:
    """Return the medians as lines of text."""
    lines = [f"{'':14}{'msg/s':>9}{'of proxy':>10}{'p50 us':>9}{'p99 us':>9}{'added p50':>11}"]
    lines += [
        f"{name:14}{f['per_s']:9.0f}{f['of_proxy']:10.0%}{f['p50_us']:9.0f}{f['p99_us']:9.0f}{f['added_p50_us']:11.0f}"
        for name, f in found.items()
    ]
    return "\n".join(lines)


def measured(port: int) -> Figures:
    """Return what a client sees at a port, from a process of its own."""
    ours, theirs = Spawn.Pipe()
    process = Spawn.Process(target=ask, args=(port, theirs))
    process.start()
    theirs.close()
    try:
        if not ours.poll(120):
            raise SystemExit(f"no figures from port {port} within 120 s")
        return dict(ours.recv())
    finally:
        process.kill()
        process.join()


def ask(port: int, tell: multiprocessing.connection.Connection) -> None:
    """Measure, and tell."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.linger = 0
        client.connect(f"tcp://127.0.0.1:{port}")
        several(client, 500, DEPTH)
        took = sorted(one_by_one(client, ONE_BY_ONE))
        per_s = several(client, REQUESTS, DEPTH)
        tell.send(
            {
                "per_s": round(per_s),
                "p50_us": round(took[len(took) // 2] * 1e6, 1),
                "p99_us": round(took[len(took) * 99 // 100] * 1e6, 1),
            }
        )


def several(client: zmq.Socket[bytes], number: int, depth: int) -> float:
    """Ask with so many in flight; return how many were answered a second."""
    began, sent = time.perf_counter(), 0
    for answered in range(number):
        while sent < min(number, answered + depth):
            client.send_multipart([b"", BODY])
            sent += 1
        client.recv_multipart()
    return number / (time.perf_counter() - began)


def one_by_one(client: zmq.Socket[bytes], number: int) -> list[float]:
    """Ask one after the other; return how long each took."""
    took = []
    for _ in range(number):
        began = time.perf_counter()
        client.send_multipart([b"", BODY])
        client.recv_multipart()
        took.append(time.perf_counter() - began)
    return took


@contextlib.contextmanager
def direct() -> Iterator[int]:
    """Have nothing between."""
    with running(echo, zmq.REP) as port:
        yield port


@contextlib.contextmanager
def proxied() -> Iterator[int]:
    """Have libzmq's own proxy between, which counts nothing and knows one colour."""
    with running(echo, zmq.REP) as behind, running(proxy, behind) as port:
        yield port


@contextlib.contextmanager
def brokered(mode: str, kind: int) -> Iterator[int]:
    """Have the broker between, as it runs in the edge."""
    with running(echo, kind) as behind, tempfile.TemporaryDirectory() as folder:
        port = free_port()
        target = {"name": "echo.invalid", "address": "127.0.0.1", "port": behind}
        told = {"ports": {port: mode}, "bind": "127.0.0.1", "rules": {"lost_reply": "", "overflow_reply": ""}}
        Path(folder, "broker.json").write_text(json.dumps(told))
        command = [sys.executable, "-m", "cutover.edge.broker", folder]
        broker = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            aim(Path(folder, "control.sock"), {str(port): target})
            yield port
        finally:
            broker.kill()
            broker.wait()


def aim(control: Path, targets: dict[str, object]) -> None:
    """Have the broker lead to the echo server."""
    deadline = time.monotonic() + 10
    while not control.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(str(control))
        channel.sendall(json.dumps({"do": "aim", "slot": "a", "targets": targets}).encode() + b"\n")
        reply = channel.recv(65536)
    if not json.loads(reply)["ok"]:
        raise SystemExit(f"the broker refused: {reply!r}")


@contextlib.contextmanager
def running(work: Callable[..., None], argument: int) -> Iterator[int]:
    """Run a process that listens on a port of its own."""
    port = free_port()
    process = Spawn.Process(target=work, args=(port, argument), daemon=True)
    process.start()
    try:
        yield port
    finally:
        process.kill()
        process.join()


def echo(port: int, kind: int) -> None:
    """Answer each request with itself."""
    with zmq.Context() as context, context.socket(kind) as server:
        server.bind(f"tcp://127.0.0.1:{port}")
        while True:
            server.send_multipart(server.recv_multipart())


def proxy(port: int, behind: int) -> None:
    """Be zmq_proxy."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as front, context.socket(zmq.DEALER) as back:
        front.bind(f"tcp://127.0.0.1:{port}")
        back.connect(f"tcp://127.0.0.1:{behind}")
        zmq.proxy(front, back)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


WAYS: dict[str, Callable[[], contextlib.AbstractContextManager[int]]] = {
    "direct": direct,
    "zmq_proxy": proxied,
    "broker": lambda: brokered("zmq-rep", zmq.REP),
    "broker router": lambda: brokered("zmq-router", zmq.ROUTER),
}

if __name__ == "__main__":
    sys.exit(main())
