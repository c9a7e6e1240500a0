"""The command line as a whole: what it knows without loading, what it answers, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cutover import __version__
from cutover.cli.main import VERBS, cli

HEAVY = ("docker", "pydantic", "rich", "python_on_whales", "ruamel", "zmq", "httpx", "jinja2", "requests", "psutil")


def call(*arguments: str) -> Result:
    """Call cutover as a user does."""
    return CliRunner().invoke(cli, list(arguments), prog_name="cutover")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder without any compose file, to stand in, and no Engine that answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cutover.engine.files.NAMES", ("no-such-name.yaml",))
    monkeypatch.delenv("COMPOSE_FILE", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    return tmp_path


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    """It answers at once, so that a shell can ask while somebody types."""
    code = (
        f"import sys; sys.argv = ['cutover', *{arguments!r}]\n"
        "from cutover.cli.main import main\n"
        "try: main()\n"
        f"finally: print('loaded:', *sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert done.stderr == ""


def test_help_lists_every_verb_in_the_order_in_which_a_person_meets_them() -> None:
    """With a summary each."""
    lines = call("--help").stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "] == list(VERBS)


def test_a_usage_error_is_one_json_object_where_json_is_asked_for() -> None:
    """A program that reads stdout finds it there, whatever was wrong."""
    told = call("parity", "--limit", "0", "--json")
    assert told.exit_code == 2
    error = json.loads(told.stdout)["error"]
    assert error["reference"] == "usage"
    assert "--limit" in error["message"]
    plain = call("parity", "--limit", "0")
    assert (plain.exit_code, plain.stdout) == (2, "")


def test_a_result_file_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    """Not after minutes of asking."""
    told = call("smoke", "--junit", str(tmp_path / "nowhere" / "x.xml"))
    assert told.exit_code == 2
    assert "cannot be written" in told.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_page(verb: str) -> None:
    """Every option says something; `--json` is there wherever there is a result."""
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    assert call(verb, "--help").exit_code == 0
    assert command.help
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert [o.name for o in options if not o.help] == (["timeout_s"] if verb == "probe" else [])
    assert any("--json" in o.opts for o in options) is (verb not in {"plugin", "completion", "schema", "edge"})


def test_version() -> None:
    """The package's own."""
    assert call("--version").stdout == f"cutover, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["swapp"], "There is no command 'swapp'; did you mean 'swap'?"),
        (["zzz"], "No such command 'zzz'."),
        (["swap", "--strategy", "reload"], "'reload' is not one of 'auto', 'edge', 'relink', 'recreate'."),
        (["swap", "--observe", "-1"], "-1.0 is not in the range x>=0."),
        (["swap", "--ready-timeout", "0"], "0.0 is not in the range x>0."),
        (["probe"], "Missing argument 'SPEC'."),
        (["completion", "tcsh"], "'tcsh' is not one of 'bash', 'zsh', 'fish'."),
    ],
)
def test_usage_errors(arguments: list[str], told: str) -> None:
    """Exit code 2, on stderr, nothing on stdout."""
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


@pytest.mark.parametrize(
    "verb", ["swap", "plan", "status", "history", "ports", "rollback", "commit", "recover", "init"]
)
def test_without_a_compose_file_every_verb_says_so(bare: Path, verb: str) -> None:
    """Exit code 2, the next command, and nothing is made in the folder."""
    result = call(verb)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"cutover: There is no compose file in {bare} or above it.\n"
        "  next: name it: cutover swap -f path/to/docker-compose.yml ...\n"
        "  (no-compose-file)\n"
    )
    assert list(bare.iterdir()) == []


@pytest.mark.parametrize(
    "verb", ["swap", "plan", "status", "history", "ports", "rollback", "commit", "recover", "init"]
)
def test_json_is_one_object_for_an_error_too(bare: Path, verb: str) -> None:
    """On stdout, with nothing on stderr."""
    result = call(verb, "--json", "-f", "gone.yaml")
    assert (result.exit_code, result.stderr) == (2, "")
    assert json.loads(result.stdout) == {
        "run": None,
        "result": "refused",
        "strategy": None,
        "green": None,
        "blue": None,
        "images": None,
        "ports": [],
        "steps": [],
        "stall_predicted_s": None,
        "stall_measured_s": None,
        "error": {
            "reference": "no-compose-file",
            "message": f"There is no compose file {bare}/gone.yaml.",
            "evidence": [],
            "hint": "check the path after -f",
        },
        "rollback_command": None,
        "rollback_script": None,
    }


def test_an_engine_that_does_not_answer_is_told(bare: Path) -> None:
    """Exit code 1: nothing was changed. In a process of its own, for the docker library leaves its socket open."""
    (bare / "compose.yaml").write_text("services: {}\n")
    command = [sys.executable, "-m", "cutover", "status", "-f", "compose.yaml", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["reference"]) == (1, "engine-gone")
    assert "docker info" in error["hint"]


def test_settings_that_do_not_hold_are_told_before_the_engine_is_asked(bare: Path) -> None:
    """With file and line."""
    (bare / "compose.yaml").write_text("services: {}\n")
    (bare / "cutover.yaml").write_text("green: a\nblu: b\n")
    result = call("swap", "-f", "compose.yaml")
    assert result.exit_code == 2
    assert f"{bare}/cutover.yaml:2: unknown key `blu`; did you mean `blue`?" in result.stderr


def test_a_probe_that_cannot_be_read_or_answered() -> None:
    """2 for a question that makes no sense, 1 for one that nobody answers; in JSON the whole answer."""
    assert call("probe", "ftp://:1").exit_code == 2
    result = call("probe", "tcp://127.0.0.1:1", "--timeout", "1", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["ok"], answer["address"]) == (1, False, "127.0.0.1:1")
