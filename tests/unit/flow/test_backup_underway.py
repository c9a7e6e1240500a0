"""What is written down of a restore that is under way."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutover.flow.backup_underway import NOTE, SIGN_S, SLACK_S, Mark, Underway, forget, needed, underway, with_signs
from cutover.flow.backup_underway import write_down as write


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """And gone when it is forgotten."""
    found = Underway("/b/1", ("2", "3"), {"data": Mark(17.5), "logs": Mark(18.0, filled=True)})
    write(tmp_path / "backups", found)
    assert underway(tmp_path / "backups") == found
    assert needed(tmp_path / "backups") == {"1", "2", "3"}
    assert (tmp_path / "backups" / NOTE).stat().st_mode & 0o777 == 0o600
    forget(tmp_path / "backups")
    assert underway(tmp_path / "backups") is None
    assert needed(tmp_path / "backups") == set()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"archive": "a", "rescues": [], "volumes": []}', '{"archive": 1, "rescues": 2}']
)
def test_a_damaged_note_says_nothing(tmp_path: Path, text: str) -> None:
    """Then what is half filled counts as anybody's data, and is not overwritten unasked."""
    (tmp_path / NOTE).write_text(text)
    assert underway(tmp_path) is None


def test_a_sign_of_one_volume_says_nothing_of_another() -> None:
    """Each keeps the time until which what lies in it may be the restore's own; it ends when all are filled."""
    found = Underway("/b/1").marked(["data", "logs"], 100.0).marked(["data"], 200.0, filled=True)
    assert found.ours_until() == {"data": 200.0 + SLACK_S, "logs": 100.0 + SLACK_S}
    assert not found.filled
    assert found.marked(["logs"], 300.0, filled=True).filled
    assert Underway("/b/1").filled


def test_signs_come_now_and_then() -> None:
    """Not with every piece."""
    now, told, signs = 0.0, [], []

    def sign() -> None:
        signs.append(now)

    tell = with_signs(lambda *n: told.append(n), sign, lambda: now)
    for step in range(1, 5):
        now = step * SIGN_S / 2
        tell(step, None)
    assert told == [(n, None) for n in range(1, 5)]
    assert signs == [SIGN_S, 2 * SIGN_S]
