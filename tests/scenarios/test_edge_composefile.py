"""The edge's compose file on a real Engine: Compose takes it, and HAProxy runs from it without any right."""

from __future__ import annotations

import json
import os
import resource
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from cutover.edge.channel import connected
from cutover.edge.composefile import EdgeFile, render
from cutover.edge.shape import EdgePort, Mode
from cutover.model import PortBinding
from cutover.wire.zmtp import greet
from tests.scenarios.rig import free_ports

pytestmark = pytest.mark.engine

UID = 12345
CONNECTIONS = 1000
CONFIG = """\
global
    stats socket /run/cutover/haproxy/admin.sock mode 600 level admin
    fd-hard-limit 20000
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 1s
    timeout http-request 30s
frontend web
    bind :80
    http-request return status 200 content-type text/plain string "{name}"
"""


@pytest.fixture
def place(engine, tmp_path):
    """Give a project's name, whose two networks are there: one of them without a way out."""
    project = f"cd{secrets.token_hex(4)}"
    networks = [
        engine.networks.create(f"{project}_default"),
        engine.networks.create(f"{project}_inside", internal=True),
    ]
    try:
        yield project
    finally:
        compose(project, "down", "-t", "1", "--remove-orphans", file=tmp_path / "edge.yml")
        for network in networks:
            network.remove()


def compose(project, *arguments, file):
    """Run docker compose on an edge's file, as somebody whose environment names another project."""
    environment = {**os.environ, "COMPOSE_PROJECT_NAME": "another", "HOME": os.environ.get("HOME", "/"), "X": "wrong"}
    command = ["docker", "compose", "-p", f"{project}-edge", "-f", file, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)


def written(project, folder, image, port, *, generation=1, mode=Mode.HTTP):
    """Write an edge's state folder, at a path that is hard to quote, and its compose file."""
    state = folder / "state $X ${X:-y} 'é\" #:" / str(generation)
    content = {
        "haproxy/haproxy.cfg": CONFIG.format(name=f"{project} {generation}"),
        "broker/broker.json": json.dumps({"ports": {"80": str(mode)}}),
    }
    for name, text in content.items():
        (state / name).parent.mkdir(parents=True)
        (state / name).write_text(text)
    for path in (state, state / "haproxy", state / "broker"):
        os.chown(path, UID, UID)
        path.chmod(0o700)
    ports = (EdgePort(80, mode, (PortBinding("127.0.0.1", port, 80),)),)
    networks = (f"{project}_inside", f"{project}_default")
    file = EdgeFile(project, generation, image, state, UID, UID, networks, ports)
    (folder / "edge.yml").write_bytes(render(file))
    return file


def answer(port):
    """Return what the edge says over HTTP, waiting for it to start."""
    end = time.monotonic() + 15
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as reply:
                return reply.read().decode()
        except (OSError, urllib.error.URLError):
            assert time.monotonic() < end
            time.sleep(0.05)


def test_compose_reads_what_was_meant(tmp_path):
    """Every name and path in it, and nothing of the environment."""
    ports = (
        EdgePort(5570, Mode.REP, (PortBinding("", 5570, 5570), PortBinding("::1", 5571, 5570))),
        EdgePort(80, Mode.HTTP, (PortBinding("127.0.0.1", 6570, 80),)),
    )
    folder = Path("/a b $HOME ${X:-y} \"q' \\ é日\u2028\x85\x7f🦊: ,#")
    file = EdgeFile("demo", 7, "cutover-edge:x", folder, 1, 2, ("demo_default", "a.b-c"), ports)
    (tmp_path / "edge.yml").write_bytes(render(file))
    told = compose("demo", "config", "--format", "json", file=tmp_path / "edge.yml")
    assert told.returncode == 0, told.stderr
    assert told.stderr == ""
    said = json.loads(told.stdout)
    assert list(said["services"]) == list(file.services)
    assert [n["name"] for n in said["networks"].values()] == ["demo_default", "a.b-c"]
    for service in said["services"].values():
        assert service["volumes"][0]["source"].replace("$$", "$") == str(folder)


def test_haproxy_runs_from_it_and_two_generations_stand_beside_each_other(engine, place, edge_image, tmp_path):
    """Without a capability, a user of its own, on port 80, with its control socket for that user alone."""
    one, two = free_ports(2)
    first = written(place, tmp_path, edge_image, one)
    told = compose(place, "up", "-d", file=tmp_path / "edge.yml")
    assert told.returncode == 0, told.stderr
    assert answer(one) == f"{place} 1"
    _has_no_right(engine, place)
    control = first.folder / "haproxy" / "admin.sock"
    assert (control.stat().st_uid, control.stat().st_mode & 0o777) == (UID, 0o600)
    with connected(control) as channel:
        channel.sendall(b"show info\n")
        assert b"Name: HAProxy" in channel.recv(65536)
    _takes_many_connections(one)
    written(place, tmp_path, edge_image, two, generation=2)
    told = compose(place, "up", "-d", file=tmp_path / "edge.yml")
    assert told.returncode == 0, told.stderr
    assert (answer(one), answer(two)) == (f"{place} 1", f"{place} 2")


def test_the_broker_runs_from_it(engine, place, edge_image, tmp_path):
    """In the same way: it speaks ZMTP on its port, and its control socket is for its user alone."""
    (port,) = free_ports(1)
    file = written(place, tmp_path, edge_image, port, mode=Mode.REP)
    told = compose(place, "up", "-d", file=tmp_path / "edge.yml")
    assert told.returncode == 0, told.stderr
    end = time.monotonic() + 15
    while (peer := greet("127.0.0.1", port, 1)) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert peer.socket_type == "ROUTER"
    _has_no_right(engine, place)
    control = file.folder / "broker" / "control.sock"
    assert (control.stat().st_uid, control.stat().st_mode & 0o777) == (UID, 0o600)
    with connected(control):
        pass


def _has_no_right(engine, place):
    (container,) = engine.containers.list(filters={"label": f"io.cutover.project={place}"})
    assert container.labels["io.cutover.edge"] == "1"
    assert len(container.attrs["NetworkSettings"]["Networks"]) == 2
    status = container.exec_run(["cat", "/proc/1/status"]).output.decode()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split() == [str(UID)] * 4
    assert {int(facts[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert facts["NoNewPrivs"] == "1"
    assert container.exec_run(["touch", "/tmp/x"]).exit_code != 0


def _takes_many_connections(port):
    """All of them open at once, the last as good as the first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, CONNECTIONS + 500)), hard))
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(CONNECTIONS)]
        for sock in opened:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert all(sock.recv(64).startswith(b"HTTP/1.1 200") for sock in opened)


def test_a_state_folder_that_is_gone_is_an_error(place, edge_image, tmp_path):
    """And not a new folder that belongs to root."""
    (port,) = free_ports(1)
    file = written(place, tmp_path, edge_image, port)
    (tmp_path / "edge.yml").write_bytes(render(replace(file, folder=tmp_path / "gone")))
    told = compose(place, "up", "-d", file=tmp_path / "edge.yml")
    assert told.returncode != 0
    assert "gone" in told.stderr
    assert not (tmp_path / "gone").exists()
