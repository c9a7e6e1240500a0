"""`cutover.yaml`: every mistake is told with file, line and the nearest key."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.config import Settings, Strategy, load
from cutover.errors import ExitCode, UsageError

RULES = "'ignore', 'number', 'unordered', 'keys', 'similar' or 'type'"


def written(folder: Path, text: str) -> Path:
    """Write a cutover.yaml."""
    path = folder / "cutover.yaml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> tuple[str, ...]:
    """Return message and evidence, the folder left out."""
    with pytest.raises(UsageError) as caught:
        load(written(folder, text))
    assert caught.value.reference == "config-invalid"
    assert caught.value.exit_code is ExitCode.USAGE
    return tuple(line.replace(f"{folder}/", "") for line in (caught.value.message, *caught.value.evidence))


def test_all_that_it_may_say(tmp_path: Path) -> None:
    """Ports as numbers or pairs, probes as URLs or mappings."""
    text = """\
green: old   # a comment
blue: new
ports: [5570, 6570:80]
strategy: recreate
probes:
  - tcp://:5570
  - url: http://:6570/health
    expect: code:200
observe_s: 0
ready_timeout_s: 0.5
project: shop
files: [a.yaml, b.yaml]
"""
    assert load(written(tmp_path, text)) == Settings(
        green="old",
        blue="new",
        ports=(5570, "6570:80"),
        strategy=Strategy.RECREATE,
        probes=("tcp://:5570", {"url": "http://:6570/health", "expect": "code:200"}),
        observe_s=0.0,
        ready_timeout_s=0.5,
        project="shop",
        files=("a.yaml", "b.yaml"),
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "{}\n"])
def test_a_file_that_says_nothing(tmp_path: Path, text: str) -> None:
    """Is as good as none."""
    assert load(written(tmp_path, text)) == Settings() == load(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("green: a\nobserve: 3\n", ("cutover.yaml:2: unknown key `observe`; did you mean `observe_s`?",)),
        (
            "green: a\n\nxyzzy: 3\n",
            (f"cutover.yaml:3: unknown key `xyzzy`; known: {', '.join(Settings.model_fields)}",),
        ),
        ("\nobserve_s: -1\n", ("cutover.yaml:2: `observe_s`: Input should be greater than or equal to 0",)),
        ("ready_timeout_s: 0\n", ("cutover.yaml:1: `ready_timeout_s`: Input should be greater than 0",)),
        (
            "observe_s: soon\n",
            ("cutover.yaml:1: `observe_s`: Input should be a valid number, unable to parse string as a number",),
        ),
        (
            "blue: b\nstrategy: swap\n",
            ("cutover.yaml:2: `strategy`: Input should be 'auto', 'edge', 'relink' or 'recreate'",),
        ),
        (
            "blue: b\nstrategy: relnk\n",
            (
                (
                    "cutover.yaml:2: `strategy`: Input should be 'auto', 'edge', 'relink' or 'recreate'; "
                    "did you mean `relink`?"
                ),
            ),
        ),
        (
            "parity:\n  rules:\n    - {path: $.a, rule: ignre}\n",
            (f"cutover.yaml:3: `parity.rules.0.rule`: Input should be {RULES}; did you mean `ignore`?",),
        ),
        ("green: [a]\n", ("cutover.yaml:1: `green`: Input should be a valid string",)),
        ("ports: 5570\n", ("cutover.yaml:1: `ports`: Input should be a valid tuple",)),
        (
            "grean: a\nblu: b\n",
            (
                "cutover.yaml:1: unknown key `grean`; did you mean `green`?",
                "cutover.yaml:2: unknown key `blu`; did you mean `blue`?",
            ),
        ),
        ("- green\n", ("cutover.yaml:1: expected a mapping (green: ..., blue: ...).",)),
        ("just words\n", ("cutover.yaml:1: expected a mapping (green: ..., blue: ...).",)),
    ],
)
def test_mistakes(tmp_path: Path, text: str, told: tuple[str, ...]) -> None:
    """The line and what would be right."""
    assert refusal(tmp_path, text) == told


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("green: a\nblue: [b\n", "cutover.yaml:3: not valid YAML: "),
        ("green: a\n\tblue: b\n", "cutover.yaml:2: not valid YAML: "),
        ("green: a\ngreen: b\n", "cutover.yaml:2: not valid YAML: found duplicate key"),
        ("green: a\n---\ngreen: b\n", "cutover.yaml:2: not valid YAML: "),
        ("green: \x01\n", "cutover.yaml:1: not valid YAML: "),
    ],
)
def test_what_is_no_yaml(tmp_path: Path, text: str, start: str) -> None:
    """The line where the reader stumbled."""
    assert refusal(tmp_path, text)[0].startswith(start)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """No text, or no file at all."""
    path = tmp_path / "cutover.yaml"
    path.write_bytes(b"green: \xff\n")
    for unreadable in (path, tmp_path):
        with pytest.raises(UsageError) as caught:
            load(unreadable)
        assert caught.value.reference == "config-unreadable"


@settings(max_examples=80, deadline=None)
@given(text=st.text(alphabet="greenblu: \n-[]{}&*!|>'\"#%@`?,0.y_s\t", max_size=40))
def test_no_text_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """It is read, or refused in our words."""
    path = written(tmp_path_factory.getbasetemp(), text)
    with contextlib.suppress(UsageError):
        assert isinstance(load(path), Settings)
