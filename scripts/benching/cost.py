"""What the edge takes from the throughput: the same server through it and without it, in turn, in one run.

Closed loop, unlike everything else here: as many requests as the connections can carry. Over HTTP that is wrk's work;
the broker is measured by `bench_broker.py`, beside libzmq's own proxy and no proxy at all.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from stack import StackError, refuse_taken_ports

from benching.peers import IMAGE, built
from benching.site import HTTP, ONE, TWO, Site, hosts, site
from benching.ways import no_edge, swap

DIRECT = 18570
"""Where the server is published beside the edge, without it."""
PLAIN = 19570
"""Where Debian's HAProxy stands before it with nothing in its configuration but that."""
PATHS = {"direct": DIRECT, "plain": PLAIN, "edge": HTTP}
CONNECTIONS, SECONDS = 16, 3
LEAST_HTTP = 0.6
BROKER = Path(__file__).parents[1] / "bench_broker.py"
UNITS_US = {"us": 1.0, "ms": 1e3, "s": 1e6}

NGINX = """\
daemon off;
pid /tmp/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    server {{
        listen 6570;
        default_type application/json;
        location / {{ return 200 '{{"status": "ok", "name": "{name}", "id": ""}}'; }}
    }}
}}
"""
HAPROXY = f"""\
defaults
    mode http
    timeout connect 1s
    timeout client 1m
    timeout server 1m
listen all
    bind :6570
    server two {TWO}:6570
"""
HEALTH = (
    "import signal; from language_stack import health; "
    "health.serve(('0.0.0.0', 6570), lambda: dict(status='ok', name='{name}')); signal.pause()"
)
SERVERS = {
    "nginx": (
        f'    image: {IMAGE}\n    command: ["nginx", "-c", "/srv/{{name}}.conf"]\n'
        '    volumes: ["./{name}.conf:/srv/{name}.conf:ro"]\n'
    ),
    "demo": (  # the demonstration's own: http.server, a thread for each connection
        '    image: language-stack:demo\n    command: ["python3", "-c", "{health}"]\n'
    ),
}
SETTINGS = f"""\
green: {ONE}
blue: {TWO}
ports: [{HTTP}]
observe_s: 0.2
probes: ["http://:{HTTP}/health?expect=status:ok&identity=name"]
edge:
  ports: {{{HTTP}: http}}
"""


@dataclass(frozen=True, slots=True)
class Pass:
    """One measurement over HTTP: requests a second, and the median latency in microseconds."""

    server: str
    host: str
    path: str
    per_s: float
    p50_us: float


@dataclass(frozen=True, slots=True)
class Costs:
    """All of them in the order in which they were taken, and what bench_broker.py said."""

    passes: Sequence[Pass]
    broker: Mapping[str, Any] = field(default_factory=dict)

    def ratio(self, server: str, host: str, path: str = "edge") -> float:
        """Return a path's share of the throughput without it: the median of neighbours in time."""
        pairs = zip(self._of(server, host, path), self._of(server, host, "direct"), strict=True)
        return float(median(ours.per_s / direct.per_s for ours, direct in pairs))

    @property
    def good(self) -> bool:
        """Say whether nothing costs more than it may."""
        return all(self.ratio(*each) >= LEAST_HTTP for each in self._pairs()) and bool(self.broker.get("ok", True))

    def text(self) -> str:
        """Return it as a person reads it."""
        words = (
            ("direct", 12),
            ("edge", 12),
            ("share", 8),
            ("plain HAProxy", 15),
            ("p50 direct", 13),
            ("p50 edge", 12),
        )
        head = "".join(f"{word:>{width}}" for word, width in words)
        lines = [f"{'HTTP':8}{'asked at':18}{head}   at least {LEAST_HTTP:.0%}"]
        for server, host in self._pairs():
            ends = ("direct", "edge")
            per_s, p50 = ([self._middle(server, host, path, what) for path in ends] for what in ("per_s", "p50_us"))
            lines.append(
                f"{server:8}{host:18}{per_s[0]:>10,.0f}/s{per_s[1]:>10,.0f}/s{self.ratio(server, host):>8.0%}"
                f"{self.ratio(server, host, 'plain'):>15.0%}"
                f"{p50[0]:>10,.0f} us{p50[1]:>9,.0f} us   {'yes' if self.ratio(server, host) >= LEAST_HTTP else 'NO'}"
            )
        return "\n".join([*lines, *(["", str(self.broker["text"])] if "text" in self.broker else [])])

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        ratios = {f"{server} {host}": round(self.ratio(server, host), 3) for server, host in self._pairs()}
        plain = {f"{server} {host}": round(self.ratio(server, host, "plain"), 3) for server, host in self._pairs()}
        return {
            "ok": self.good,
            "http": ratios,
            "plain": plain,
            "passes": [asdict(p) for p in self.passes],
            "broker": self.broker,
        }

    def _pairs(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((p.server, p.host) for p in self.passes))

    def _middle(self, server: str, host: str, path: str, what: str) -> float:
        return float(median(getattr(p, what) for p in self._of(server, host, path)))

    def _of(self, server: str, host: str, path: str) -> list[Pass]:
        return [p for p in self.passes if (p.server, p.host, p.path) == (server, host, path)]


def run(rounds: int, say: Callable[[str], None]) -> Costs:
    """Measure each server through both paths, `rounds` times.

    Raises:
        StackError: what is measured with cannot be had.

    """
    if not built():
        raise StackError(f"{IMAGE} could not be built: it has nginx and wrk, from Debian")
    if why := no_edge():
        raise StackError(why)
    refuse_taken_ports([DIRECT, PLAIN])
    passes = [each for server in SERVERS for each in _measured(server, rounds, say)]
    return Costs(passes, broker(rounds, say))


def broker(rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Return what the broker's own measurement said."""
    say("the broker")
    with tempfile.TemporaryDirectory(prefix="cutover-bench-") as folder:
        raw = Path(folder, "raw.json")
        command = [sys.executable, str(BROKER), "--rounds", str(rounds), "--check", "--out", str(raw)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        try:
            return {"ok": done.returncode == 0, "text": done.stdout.strip(), **json.loads(raw.read_text("utf-8"))}
        except (OSError, ValueError):
            return {
                "ok": False,
                "text": f"the broker could not be measured: {BROKER.name} ended with {done.returncode}",
            }


def _measured(server: str, rounds: int, say: Callable[[str], None]) -> Iterator[Pass]:
    with site() as here:
        _start(here, server)
        asked = [each for each in hosts() if ":" not in each]
        for number in range(rounds):
            for host in asked:
                order = list(PATHS) if number % 2 == 0 else list(reversed(PATHS))
                for path in order:
                    one = Pass(server, host, path, *wrk(host, PATHS[path]))
                    say(f"round {number + 1} {server} {path} at {host}: {one.per_s:,.0f}/s, p50 {one.p50_us:,.0f} us")
                    yield one


def _start(here: Site, server: str) -> None:
    """Have the edge adopt `one`'s port and lead to `two`, which is published by itself as well."""
    published = {ONE: HTTP, TWO: DIRECT}
    parts = [
        f"  {name}:\n{SERVERS[server].format(name=name, health=HEALTH.format(name=name))}"
        f"    ports: ['{port}:6570']\n    stop_grace_period: 1s\n"
        for name, port in published.items()
    ]
    parts.append(
        f'  plain:\n    image: {IMAGE}\n    command: ["haproxy", "-f", "/srv/plain.cfg"]\n'
        f"    volumes: ['./plain.cfg:/srv/plain.cfg:ro']\n    ports: ['{PLAIN}:6570']\n    stop_grace_period: 1s\n"
    )
    (here.folder / "plain.cfg").write_text(HAPROXY, "utf-8")
    here.file.write_text("services:\n" + "".join(parts), "utf-8")
    (here.folder / "cutover.yaml").write_text(SETTINGS, "utf-8")
    for name in published:
        (here.folder / f"{name}.conf").write_text(NGINX.format(name=name), "utf-8")
    here.compose("up", "-d", ONE)
    here.wait_for(ONE, path="/health")
    swap(here, ONE, TWO, "--strategy", "edge")
    here.compose("up", "-d", "plain")
    for port in PATHS.values():
        here.wait_for(TWO, port, "/health")


def wrk(host: str, port: int) -> tuple[float, float]:
    """Return requests a second and the median latency in microseconds.

    Raises:
        StackError: some were not answered.

    """
    load = ["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--latency", f"http://{host}:{port}/health"]
    command = ["docker", "run", "--rm", "--network", "host", IMAGE, *load]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or "Socket errors" in done.stdout or "Non-2xx" in done.stdout:
        raise StackError(f"{' '.join(load)}:\n{done.stdout}{done.stderr}")
    return read(done.stdout)


def read(text: str) -> tuple[float, float]:
    """Return the two figures of wrk's report."""
    per_s = re.search(r"Requests/sec:\s*([0-9.]+)", text)
    middle = re.search(r"50%\s+([0-9.]+)(us|ms|s)\b", text)
    assert per_s, text
    assert middle, text
    return float(per_s[1]), float(middle[1]) * UNITS_US[middle[2]]
