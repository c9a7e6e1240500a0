"""`cutover edge` as a user calls it, as far as no Engine is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cutover.cli.edge import edge
from cutover.cli.main import cli


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder without a project, with no Engine that answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cutover.engine.files.NAMES", ("no-such-name.yaml",))
    monkeypatch.delenv("COMPOSE_FILE", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")


def call(*arguments: str) -> Result:
    """Call cutover as a user does."""
    return CliRunner().invoke(cli, ["edge", *arguments], prog_name="cutover")


@pytest.mark.parametrize("verb", edge.commands)
def test_every_verb_says_what_it_is_for(verb: str) -> None:
    """And what each option does; there is JSON for each."""
    assert call(verb, "--help").exit_code == 0
    command = edge.commands[verb]
    assert command.help
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert all(o.help for o in options)
    assert any("--json" in o.opts for o in options)


def test_an_image_is_built_without_a_project_but_not_without_an_engine() -> None:
    """So the Engine is what is asked for. In a process of its own, for the docker library leaves its socket open."""
    command = [sys.executable, "-m", "cutover", "edge", "build", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert json.loads(told.stdout)["error"]["reference"] == "engine-gone"


def test_a_cutover_yaml_that_does_not_hold_is_told_first(tmp_path: Path) -> None:
    """It may name the base."""
    (tmp_path / "cutover.yaml").write_text("edge: {bass: x}\n")
    told = call("build")
    assert told.exit_code == 2
    assert "did you mean `base`?" in told.stderr


def test_status_wants_a_project() -> None:
    """An edge belongs to one."""
    told = call("status", "--json")
    assert told.exit_code == 2
    assert json.loads(told.stdout)["error"]["reference"] == "no-compose-file"
