"""Shell completion."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cutover.cli.main import VERBS, cli


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script_that_asks_cutover(shell: str) -> None:
    """By the variable that `cutover` listens to."""
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert f"_CUTOVER_COMPLETE={shell}_complete" in result.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cutover ", list(VERBS)),
        ("cutover ro", ["rollback"]),
        ("cutover swap --str", ["--strategy"]),
        ("cutover swap --strategy re", ["relink", "recreate"]),
    ],
)
def test_cutover_answers_the_script(words: str, expected: list[str]) -> None:
    """With verbs, options and choices."""
    environment = {
        **os.environ,
        "_CUTOVER_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "cutover"], env=environment, capture_output=True, text=True, check=True
    )
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == expected
