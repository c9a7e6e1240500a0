"""A project with one service for each fault that the doctor knows, and healthy ones between them, all up at once."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.scenarios.rig import HERE, IMAGE, Told, free_ports

SEND = 'send={{"method":"health_check"}}'
ZMQ, HTTP = f"zmq://:{{port}}?{SEND}&timeout={{timeout}}", "http://:{port}/health?timeout={timeout}"


@dataclass(frozen=True)
class Fault:
    """A service: what its server does, what a client asks of its first port, and how the doctor has to name it."""

    code: str
    does: str = ""
    ask: str = ""
    inside: int = 8000
    env: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    severity: str = "error"
    published: bool = True
    timeout_s: float = 2.0


NO_CURL = {"test": ["CMD", "curl", "-f", "http://localhost:8000/"], "interval": "1s", "retries": 2}
REDIS = "redis-server --protected-mode no --bind 0.0.0.0 --save '' >/dev/null & "
BESIDE = {"command": ["sh", "-c", REDIS + "exec python3 -m http.server 8000"]}
LOADS_BESIDE = {"command": ["sh", "-c", REDIS + "echo 'Loading model 40%'; exec sleep 3600"]}
NO_GPU = {"driver": "nobody", "count": 1, "capabilities": ["gpu"]}
"""Refused by the Engine in the words in which it refuses `nvidia` where there is no such runtime."""
HEALTHY: dict[str, Fault] = {
    "web": Fault("", ask=HTTP),
    "web-checked": Fault("", ask=HTTP, more={"healthcheck": {"test": ["CMD", "true"], "interval": "1s"}}),
    "rep": Fault("", "rep", ZMQ),
    "router": Fault("", "router", ZMQ),
    "cache": Fault("", inside=6379, more={"command": "redis-server --protected-mode no --save ''"}),
    "beside": Fault("", ask="http://:{port}/?timeout={timeout}", env={"REDIS_PORT": "6379"}, more=BESIDE),
    "job": Fault("", published=False, more={"command": ["true"]}),
    "idle": Fault("", published=False, more={"command": ["sleep", "3600"]}),
    "suite-works": Fault("", "suite-works", ZMQ, inside=9901),
}
FAULTS: dict[str, Fault] = {
    "exited": Fault("exited", "exit"),
    "restarting": Fault("restarting", "crash", more={"restart": "always"}),
    "oom": Fault("oom-killed", "hog", more={"mem_limit": "64m"}),
    "loopback": Fault("loopback-only", "loopback", HTTP),
    "ipv6": Fault("ipv6-only", "ipv6", HTTP),
    "elsewhere": Fault("listens-elsewhere", "elsewhere", HTTP),
    "mismatch": Fault("port-mismatch", ask=HTTP, env={"AGENT_PORT": "8001"}),
    "loads": Fault("still-starting", "loads", HTTP),
    "loads-beside": Fault("still-starting", ask=HTTP, env={"REDIS_PORT": "6379"}, more=LOADS_BESIDE),
    "twice": Fault("port-wanted-twice", "twice", ZMQ, severity="warning"),
    "twice-dead": Fault("port-wanted-twice", "twice-dead", ZMQ),
    "stuck": Fault("not-reading", "stuck", ZMQ),
    "deaf": Fault("not-reading", "deaf", HTTP),
    "slow": Fault("slow-reply", "slow", ZMQ),
    "pub": Fault("wrong-socket-type", "pub", ZMQ),
    "pull": Fault("wrong-socket-type", "pull", ZMQ),
    "dealer": Fault("wrong-socket-type", "dealer", ZMQ),
    "curve": Fault("wrong-mechanism", "curve", ZMQ),
    "plain": Fault("wrong-mechanism", "plain", ZMQ),
    "web-for-zmq": Fault("wrong-protocol", ask=ZMQ),
    "zmq-for-web": Fault("wrong-protocol", "rep", HTTP),
    "ill": Fault("health-not-ok", "ill", HTTP),
    "no-curl": Fault("healthcheck-missing", ask=HTTP, more={"healthcheck": NO_CURL}),
    "no-module": Fault("died-on-import", more={"command": ["python3", "-c", "import torch_that_is_not_there"]}),
    "no-syntax": Fault("died-on-import", more={"command": ["python3", "-c", "if True:\nprint(1)"]}),
    "apart": Fault("other-network", ask=HTTP, more={"networks": ["back"]}),
    "local": Fault("one-address", ask=HTTP, more={"address": "127.0.0.1"}, severity="info"),
    "frozen": Fault("paused"),
    "unnamed": Fault("alias-missing", ask=HTTP, inside=8013),
    "walled": Fault("firewall-drops", ask=HTTP, inside=8014),
    "fleeting": Fault("host-port-ephemeral", ask=HTTP, severity="warning"),
    "stale": Fault("stale-proxy"),
    "gpu": Fault("gpu-refused", more={"deploy": {"resources": {"reservations": {"devices": [NO_GPU]}}}}),
    "foreign": Fault("host-port-foreign"),
    "taken": Fault("host-port-container"),
    # what the original's successor logged, in the ways that its authors guessed, and the two that they did not
    "suite-exits": Fault("exited", "suite-exits", ZMQ, inside=9901),
    "suite-unreachable": Fault("loopback-only", "loopback", HTTP, more={"says": "successfully bound to ports"}),
    "suite-mapped": Fault("port-mismatch", "suite-works", ZMQ, inside=9911, env={"PORT": "9901"}),
    "suite-thread": Fault("not-reading", "dead-thread", ZMQ, inside=9901),
    "suite-late": Fault("still-starting", "suite-late", ZMQ, inside=9901),
    "suite-health": Fault(
        "listened-not-published", "suite-works", ZMQ, inside=9901, env={"HEALTH_PORT": "9903"}, severity="warning"
    ),
}
APART = {
    "client": {
        "depends_on": ["apart"],
        "networks": ["front"],
        "environment": {"SERVER": "http://apart:8000"},
        "command": ["sleep", "3600"],
    },
    "caller": {
        "depends_on": ["unnamed"],
        "environment": {"MANAGER_URL": "http://manager:8013/api"},
        "command": ["sleep", "3600"],
    },
}
BY_HAND = ("foreign", "taken", "stale", "gpu")
PROXY = "import socket,time; s=socket.create_server(('0.0.0.0', {port})); time.sleep(3600)"
"""What `up` cannot start, as it should not be able to."""


class Ward:
    """The project, up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"ct{secrets.token_hex(4)}"
        everybody = {**HEALTHY, **FAULTS}
        self.ports = dict(zip(everybody, free_ports(len(everybody)), strict=True))
        with socket.create_server(("0.0.0.0", 0)) as any_port:
            self.ports["fleeting"] = any_port.getsockname()[1]
        self.wall: list[str] = []
        shutil.copy(HERE / "doctor_server.py", folder / "server.py")
        services = {name: self._service(name, fault) for name, fault in everybody.items()}
        services |= {name: self._plain(one) for name, one in APART.items()}
        networks = {"front": {}, "back": {}}
        (folder / "docker-compose.yml").write_text(json.dumps({"services": services, "networks": networks}, indent=1))
        asked = [
            f.ask.format(port=self.ports[name], timeout=f"{f.timeout_s:g}") for name, f in everybody.items() if f.ask
        ]
        (folder / "cutover.yaml").write_text(json.dumps({"probes": asked}))

    def _service(self, name: str, fault: Fault) -> dict[str, Any]:
        more = dict(fault.more)
        address = f"{more.pop('address')}:" if "address" in more else ""
        more.pop("says", None)
        published = {"ports": [f"{address}{self.ports[name]}:{fault.inside}"]} if fault.published else {}
        environment = {"FAULT": fault.does, "PORT": str(fault.inside), **fault.env}
        return self._plain({"environment": environment, **published, **more})

    def _plain(self, more: dict[str, Any]) -> dict[str, Any]:
        return {
            "image": IMAGE,
            "command": ["python3", "-u", "/srv/server.py"],
            "volumes": ["./server.py:/srv/server.py:ro"],
            "init": True,
            "stop_grace_period": "1s",
            **more,
        }

    def up(self) -> None:
        """Start all of it, and wait until the faults have shown."""
        self.squatter = socket.create_server(("0.0.0.0", self.ports["foreign"]))
        told = ["-c", PROXY.format(port=self.ports["stale"]), "-container-ip", "192.0.2.9", "-container-port", "1"]
        home = {"PYTHONHOME": sys.base_prefix}
        self.proxy = subprocess.Popen(["/usr/sbin/docker-proxy", *told], executable=sys.executable, env=home)
        taker = ["docker", "run", "-d", "--name", f"{self.name}-taker", "-p", f"{self.ports['taken']}:1"]
        subprocess.run([*taker, IMAGE, "sleep", "3600"], check=True, capture_output=True)
        others = [name for name in (*HEALTHY, *FAULTS, *APART) if name not in BY_HAND]
        self.compose("up", "-d", *others)
        self.compose("create", *BY_HAND)
        for name in BY_HAND:
            self.compose("start", name, check=False)
        self.compose("pause", "frozen")
        address = self.address("walled")
        self.wall = ["DOCKER-USER", "-d", address, "-p", "tcp", "--dport", "8014", "-j", "DROP"]
        subprocess.run(["iptables", "-I", *self.wall], check=True, capture_output=True)
        end = time.monotonic() + 30
        while not self.shown() and time.monotonic() < end:
            time.sleep(0.3)

    def address(self, service: str) -> str:
        """Return a service's address on its network."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        ask = ["docker", "inspect", "-f", form, f"{self.name}-{service}-1"]
        return subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()

    def shown(self) -> bool:
        """Say whether what takes a moment has happened: crashes, the end of memory, failed healthchecks."""
        states = self.compose("ps", "-a", "--format", "{{.Service}} {{.State}} {{.Health}}").stdout
        lines = [line.split() for line in states.splitlines()]
        ended = {line[0] for line in lines if line[1] in {"exited", "dead"}}
        ill = {line[0] for line in lines if line[2:] == ["unhealthy"]}
        again = {line[0] for line in lines if line[1] == "restarting"}
        return {"oom", "exited", "no-module", "no-syntax", "suite-exits"} <= ended and "no-curl" in ill and bool(again)

    def compose(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run docker compose in the project."""
        command = ["docker", "compose", "-p", self.name, *args]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=check, timeout=120)

    def doctor(self, *args: str) -> tuple[Told, float]:
        """Ask the doctor; return what was told, and how long it took."""
        began = time.monotonic()
        return self.ask("doctor", *args), time.monotonic() - began

    def ask(self, verb: str, *args: str) -> Told:
        """Run a verb to its end."""
        command = [sys.executable, "-m", "cutover", verb, "-p", self.name, *args]
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home()), "NO_COLOR": "1"}
        environment["PYTHONPATH"] = str(HERE.parent.parent)
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        return Told(done.returncode, done.stdout, done.stderr)

    def down(self) -> None:
        """Take all of it away."""
        self.squatter.close()
        self.proxy.kill()
        self.proxy.wait()
        if self.wall:
            subprocess.run(["iptables", "-D", *self.wall], check=False, capture_output=True)
        subprocess.run(["docker", "rm", "-f", f"{self.name}-taker"], check=False, capture_output=True)
        self.compose("down", "-t", "1", "-v", "--remove-orphans", check=False)
