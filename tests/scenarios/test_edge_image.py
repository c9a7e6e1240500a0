"""The edge's image on a real Engine: it is built, and what it has runs without any right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
BARE = (
    "--rm",
    "--network=none",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--user=4321:4321",
)


def inside(image, *command):
    """Run a command in the image as an edge runs, and return what it said."""
    done = subprocess.run(["docker", "run", *BARE, image, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def build(*arguments):
    """Call cutover edge build."""
    command = [sys.executable, "-m", "cutover", "edge", "build", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)


def test_what_runs_in_it_runs_without_any_right(edge_image):
    """HAProxy with Lua, nftables, ip, and Python with pyzmq, msgpack and our own modules, compiled."""
    assert "USE_LUA=1" in inside(edge_image, "haproxy", "-vv")
    assert "nftables" in inside(edge_image, "nft", "--version")
    assert "iproute2" in inside(edge_image, "ip", "-V")
    code = "import zmq, msgpack, cutover.edge; print(cutover.edge.__file__, cutover.edge.__cached__)"
    file, compiled = inside(edge_image, "python3", "-c", code).split()
    assert file == "/opt/cutover/edge/__init__.py"
    assert inside(edge_image, "ls", compiled).strip() == compiled


def test_it_has_no_entrypoint_healthcheck_or_secret(engine, edge_image):
    """Whatever its base has; and it is not much larger than that."""
    image = engine.images.get(edge_image)
    config = image.attrs["Config"]
    assert not config.get("Entrypoint")
    assert config["Healthcheck"]["Test"] == ["NONE"]
    assert {entry.partition("=")[0] for entry in config["Env"]} == {"PATH", "PYTHONPATH", "PYTHONUNBUFFERED"}
    assert sum(layer["Size"] for layer in image.history()[:-1]) < 100e6


def test_a_base_that_cannot_be_had_is_told_with_the_next_command():
    """The name of its host cannot exist."""
    told = build("--base", "nowhere.invalid/debian:12", "--json")
    assert told.returncode == 1, told
    error = json.loads(told.stdout)["error"]
    assert error["reference"] == "no-image"
    assert "nowhere.invalid" in error["evidence"][0]
    assert "cutover edge build --base IMAGE" in error["hint"]


def test_a_base_that_is_no_debian_fails_with_the_last_lines(engine):
    """An image without a shell, made here."""
    subprocess.run(
        ["docker", "import", "-", "cutover-test-empty:1"], input=b"\0" * 1024, capture_output=True, check=True
    )
    try:
        told = build("--base", "cutover-test-empty:1")
        assert told.returncode == 1, told
        assert "could not be built on cutover-test-empty:1" in told.stderr
        assert "apt-get update" in told.stderr
        assert "(image-failed)" in told.stderr
    finally:
        engine.images.remove("cutover-test-empty:1", force=True)
