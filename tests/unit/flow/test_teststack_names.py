"""Which test stack a name means."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cutover.config import Settings
from cutover.errors import UsageError
from cutover.flow import teststack_names
from cutover.flow.request import Options
from cutover.flow.teststack_names import known_as, meant


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a project with the services old, new and other, blue being new, and one override file."""
    monkeypatch.setattr(teststack_names, "canonical", lambda _: {"services": {"old": {}, "new": {}, "other": {}}})
    (tmp_path / "overrides").mkdir()
    (tmp_path / "overrides" / "mine.yml").touch()
    return SimpleNamespace(
        options=Options(),
        settings=Settings(blue="new"),
        folder=tmp_path,
        stack=None,
        spoken=lambda words: f"cutover {words}",
    )


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (None, ("new_test", None)),
        ("new", ("new_test", None)),
        ("new_test", ("new_test", None)),
        ("mine", ("mine", None)),
        ("other", ("other_test", "other")),
        ("other_test", ("other_test", "other")),
    ],
)
def test_a_name_that_means_something(session: Any, name: str | None, found: tuple[str, str | None]) -> None:
    """Blue's without one; else an override file's, a service's, or that of a service's test stack."""
    assert meant(session, name) == found


@pytest.mark.parametrize(("name", "near"), [("minee", "up mine"), ("othr_test", "up other_test"), ("zzz", "override")])
def test_a_name_that_means_nothing(session: Any, name: str, near: str) -> None:
    """It is a mistake; the nearest name is told, and what there is."""
    with pytest.raises(UsageError) as caught:
        meant(session, name)
    assert caught.value.reference == "unknown-test-stack"
    assert str(caught.value.hint).startswith(f"cutover {near}")
    assert caught.value.evidence == ("override files: mine", "services: new, old, other")


def test_the_way_down_knows_the_same_names() -> None:
    """A service stands for its test stack, unless a test stack has that very name."""
    assert known_as("new", ["new_test"]) == "new_test"
    assert known_as("new", ["new", "new_test"]) == "new"
    assert known_as("tyop", ["new_test"]) == "tyop"
