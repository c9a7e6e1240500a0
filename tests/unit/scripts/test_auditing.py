"""What is made of pip-audit's answers: found, nothing found, and not scanned, which are three things."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import auditing
import pytest
from auditing import Scan, asked, main, read

World = Callable[..., int]
CLEAN = {"name": "click", "version": "8.3.0", "vulns": []}
BAD = {"name": "h11", "version": "0.14.0", "vulns": [{"id": "GHSA-vqfr", "fix_versions": ["0.16.0"]}]}
LEFT = {"name": "h2", "skip_reason": "Dependency not found on PyPI"}
OWN = {"name": "cutover", "skip_reason": "distribution marked as editable"}


def test_what_is_found_is_told() -> None:
    """With the version that mends it; what was not looked up counts as well, our own package does not."""
    assert read({"dependencies": [CLEAN, OWN]}).failed == ()
    assert read({"dependencies": [CLEAN, BAD, OWN]}).failed == ("h11 0.14.0: GHSA-vqfr, mended in 0.16.0",)
    assert read({"dependencies": [CLEAN, LEFT]}).failed == ("h2 could not be looked up",)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """Give the exit code where the services answer so, one after the other."""

    def ran(*scans: Scan | str) -> int:
        answers = iter(scans)
        monkeypatch.setattr(auditing, "asked", lambda *_: next(answers))
        return main()

    monkeypatch.setattr(auditing, "write_sbom", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["auditing.py", str(tmp_path), "9"])
    return ran


@pytest.mark.parametrize(
    ("scans", "code", "words"),
    [
        ((Scan(3, (), ()),), 0, "no known vulnerability in 3"),
        ((Scan(3, ("x 1: GHSA",), ()),), 1, "x 1: GHSA"),
        ((Scan(0, (), ("a", "b")), "no answer in time"), 0, "NOT SCANNED"),
        ((Scan(0, (), ("a", "b")), Scan(2, (), ())), 0, "no known vulnerability in 2"),
        (("Name or service not known", Scan(2, (), ("a",))), 1, "a could not be looked up"),
    ],
)
def test_three_ends(
    scans: tuple[Scan | str, ...], code: int, words: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mirror that knows no package is no clean bill: pip-audit itself says "No known vulnerabilities found" then."""
    assert world(*scans) == code
    assert words in capsys.readouterr().err


def test_a_service_that_does_not_come_to_an_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is cut off."""
    (tmp_path / "pip-audit").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "pip-audit").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert asked("osv", 0.0) == "no answer in time"
