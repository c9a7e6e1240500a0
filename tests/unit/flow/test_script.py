"""The script that goes back without cutover: readable, quoted, and without a warning of ShellCheck's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cutover.backup.files import save
from cutover.config import Strategy
from cutover.engine.stack import ProjectFiles
from cutover.files import sha256
from cutover.flow.plan import FileEdit, Plan
from cutover.flow.script import Facts, Way, render, way_of
from cutover.model import Container, ContainerState
from tests.unit.flow.stage import PLAN

HOSTILE = 'it\'s; $(touch /tmp/x) `id` "q" \\ *\n# new line'
GREEN = Container("c" * 64, "shop-old-1", "shop", "old", ContainerState.RUNNING, image="shop:1", image_id="sha256:1")


def script(folder: Path, plan: Plan = PLAN, **facts: object) -> str:
    """Return the script of a run whose compose file lies in a folder."""
    folder.mkdir(exist_ok=True, parents=True)
    file = folder / "compose.yaml"
    file.write_text("old")
    saved = save([file], folder / "saved")
    edit = FileEdit(file, sha256(b"old"), sha256(b"new"), b"new")
    known = Facts(
        folder=folder,
        state=folder / ".cutover",
        source=ProjectFiles((file,), "shop", profiles=("a b",), env_files=(folder / "x.env",)),
        host="unix:///var/run/docker.sock",
        context=None,
        green=GREEN,
        blue_was_there=False,
        saved=tuple(saved),
        edge_file=folder / "overrides/shop-edge.yml",
    )
    return render(replace(plan, edits=(edit,)), replace(known, **facts))  # type: ignore[arg-type]


def head(text: str) -> str:
    """Return what is the run's own."""
    return text[: text.index("# ------")]


def in_sh(text: str, words: str) -> str:
    """Return what a command says after a script's head."""
    done = subprocess.run(["sh", "-c", f"{head(text)}\n{words}"], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_head_says_what_will_be_done(tmp_path: Path) -> None:
    """Every fact once, by name, and what the ports will be silent for."""
    text = head(script(tmp_path)).replace(str(tmp_path), "/srv")
    assert text.startswith("#!/bin/sh\n# The way back from a swap, without cutover")
    assert "The ports are silent for as long as green takes to start" in text
    for line in (
        "project=shop",
        "green=old",
        "blue=new",
        "way=ports",
        "image=shop:1",
        "park=0-cutover-shop",
        "run_folder=/srv",
        "blue_was_there=no",
    ):
        assert f"\n{line}\n" in text
    compose = "docker --host unix:///var/run/docker.sock compose --file=/srv/compose.yaml '--profile=a b'"
    assert f"compose() {{ {compose} --env-file=/srv/x.env --project-name=shop" in text


def test_nothing_in_it_is_taken_for_a_command(tmp_path: Path) -> None:
    """Names with quotes, dollars, backticks and line ends are the words that they are."""
    folder = tmp_path / "it's $(touch x) `id`\n# new line"
    text = script(folder, replace(PLAN, green=HOSTILE, blue="-rf", project="p"))
    assert in_sh(text, 'printf %s "$green"') == HOSTILE
    assert in_sh(text, 'printf %s "$blue"') == "-rf"
    assert in_sh(text, 'tell() { printf "%s\\0" "$@"; }; each_file tell').split("\0")[0] == str(folder / "compose.yaml")
    assert (
        in_sh(text, 'docker() { printf "%s\\0" "$@"; }; compose up').split("\0")[3] == f"--file={folder}/compose.yaml"
    )


def test_a_context_is_said_as_it_was(tmp_path: Path) -> None:
    """It has TLS of its own."""
    assert "engine() { docker --context prod " in script(tmp_path, context="prod")


@pytest.mark.parametrize("shell", ["sh", "dash", "bash --posix"])
def test_shells_read_it(tmp_path: Path, shell: str) -> None:
    """As plain POSIX."""
    words = shell.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"there is no {words[0]} here")
    subprocess.run([*words, "-n"], input=script(tmp_path), text=True, check=True)


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    """Of the whole script, and of the one that finds it."""
    path = tmp_path / "rollback.sh"
    path.write_text(script(tmp_path / "project"))
    finder = Path(__file__).parents[3] / "scripts" / "rollback"
    command = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or "shellcheck"
    done = subprocess.run([command, "-s", "sh", path, finder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_which_way(tmp_path: Path) -> None:
    """Without an edge Docker moves the ports."""
    assert way_of(replace(PLAN, strategy=Strategy.RECREATE)) is Way.PORTS
    assert "way=ports" in script(tmp_path)


def test_it_needs_no_green(tmp_path: Path) -> None:
    """Where it was gone before the run."""
    assert "\nimage=''\n" in script(tmp_path, green=None)
