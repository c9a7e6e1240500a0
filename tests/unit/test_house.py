"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LINES = 400
ONE_MACHINE = re.compile(r"(?<![\w./~$}\-])/(?:work|home/\w+|Users/\w+|tmp/v)/")


def tracked() -> list[Path]:
    """Return the files that git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout")
    return [p for name in listed.stdout.decode().split("\0") if name and (p := REPOSITORY / name).is_file()]


def modules(folder: str) -> list[Path]:
    """Return the Python files of a folder."""
    found = sorted((REPOSITORY / folder).rglob("*.py"))
    assert found
    return found


def shown(path: Path) -> str:
    """Return a path as seen from the repository."""
    return str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize("folder", ["cutover", "tests", "scripts", "compose"])
def test_no_module_is_longer_than_a_person_reads(folder: str) -> None:
    """Past 400 lines it is split."""
    long = {shown(p): n for p in modules(folder) if (n := len(p.read_text().splitlines())) > LINES}
    assert long == {}


def test_every_test_says_what_it_holds() -> None:
    """In a docstring, and so does every test module."""
    bare = [f"{shown(path)}:{line} {name}" for path in modules("tests") for line, name in _bare(path)]
    assert bare == []


def _bare(path: Path) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text())
    if not ast.get_docstring(tree):
        yield 1, "module"
    for node in ast.walk(tree):
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        if function and not ast.get_docstring(node):
            yield node.lineno, node.name


def test_the_package_does_not_import_its_test_doubles_or_tests() -> None:
    """They are shipped for others; the pytest plugin makes them pytest's, and Hypothesis makes cases of a schema."""
    wrong = [
        f"{shown(path)}: {name}"
        for path in modules("cutover")
        for name in _imported(path)
        if name.startswith(("cutover.testing", "tests", "pytest", "hypothesis"))
        and path.parent.name != "testing"
        and path.name not in {"pytest_plugin.py", "generate.py"}
    ]
    assert wrong == []


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    ("library", "home"), [("docker", "engine"), ("python_on_whales", "engine"), ("testcontainers", "testing")]
)
def test_the_engines_libraries_have_one_home(library: str, home: str) -> None:
    """No type of theirs reaches the flow."""
    strangers = {
        shown(path)
        for path in modules("cutover")
        for name in _imported(path)
        if name.split(".")[0] == library and path.parent.name != home
    }
    assert strangers == set()


def test_no_file_names_a_path_of_one_machine() -> None:
    """What is written here has to hold elsewhere."""
    wrong = []
    for path in tracked():
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if ONE_MACHINE.search(line):
                wrong.append(f"{shown(path)}:{number}: {line.strip()[:100]}")
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"cd /{'work'}/main", True),
        ('"/home/me/x"', True),
        (f"/var/lib/docker/overlay2/7/{'work'}/", False),
        (f"https://host/{'work'}/x", False),
        (f"~/{'work'}/x", False),
    ],
)
def test_what_such_a_path_looks_like(text: str, found: bool) -> None:
    """The rule above can fail."""
    assert bool(ONE_MACHINE.search(text)) is found
