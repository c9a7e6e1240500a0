"""`scripts/rollback`: which script it runs, and what it says where there is none to run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.flow.rollback_script.facts import SHELLCHECK

SCRIPT = Path(__file__).parents[3] / "scripts" / "rollback"


def left(folder: Path, project: str, run: str) -> None:
    """Have a run of a project leave a script that says who it is and what it was told."""
    place = folder / ".cutover" / project / run
    place.mkdir(parents=True)
    (place / "rollback.sh").write_text(f'printf "%s\\n" "{project}/{run}" "$@"\nexit 4\n')


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call it from a folder."""
    return subprocess.run(["sh", SCRIPT, *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Give a project's folder with three runs, the last of which never came to leave a script."""
    folder = tmp_path / "my stack"
    left(folder, "shop", "20260301T120000.000-ab12")
    left(folder, "shop", "20260302T120000.000-0001")
    (folder / ".cutover" / "shop" / "20260303T120000.000-0002").mkdir()
    return folder


def test_the_newest_run(stack: Path) -> None:
    """From the folder, or with its name; options are passed on, and so is the exit code."""
    for told in (call(stack), call(stack.parent, "my stack"), call(stack.parent, "my stack", "shop")):
        assert (told.returncode, told.stdout) == (4, "shop/20260302T120000.000-0001\n")
    told = call(stack.parent, "my stack", "--dry-run", "a b")
    assert told.stdout == "shop/20260302T120000.000-0001\n--dry-run\na b\n"
    assert call(stack, "--dry-run").stdout.endswith("--dry-run\n")


def test_the_newest_went_back(stack: Path) -> None:
    """Whoever calls it wants green back: it says that another run stands, and does not go further back by itself."""
    runs = stack / ".cutover" / "shop"
    (runs / "20260302T120000.000-0001" / "journal.jsonl").write_text('{"kind":"result","result":"rolled_back"}\n')
    told = call(stack)
    assert (told.returncode, told.stdout) == (1, "")
    assert "sh ./.cutover/shop/20260301T120000.000-ab12/rollback.sh" in told.stderr
    (runs / "20260301T120000.000-ab12" / "journal.jsonl").write_text('{"kind":"result","result":"refused"}\n')
    assert call(stack).stdout == "shop/20260302T120000.000-0001\n"


def test_several_projects(stack: Path) -> None:
    """It does not choose between them."""
    left(stack, "other", "20260304T120000.000-0003")
    told = call(stack)
    assert (told.returncode, told.stdout) == (1, "")
    assert "several projects" in told.stderr
    assert call(stack, ".", "shop").stdout == "shop/20260302T120000.000-0001\n"


@pytest.mark.parametrize("words", [(), (".", "nobody"), ("/nowhere",)])
def test_nothing_to_run(tmp_path: Path, words: tuple[str, ...]) -> None:
    """It says so."""
    (tmp_path / ".cutover").mkdir()
    told = call(tmp_path, *words)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("rollback: ")


def test_it_is_clean() -> None:
    """ShellCheck finds nothing."""
    done = subprocess.run([SHELLCHECK, SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
