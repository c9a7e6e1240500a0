#!/usr/bin/env python3
"""What comparing costs in `cutover parity`: pairs per second with and without it, against two real services each.

    python3 scripts/bench_parity.py [--pairs 10000] [--rounds 3] [--kind zmq|http]...

Two services run as processes of their own and answer as fast as they can, over ZeroMQ and over HTTP: *equal* ones,
whose replies are the same bytes, and *named* ones, the dear case: they name themselves and list their models in another
order, so that no two replies are the same bytes and three rules apply to each pair. `send only` asks the same questions
in the same order over the same connections and looks at nothing. `compare` is the share of the time in which replies
were compared. Medians.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import zmq

from cutover.config import Errors, Mode, Parity
from cutover.validate.parity import load_cases, run_parity
from cutover.validate.parity.asking import Pair
from cutover.validate.parity.run import shuffled
from cutover.validate.talk import Address, question_of

PORT = 5570
CASES = {"equal": ("manager", "manager"), "named": ("green", "blue")}
RULES = [
    {"path": "$.service", "rule": "ignore"},
    {"path": "$.result.models", "rule": "unordered", "by": "model"},
    {"path": "$.result.score", "rule": "number", "abs": 1e-6},
]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kind", choices=["zmq", "http"], action="append")
    told = parser.parse_args()
    print(f"{told.pairs} pairs, median of {told.rounds} rounds, one worker, in turn")
    print(f"{'':12}{'send only':>14}{'compared':>14}{'compare':>10}{'differences':>13}{'most memory':>13}")
    for kind in told.kind or ["zmq", "http"]:
        for case, names in CASES.items():
            with services(kind, names) as (green, blue):
                show(f"{kind} {case}", [measure(kind, green, blue, told.pairs) for _ in range(told.rounds)])


def show(title: str, rounds: list[dict[str, float]]) -> None:
    """Print the medians."""
    middle = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
    print(
        f"{title:12}{middle['sent_per_s']:>10.0f} /s {middle['compared_per_s']:>10.0f} /s"
        f"{middle['share']:>10.1%}{middle['different']:>13.0f}{middle['megabytes']:>9.0f} MiB",
        flush=True,
    )


def measure(kind: str, green: Address, blue: Address, pairs: int) -> dict[str, float]:
    """Return pairs per second without and with comparing, and the share of the time that comparing took."""
    parity = Parity.model_validate({"to": address(kind), "rules": RULES, "cases": cases(pairs)})
    asked = load_cases(parity, Path())
    began = time.perf_counter()
    with Pair({PORT: green}, {PORT: blue}, Mode.TURN) as pair:
        for turn, index, _ in shuffled(asked, parity.seed):
            pair.ask(question_of(asked[index]), turn)
    sent_s = time.perf_counter() - began
    figures = run_parity(asked, {PORT: green}, {PORT: blue}, parity, Errors()).figures
    return {
        "sent_per_s": pairs / sent_s,
        "compared_per_s": figures["pairs_per_s"],
        "share": figures["compare_s"] / figures["seconds"],
        "different": figures["different"] + figures["unjudged"],
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def address(kind: str) -> str:
    """Return what the cases are sent to."""
    return f"zmq://:{PORT}" if kind == "zmq" else f"http://:{PORT}/ask"


def cases(pairs: int) -> list[dict[str, object]]:
    """Return cases that all ask for something else."""
    return [{"request": {"method": "generate", "seed": seed}} for seed in range(pairs)]


def answer(name: str, request: bytes) -> bytes:
    """Answer as a model manager does: who it is, its models in an order of its own, a score, a text."""
    drawn = random.Random(json.loads(request)["seed"])
    models = [{"model": f"chars-{n}", "order": n, "loaded": n == 4} for n in range(1, 7)]
    text = " ".join(drawn.choice(("harbour", "ship", "tide", "rope")) for _ in range(30))
    score = drawn.random()
    if name == "blue":
        models.reverse()
    return json.dumps(
        {"status": "ok", "service": name, "result": {"text": text, "score": score, "models": models}}
    ).encode()


def serve_zmq(name: str, port: int) -> None:
    """Answer over ZeroMQ."""
    socket_: zmq.Socket[bytes] = zmq.Context().socket(zmq.REP)
    socket_.bind(f"tcp://127.0.0.1:{port}")
    while True:
        socket_.send(answer(name, socket_.recv()))


def serve_http(name: str, port: int) -> None:
    """Answer over HTTP, connections kept alive."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = answer(name, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


@contextmanager
def services(kind: str, names: tuple[str, str]) -> Iterator[tuple[Address, Address]]:
    """Run green and blue as processes of their own."""
    serve: Callable[[str, int], None] = serve_zmq if kind == "zmq" else serve_http
    ports = free_ports(2)
    processes = [
        multiprocessing.Process(target=serve, args=(name, port), daemon=True)
        for name, port in zip(names, ports, strict=True)
    ]
    for process in processes:
        process.start()
    try:
        for port in ports:
            wait_for(port)
        yield Address("127.0.0.1", ports[0]), Address("127.0.0.1", ports[1])
    finally:
        for process in processes:
            process.kill()
            process.join()


def free_ports(count: int) -> list[int]:
    """Return free ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(s.getsockname()[1]) for s in sockets]
    for opened in sockets:
        opened.close()
    return ports


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


if __name__ == "__main__":
    main()
