"""The whole text of rollback.sh for each strategy, and what shells and ShellCheck say of it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cutover.engine.address import EngineAddress
from cutover.engine.stack import ProjectFiles
from cutover.flow.rollback_script.facts import Facts
from cutover.flow.rollback_script.render import pinned, quoted, render, shown
from tests.unit.flow.rollback_script.facts import FILE, GREEN, KEPT, SHELLCHECK, facts, folded, of_each
from tests.unit.flow.world import GREEN as CONTAINER

EXPECTED = Path(__file__).parent / "expected"
REWRITE = bool(os.environ.get("CUTOVER_REWRITE"))
"""Write what there is now, for a person to look at with `git diff`."""
HOSTILE = "a'b\"c`touch pwned`$(touch pwned)\ntouch pwned;& ü \\ -x"


@pytest.mark.parametrize("name", of_each())
def test_text(name: str) -> None:
    """Each script is, word for word, the one that was read; its fixed parts are one line here."""
    text, path = folded(render(of_each()[name])), EXPECTED / f"{name}.sh"
    if REWRITE:
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", of_each())
@pytest.mark.parametrize(
    "checker", [["sh", "-n"], ["dash", "-n"], ["bash", "--posix", "-n"], [SHELLCHECK, "--shell=sh"]]
)
def test_no_shell_complains(tmp_path: Path, name: str, checker: list[str]) -> None:
    """Three shells can read it, and ShellCheck finds nothing, style included."""
    script = tmp_path / "rollback.sh"
    script.write_bytes(render(of_each()[name]))
    done = subprocess.run([*checker, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def hostile(folder: Path = Path("/srv")) -> Facts:
    """Return facts in which every name and path is hostile; the run's folder lies in this one."""
    made = facts(plan={"green": HOSTILE, "blue": HOSTILE, "project": HOSTILE})
    path = FILE.parent / HOSTILE
    kept = replace(KEPT, path=path, copy=path)
    return replace(
        made,
        source=ProjectFiles((path,), HOSTILE, None, (HOSTILE,), (path,)),
        address=EngineAddress(HOSTILE, HOSTILE),
        green=replace(GREEN, name=HOSTILE, image=HOSTILE, restart_policy=HOSTILE),
        files=(kept,),
        copies=(kept,),
        folder=folder / HOSTILE,
        tls={"DOCKER_CERT_PATH": HOSTILE},
    )


def calling_compose(made: Facts) -> str:
    """Return the function of a script that calls Compose, and a call."""
    text = render(made).decode()
    return text[text.index("compose() (") : text.index("\n)\n") + 3] + "compose version\n"


def test_hostile_names_are_words(tmp_path: Path) -> None:
    """Quotes, newlines and substitutions in every name do nothing: a docker of ours sees them as they are."""
    script, seen = tmp_path / HOSTILE / "rollback.sh", tmp_path / "seen"
    script.parent.mkdir()
    script.write_bytes(render(hostile(tmp_path)))
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done >>{quoted(seen)}\n")
    docker.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done
    assert not (tmp_path / "pwned").exists()
    subprocess.run(["sh", "-euc", calling_compose(hostile(tmp_path))], cwd=tmp_path, env=environment, check=True)
    words = seen.read_bytes().decode().split("\0")
    assert words[:3] == ["--context", HOSTILE, "version"]
    assert f"--file={FILE.parent / HOSTILE}" in words
    assert f"--profile={HOSTILE}" in words
    assert "nothing was changed" in done.stderr
    assert subprocess.run(["sh", script, "--help"], cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("text", ["", "a b", "'", "\n", "-n", HOSTILE, "%s", "\\", "~", "*"])
def test_quoted(text: str) -> None:
    """A shell gives back what was quoted, byte for byte."""
    done = subprocess.run(["sh", "-c", f"printf %s {quoted(text)}"], capture_output=True, text=True, check=True)
    assert done.stdout == text


def test_variables_that_bash_sets_itself(tmp_path: Path) -> None:
    """They reach Compose all the same: where `sh` is bash, nobody can set them."""
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\necho "$UID $A"\n')
    docker.chmod(0o755)
    (tmp_path / "environment.sh").write_text("export A=1\n")
    made = facts(environment=tmp_path / "environment.sh", unsettable={"UID": "4711"})
    for shell in (["dash"], ["bash", "--posix"]):
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(
            [*shell, "-euc", calling_compose(made)], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout == "4711 1\n"


def test_comments_end_where_their_line_ends() -> None:
    """What stands in a comment cannot leave it."""
    assert shown("a\nrm -rf /\x1b[2J\u2028b") == "a?rm -rf /?[2J?b"
    head = render(hostile()).decode().split("\n\n", 1)[0]
    assert all(line.startswith("#") for line in head.splitlines())


def test_pinned() -> None:
    """The override says what green was made from; a dollar sign stays one, other ports replace those of the file."""
    config = {"Cmd": ["run", "$x"], "Entrypoint": None, "Env": ["A=b=$c", "LIST=1\n2", "FACE=\x7f\u2028\U0001f600"]}
    text = pinned(config, replace(CONTAINER, image="shop:1"), facts().plan).decode()
    name, lines = text.splitlines()[1], text.splitlines()[2:]
    assert json.loads(name.strip().rstrip(":")) == "old"
    assert YAML(typ="safe").load("{" + ",".join(lines) + "}") == {
        "image": "shop:1",
        "command": ["run", "$$x"],
        "environment": {"A": "b=$$c", "LIST": "1\n2", "FACE": "\x7f\u2028\U0001f600"},
    }
    assert text.isascii()
    fewer = replace(facts().plan, moves=facts().plan.moves[:1])
    assert '"ports": !override ["5570:5570", "127.0.0.1:6570:6570"]' in pinned(config, CONTAINER, fewer).decode()
