"""`docker cutover`."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cutover import __version__
from cutover.cli.main import cli
from cutover.cli.plugin import _own


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with an environment that names no Engine, and take back what is set."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def plugin(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the plugin as the Docker CLI does."""
    return subprocess.run(
        [sys.executable, "-m", "cutover.cli.plugin", *arguments], capture_output=True, text=True, check=False
    )


def test_the_docker_cli_learns_what_it_is() -> None:
    """Its schema demands version and vendor."""
    done = plugin("docker-cli-plugin-metadata")
    assert json.loads(done.stdout) == {
        "SchemaVersion": "0.1.0",
        "Vendor": "cutover",
        "Version": __version__,
        "ShortDescription": "Replace a running Compose service by its successor on the same ports",
    }


def test_it_speaks_of_itself_as_the_user_called_it() -> None:
    """`docker cutover`, not `cutover`."""
    assert plugin("cutover", "swap", "--help").stdout.startswith("Usage: docker cutover swap [OPTIONS]\n")


@pytest.mark.parametrize(
    ("arguments", "own", "environment"),
    [
        (["cutover", "swap", "--blue", "b"], ["swap", "--blue", "b"], {}),
        (["cutover"], [], {}),
        (["swap", "--green", "a"], ["swap", "--green", "a"], {}),
        (["--context", "far", "cutover", "plan"], ["plan"], {"DOCKER_CONTEXT": "far"}),
        (["-c", "far", "cutover", "plan"], ["plan"], {"DOCKER_CONTEXT": "far"}),
        (["--context=far", "cutover", "plan"], ["plan"], {"DOCKER_CONTEXT": "far"}),
        (["-cfar", "cutover", "plan"], ["plan"], {"DOCKER_CONTEXT": "far"}),
        (["-H", "tcp://h:1", "cutover", "plan"], ["plan"], {"DOCKER_HOST": "tcp://h:1"}),
        (["--host=tcp://h:1", "cutover", "plan"], ["plan"], {"DOCKER_HOST": "tcp://h:1"}),
        (["--config", "/etc/d", "cutover", "plan"], ["plan"], {"DOCKER_CONFIG": "/etc/d"}),
        (["-D", "--log-level", "debug", "-c", "far", "cutover", "plan"], ["plan"], {"DOCKER_CONTEXT": "far"}),
        (["--context", "cutover", "cutover", "plan"], ["plan"], {"DOCKER_CONTEXT": "cutover"}),
        (["cutover", "swap", "--green", "cutover"], ["swap", "--green", "cutover"], {}),
        (["cutover", "plan", "-c", "far"], ["plan", "-c", "far"], {}),
    ],
)
def test_dockers_own_options_come_before_the_name(
    arguments: list[str], own: list[str], environment: dict[str, str]
) -> None:
    """However they are written: a swap on another Engine than the one that was named would be a disaster."""
    assert _own(arguments) == own
    found = {n: v for n in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG") if (v := os.environ.get(n))}
    assert found == environment


def test_the_option_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`docker --context far` means far, whatever DOCKER_HOST says."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:1")
    _own(["--context", "far", "cutover", "plan"])
    assert (os.environ.get("DOCKER_HOST"), os.environ["DOCKER_CONTEXT"]) == (None, "far")


def test_it_is_installed_and_taken_out_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Executable, in the folder where the Docker CLI looks; what it runs is this very Python."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    place = tmp_path / "cli-plugins" / "docker-cutover"
    for _ in range(2):
        assert CliRunner().invoke(cli, ["plugin", "install"]).exit_code == 0
    assert stat.S_IMODE(place.stat().st_mode) & 0o111 == 0o111
    done = subprocess.run([place, "docker-cli-plugin-metadata"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["Version"] == __version__
    for _ in range(2):
        assert CliRunner().invoke(cli, ["plugin", "uninstall"]).exit_code == 0
    assert not place.exists()


def test_nobody_else_may_write_it_whatever_the_umask_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Docker CLI runs it."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    before = os.umask(0)
    try:
        assert CliRunner().invoke(cli, ["plugin", "install"]).exit_code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "cli-plugins" / "docker-cutover").stat().st_mode) == 0o755


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, exit code 1."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "file"))
    result = CliRunner().invoke(cli, ["plugin", "install"])
    assert result.exit_code == 1
    assert "(plugin-not-written)" in result.stderr
