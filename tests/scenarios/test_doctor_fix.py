"""Cures that are edits of the compose file: a diff that changes nothing, and one that is written, saved and true."""

from __future__ import annotations

import json
import subprocess
import urllib.request

import pytest

from tests.scenarios.haproxy_world import wait
from tests.scenarios.rig import IMAGE, Rig, free_ports

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
FILE = """\
# somebody's stack
services:
  web:   # the site
    image: {image}
    command: python3 -m http.server 8000
    stop_grace_period: 1s
    ports:
      - "127.0.0.1:{web}:8080/tcp"   # legacy

  long:
    image: {image}
    command: python3 -m http.server 8000
    stop_grace_period: 1s
    ports:
      - target: 80
        published: "{long}"
  health:
    image: {image}
    command: sh -c "python3 -m http.server 8000 & exec python3 -m http.server {side}"
    stop_grace_period: 1s
    environment: {{HEALTH_PORT: "{side}"}}
    ports: ["{health}:8000"]
  scaled:
    image: {image}
    command: sh -c "python3 -m http.server 8000 & exec python3 -m http.server {side}"
    stop_grace_period: 1s
    deploy: {{replicas: 2}}
    environment: {{HEALTH_PORT: "{side}"}}
    ports: ["8000"]
  variable:
    image: {image}
    command: python3 -m http.server 8000
    stop_grace_period: 1s
    ports: ["{variable}:${{INSIDE:-81}}"]
"""


@pytest.fixture
def stack(engine, tmp_path):
    """Give a project that is up, three of whose services have a fault that an edit cures."""
    names = ("web", "long", "health", "side", "variable")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    rig = Rig(tmp_path, f"ct{tmp_path.name[-6:].replace('_', '').lower()}{ports['web']}", 0, 0)
    rig.file.write_text(FILE.format(image=IMAGE, **ports))
    rig.compose("up", "-d")
    try:
        yield rig, ports
    finally:
        rig.compose("down", "-t", "1", "-v", check=False)


def answers(port):
    """Say whether HTTP is answered there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


def lines(before, after):
    """Return the lines that differ, as they are afterwards."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    return [new.strip() for old, new in pairs if old != new]


def test_an_edit_is_shown_and_written_when_told(stack):
    """Only the lines that are meant change; the file is saved before; Docker then does what the doctor said."""
    rig, ports = stack
    before = rig.file.read_bytes()
    shown = rig.cutover("doctor", "--fix")
    assert shown.code == 1, shown
    assert "nothing was changed" in shown.out
    assert '+      - "127.0.0.1:' in shown.out
    assert "not by an edit: have the published port of variable lead to 8000" in shown.err
    assert "of scaled: it has several containers, and only one can have a host port" in shown.err
    assert rig.file.read_bytes() == before

    saved = []
    for name in ("web", "long", "health"):
        assert f"cutover doctor {name} --fix --apply" in shown.out
        told = rig.cutover("doctor", name, "--fix", "--apply", "--json")
        assert told.json["fix"]["saved"], told
        saved.append(told.json["fix"]["saved"])
    assert lines(before.decode(), rig.file.read_text()) == [
        f'- "127.0.0.1:{ports["web"]}:8000/tcp"   # legacy',
        "- target: 8000",
        f'ports: ["{ports["health"]}:8000", "{ports["side"]}:{ports["side"]}"]',
    ]
    (copy,) = json.loads((rig.folder / saved[0] / "manifest.json").read_text())["files"]
    assert (rig.folder / saved[0] / copy["copy"]).read_bytes() == before
    rig.compose("up", "-d")
    for name in ("web", "long", "side"):
        wait(lambda port=ports[name]: answers(port), 10)
    again = rig.cutover("doctor", "--fix")
    assert "no finding has a cure" in again.out, again


def test_what_is_taken_is_not_published(stack):
    """The port that the health endpoint wants is another's by now."""
    rig, ports = stack
    taker = f"{rig.project}-taker"
    subprocess.run(
        ["docker", "run", "-d", "--name", taker, "-p", f"{ports['side']}:1", IMAGE, "sleep", "60"],
        check=True,
        capture_output=True,
    )
    try:
        told = rig.cutover("doctor", "health", "--fix")
    finally:
        subprocess.run(["docker", "rm", "-f", taker], check=True, capture_output=True)
    assert f"host port {ports['side']} is taken" in told.err, told


def test_apply_alone_is_no_command(stack):
    """It says what it goes with."""
    rig, _ = stack
    before = rig.file.read_bytes()
    for args in (("--apply",), ("--fix", "--apply"), ("web", "--apply")):
        told = rig.cutover("doctor", *args)
        assert told.code == 2, told
        assert "SERVICE" in told.err
    assert rig.file.read_bytes() == before
