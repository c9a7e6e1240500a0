"""Fixtures: a real Engine, and a project of its own for each scenario."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

import docker
import docker.errors
import filelock
import pytest

from cutover.edge.image import edge_image_name
from tests.scenarios.haproxy_world import World
from tests.scenarios.rig import IMAGE, Rig, free_ports


@pytest.fixture(scope="session")
def engine():
    """Give a Docker Engine that answers and has the image; its absence is an error, not a skip."""
    client = docker.from_env()
    client.ping()
    client.images.get(IMAGE)
    yield client
    client.close()


@pytest.fixture(scope="session")
def edge_image(engine, tmp_path_factory):
    """Give the name of the edge's image, built if it is missing: by one worker, while the others wait."""
    name = edge_image_name()
    with filelock.FileLock(tmp_path_factory.getbasetemp().parent / "edge-image.lock"):
        try:
            engine.images.get(name)
        except docker.errors.ImageNotFound:
            _build_edge_image()
    return name


def _build_edge_image():
    root = Path(__file__).parents[2]
    base = subprocess.run([root / "scripts" / "base-image"], stdout=subprocess.PIPE, text=True, check=True).stdout
    command = [sys.executable, "-m", "cutover", "edge", "build", "--base", base.strip()]
    subprocess.run(command, cwd=root, check=True)


@pytest.fixture
def rig(engine, tmp_path):
    """Give a project with green up."""
    made = bare_rig(tmp_path)
    made.write()
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def cold_rig(engine, tmp_path):
    """Give a project whose files are not written yet."""
    made = bare_rig(tmp_path)
    try:
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def colours(engine, edge_image):
    """Give green and blue on a network of their own, to stand a HAProxy before."""
    made = World(engine, edge_image, *free_ports(2))
    yield made
    made.close()


@pytest.fixture
def start_edge(colours, tmp_path):
    """Give a way to start a HAProxy that serves green from slot a; `settings` are those of `edge:`."""
    with colours.both_up() as started:
        yield lambda **settings: started(colours.edge(tmp_path, **settings)).up()


@pytest.fixture
def edge(start_edge):
    """Give a HAProxy that serves green, with blue warm and aimed at."""
    return start_edge().aim_blue()


def bare_rig(folder):
    """Return a project that does not exist yet."""
    zmq, http = free_ports(2)
    return Rig(folder, f"ct{secrets.token_hex(4)}", zmq, http)
