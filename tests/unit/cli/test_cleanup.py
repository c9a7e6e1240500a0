"""`cleanup` on the command line: whom it asks, what it prints, how it ends."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from cutover.cli import cleanup as verb
from cutover.cli.main import cli
from cutover.errors import EngineError
from cutover.flow import cleanup as flow
from cutover.flow.cleanup import Cleaned
from cutover.flow.cleanup_choice import Choice, Item, What

ITEM = Item(What.IMAGE, "web:v0", "i0", "green of run r0 ran it", 1_500_000)
FAILED = (ITEM, EngineError("engine-refused", "It cannot be removed.", hint="docker info"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give what is found and what comes of removing it, and whether it was removed."""
    world: dict[str, Any] = {"choice": Choice((ITEM,)), "cleaned": Cleaned([ITEM]), "applied": 0}

    def clean(*_: object) -> Cleaned:
        world["applied"] += 1
        return world["cleaned"]  # type: ignore[no-any-return]

    monkeypatch.setattr(flow, "leftovers", lambda *_: world["choice"])
    monkeypatch.setattr(flow, "clean", clean)
    monkeypatch.setattr(verb, "with_session", lambda _, act: act(None))
    return world


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have standard input be a terminal."""
    monkeypatch.setattr(verb, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    assert not sys.stdin.isatty()


@pytest.mark.parametrize("words", [["--apply"], ["--apply", "--json"]])
def test_nobody_can_be_asked(asked: dict[str, Any], words: list[str]) -> None:
    """Without a terminal `--apply` needs `--yes`, and nothing is done."""
    told = CliRunner().invoke(cli, ["cleanup", *words])
    assert told.exit_code == 2
    assert "nobody-to-ask" in told.output
    assert asked["applied"] == 0


def test_dry_by_default(asked: dict[str, Any]) -> None:
    """The list, sizes for people, and the next command."""
    told = CliRunner().invoke(cli, ["cleanup"])
    assert (told.exit_code, asked["applied"]) == (0, 0)
    assert "1 thing, 1.5 MB at most" in told.stdout
    assert "nothing was removed; next: cutover cleanup --apply" in told.stdout


@pytest.mark.parametrize(("answer", "code", "applied"), [("y\n", 0, 1), ("\n", 1, 0), ("n\n", 1, 0)])
def test_asks(asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, answer: str, code: int, applied: int) -> None:
    """No is the answer where nobody says yes, and ends with 1: nothing was removed."""
    on_terminal(monkeypatch)
    told = CliRunner().invoke(cli, ["cleanup", "--apply"], input=answer)
    assert (told.exit_code, asked["applied"]) == (code, applied)


def test_what_cannot_be_removed_needs_hands(asked: dict[str, Any]) -> None:
    """Exit 4: 1 would say that nothing was changed, 3 that it was taken back."""
    asked["cleaned"] = Cleaned([], [], [FAILED])
    told = CliRunner().invoke(cli, ["cleanup", "--apply", "--yes", "--json"])
    assert told.exit_code == 4
    shown = json.loads(told.stdout)
    assert shown["applied"] is True
    assert shown["failed"][0]["error"]["reference"] == "engine-refused"
    assert (shown["total_bytes"], shown["removed_bytes"]) == (1_500_000, 0)


def test_nothing_to_remove(asked: dict[str, Any]) -> None:
    """Nobody is asked for nothing."""
    asked["choice"] = Choice()
    told = CliRunner().invoke(cli, ["cleanup", "--apply", "--yes"])
    assert (told.exit_code, asked["applied"], told.stdout) == (0, 0, "nothing to remove\n")
