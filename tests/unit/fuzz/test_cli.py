"""A few commands on bad files each time; `scripts/fuzz --cli` runs hundreds."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from tests.fuzz.cli import Case, cases, wrong
from tests.fuzz.engine import empty_engine

COMMANDS = 12
SEED = 20


def test_commands_on_bad_files_end_in_words_and_touch_nothing(tmp_path: Path) -> None:
    """Verbs in a shuffled order: documented exit codes, no traceback, no file changed by a verb that looks."""
    with empty_engine(tmp_path) as (host, says):
        for case in islice(cases(SEED), COMMANDS):
            says.clear()
            says.update(case.says)
            assert wrong(case, tmp_path / "project", host) == [], f"{case} {case.files}"


def test_what_is_wrong_is_seen(tmp_path: Path) -> None:
    """`recover`, which takes the project's lock, taken for a verb that looks."""
    with empty_engine(tmp_path) as (host, _):
        files = {"compose.yml": b"services: {a: {image: b}}\n"}
        written = wrong(Case(("recover", "-p", "shop"), True, files), tmp_path / "project", host)
        assert any("touched" in line for line in written), written
