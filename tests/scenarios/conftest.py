"""Fixtures: a real Engine, and a project of its own for each scenario."""

from __future__ import annotations

import secrets

import docker
import docker.errors
import pytest

from tests.scenarios.rig import IMAGE, Rig, free_ports


@pytest.fixture(scope="session")
def engine():
    """Give a Docker Engine that answers and has the image; its absence is an error, not a skip."""
    client = docker.from_env()
    client.ping()
    client.images.get(IMAGE)
    yield client
    client.close()


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


def bare_rig(folder):
    """Return a project that does not exist yet."""
    zmq, http = free_ports(2)
    return Rig(folder, f"ct{secrets.token_hex(4)}", zmq, http)
