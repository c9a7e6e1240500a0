"""What Compose's model may not say, and a Compose that never comes to an end, played by a `docker` of our own."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import psutil
import pytest

from cutover.engine import stack as module
from cutover.engine.address import EngineAddress
from cutover.engine.stack import ProjectFiles, Stack
from cutover.errors import EngineError, RefusedError

STACK = Stack(EngineAddress("unix:///nowhere"), ProjectFiles((Path("/srv/it's; $(x)/compose.yaml"),)))


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the place of a `docker` command, which a test writes."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "docker"


def script(place: Path, text: str) -> None:
    """Write a command."""
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)


def test_a_service_called_like_an_option_is_refused(docker: Path) -> None:
    """Compose takes such a name; on its command line `up -d --remove-orphans` would mean something else."""
    script(docker, f"echo '{json.dumps({'name': 'p', 'services': {'web': {}, '--remove-orphans': {}}})}'")
    with pytest.raises(RefusedError, match="'--remove-orphans'") as caught:
        STACK.config()
    assert caught.value.reference == "odd-name"


def test_a_hint_can_be_pasted(docker: Path) -> None:
    """Whatever the folder is called."""
    script(docker, "echo nonsense >&2; exit 1")
    with pytest.raises(RefusedError) as caught:
        STACK.config()
    assert "-f '/srv/it'\"'\"'s; $(x)/compose.yaml' config" in (caught.value.hint or "")


def test_what_reads_a_pipe_that_nobody_writes_to_comes_to_an_end(
    docker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all its children: Compose is one of `docker`, and holds its output open."""
    os.mkfifo(tmp_path / "pipe")
    script(docker, f"cat {tmp_path}/pipe & echo $! > {tmp_path}/pid; wait")
    monkeypatch.setattr(module, "LOOK_S", 0.5)
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"did not come to an end within 0\.5 s") as caught:
        STACK.config()
    assert time.monotonic() - began < 20
    assert caught.value.reference == "compose-silent"
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(int((tmp_path / "pid").read_text())).wait(timeout=5) is None


def test_compose_that_changes_something_holds_the_lock(docker: Path, tmp_path: Path) -> None:
    """In every way that it is called; one that only looks holds nothing, and where there is no lock there is none."""
    held, said = tmp_path / "shop.compose.lock", tmp_path / "said"
    script(docker, f'echo "$*" >> {said}; [ ! -e {held} ] || flock -n {held} true || echo "held" >> {said}')
    stack = Stack(EngineAddress("unix:///nowhere"), ProjectFiles((tmp_path / "a.yml",))).named("shop", held)
    stack.ask("up", apart=True)
    assert not held.exists()
    held.touch()
    said.unlink()
    stack.ask("config")
    assert "held" not in said.read_text()
    stack.ask("up", apart=True)
    assert said.read_text().endswith("up\nheld\n")
    said.unlink()
    stack.with_files({}).create("web")
    assert "up" in said.read_text()
    assert said.read_text().endswith("held\n")
