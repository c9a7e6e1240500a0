"""Fifty healthy services of all kinds, one without a shell among them: the doctor finds nothing wrong with any."""

from __future__ import annotations

import io
import json
import secrets
import shutil
import subprocess
import tarfile
import time
from collections import Counter

import pytest

from tests.scenarios.doctor_world import Ward
from tests.scenarios.haproxy_world import wait
from tests.scenarios.rig import HERE, IMAGE

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
SERVER = ["python3", "-u", "/srv/server.py"]
BARE = r"""
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    const char *reply = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    char asked[4096];
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(8000), .sin_addr = {INADDR_ANY}};
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 64)) return 1;
    for (;;) {
        int client = accept(listener, 0, 0);
        if (client < 0) continue;
        if (read(client, asked, sizeof asked) > 0) write(client, reply, strlen(reply));
        close(client);
    }
}
"""
MANY = {"web": 10, "checked": 4, "rep": 8, "router": 6, "cache": 8, "nats": 6, "suite": 4, "bare": 4}


@pytest.fixture
def bare_image(tmp_path):
    """Give an image that holds one static program, and nothing else: no shell, no cat, no library."""
    (tmp_path / "bare.c").write_text(BARE)
    built = ["gcc", "-static", "-O1", "-w", "-o", str(tmp_path / "server"), str(tmp_path / "bare.c")]
    subprocess.run(built, check=True, capture_output=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(tmp_path / "server", "server")
    name = f"cutover-bare:{secrets.token_hex(4)}"
    subprocess.run(["docker", "import", "-", name], input=packed.getvalue(), check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "rmi", "-f", name], check=False, capture_output=True)


@pytest.fixture
def fifty(engine, edge_image, bare_image, tmp_path):
    """Give the project, up."""
    shutil.copy(HERE / "doctor_server.py", tmp_path / "server.py")
    one = {"image": IMAGE, "command": SERVER, "volumes": ["./server.py:/srv/server.py:ro"], "init": True}
    checked = {"test": ["CMD", "true"], "interval": "1s"}
    kinds = {
        "web": {**one, "ports": ["8000"]},
        "checked": {**one, "ports": ["8000"], "healthcheck": checked},
        "rep": {**one, "ports": ["8000"], "environment": {"FAULT": "rep"}},
        "router": {**one, "ports": ["8000"], "environment": {"FAULT": "router"}},
        "cache": {**one, "ports": ["6379"], "command": "redis-server --protected-mode no --save ''"},
        "nats": {**one, "ports": ["4222"], "command": "nats-server"},
        "suite": {**one, "ports": ["9901"], "environment": {"FAULT": "suite-works", "PORT": "9901"}},
        "bare": {"image": bare_image, "command": ["/server"], "ports": ["8000"]},
    }
    for name, count in MANY.items():
        kinds[name] |= {"deploy": {"replicas": count}, "stop_grace_period": "1s"}
    ward = Ward.__new__(Ward)
    ward.folder, ward.name = tmp_path, f"ct{secrets.token_hex(4)}"
    (tmp_path / "docker-compose.yml").write_text(json.dumps({"services": kinds}))
    try:
        ward.compose("up", "-d")
        yield ward
    finally:
        ward.compose("down", "-t", "1", check=False)


def test_fifty_healthy_services(fifty, record_property):
    """No error and no warning; each port is seen to be listened on, and what it speaks is told."""
    assert sum(MANY.values()) == 50
    time.sleep(5)
    told, took_s = fifty.doctor("--json")
    assert told.code == 0, told
    found = Counter(f["severity"] for one in told.json["services"] for f in one["findings"])
    record_property("fifty", json.dumps({"findings": found, "took_s": round(took_s, 1)}))
    print(f"findings: {dict(found)}, took {took_s:.1f} s")  # noqa: T201
    assert len(told.json["services"]) == 50
    assert found["error"] == found["warning"] == 0
    rows = fifty.ask("ports", "--json").json["ports"]
    speaks = Counter((row["service"], row["speaks"]) for row in rows if row["published"])
    assert {name: {s for n, s in speaks if n == name} for name in MANY} == {
        "web": {"HTTP"},
        "checked": {"HTTP"},
        "rep": {"ZMTP 3.1 REP"},
        "router": {"ZMTP 3.1 ROUTER"},
        "cache": {"Redis"},
        "nats": {"NATS"},
        "suite": {"ZMTP 3.1 REP"},
        "bare": {"HTTP"},
    }


def test_an_image_without_tools_is_looked_into_by_a_helper(fifty, tmp_path):
    """Where `/proc` of the host says nothing, and the image has no `cat`."""
    from cutover.engine.address import resolve  # noqa: PLC0415
    from cutover.engine.daemon import Daemon  # noqa: PLC0415
    from cutover.flow.look_ports import inside_of  # noqa: PLC0415

    daemon = Daemon(resolve())
    (bare, *_) = daemon.of_service(fifty.name, "bare")
    wait(lambda: inside_of(daemon, bare).listeners, 5)
    seen = inside_of(daemon, bare, proc=tmp_path)
    assert [(x.address, x.port) for x in seen.listeners] == [("0.0.0.0", 8000)]
