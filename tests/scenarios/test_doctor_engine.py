"""What the doctor says where it is the Engine that lacks something: its proxy, a GPU's runtime, rights, its life."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time

import pytest

from tests.scenarios.own_engine import OwnEngine, made
from tests.scenarios.rig import HERE, IMAGE, Rig, free_ports

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]
STUB = "nvidia-container-runtime-hook"
WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
FILE = """\
services:
  web:
    image: {image}
    command: python3 -u /srv/server.py
    init: true
    stop_grace_period: 1s
    volumes: ["./server.py:/srv/server.py:ro"]
    ports: ["{web}:8000"]
  loop:
    image: {image}
    command: python3 -u /srv/server.py
    init: true
    stop_grace_period: 1s
    environment: {{FAULT: loopback}}
    volumes: ["./server.py:/srv/server.py:ro"]
    ports: ["{loop}:8000"]
  gpu:
    image: {image}
    command: sleep 60
    deploy:
      resources:
        reservations:
          devices: [{{driver: nvidia, count: 1, capabilities: [gpu]}}]
"""


@pytest.fixture(scope="module")
def bare(engine, tmp_path_factory):
    """Give an Engine without a userland proxy, and without a runtime for GPUs."""
    folders = [f for f in os.environ["PATH"].split(":") if not shutil.which(STUB, path=f)]
    own = OwnEngine(tmp_path_factory.mktemp("bare"), "--userland-proxy=false", path=":".join(folders))
    with made(own):
        yield own


@pytest.fixture
def project(bare, tmp_path):
    """Give a project there, up; its GPU service cannot be."""
    web, loop = free_ports(2)
    rig = Rig(tmp_path, f"ct{secrets.token_hex(4)}", web, loop)
    rig.prefix, rig.env = bare.prefix, {"DOCKER_HOST": bare.host}
    shutil.copy(HERE / "doctor_server.py", tmp_path / "server.py")
    rig.file.write_text(FILE.format(image=IMAGE, web=web, loop=loop))
    (tmp_path / "cutover.yaml").write_text(f'probes: ["http://:{web}/", "http://:{loop}/?timeout=1"]\n')
    rig.compose("up", "-d", "web", "loop")
    rig.compose("create", "gpu")
    rig.compose("start", "gpu", check=False)
    try:
        yield rig
    finally:
        if not bare.answers():
            bare.start()
        rig.compose("down", "-t", "1", "-v", check=False)


def doctor(rig, *args):
    """Return what the doctor says, by service."""
    told = rig.cutover("doctor", "--json", *args)
    assert "Traceback" not in told.err, told
    return told, {one["service"]: [f["code"] for f in one["findings"]] for one in told.json["services"]}


def test_it_lacks_its_proxy_and_a_runtime(project):
    """Asked at ::1 there is nobody, as the port is a rule of the firewall; a GPU is refused in Docker's own words."""
    told, found = doctor(project)
    assert found["web"] == [], told
    assert found["gpu"][0] == "gpu-refused", told
    assert found["loop"][0] == "loopback-only", told
    settings = project.folder / "cutover.yaml"
    settings.write_text(f'probes: ["http://[::1]:{project.zmq}/"]\n')
    told, found = doctor(project, "web")
    assert found["web"][0] == "loopback-unproxied", told


def test_without_rights_what_can_be_told_is_told(project, bare):
    """No capability at all: others' processes and the firewall cannot be looked at, and that is said."""
    project.prefix = (*bare.prefix, *WITHOUT_RIGHTS)
    told, found = doctor(project)
    assert found["loop"][0] == "loopback-only", told
    assert found["web"] == [], told
    assert any("firewall was not looked at" in line for line in told.json["unknown"]), told
    rows = {r["service"]: r for r in project.cutover("ports", "--json").json["ports"]}
    assert [x["address"] for x in rows["loop"]["inside"]] == ["127.0.0.1"]


def test_a_stopped_project_and_one_that_is_gone(project):
    """Each service is named with the next command; nothing is started."""
    project.compose("stop", "-t", "1")
    told, found = doctor(project)
    assert told.code == 1, told
    assert {name: codes[0] for name, codes in found.items()} == {
        "web": "exited",
        "loop": "exited",
        "gpu": "gpu-refused",
    }
    project.compose("down", "-t", "1")
    told, found = doctor(project)
    assert set(found["web"]) == set(found["loop"]) == {"no-container"}, told
    rows = project.cutover("ports", "web")
    assert "no container" in rows.out, rows


def test_the_engine_goes_half_way(project, bare):
    """While an answer is waited for: what is known of the others is told, and what is not; later, the next command."""
    settings = project.folder / "cutover.yaml"
    settings.write_text(f'probes: ["tcp://:{project.zmq}?send=x&expect=never"]\n')
    process = project.start("doctor")
    time.sleep(3)
    bare.stop(signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert process.returncode == 1, (out, err)
    assert "error: gpu-refused" in out
    assert "web-1 was not examined to the end: " in out
    for verb in ("doctor", "ports"):
        told = project.cutover(verb)
        assert told.code == 1, told
        assert "no Docker Engine answers" in told.err
        assert "systemctl start docker" in told.err
    bare.start()
    subprocess.run(["docker", "-H", bare.host, "version"], check=True, capture_output=True)
