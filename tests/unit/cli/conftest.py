"""What every test of the command line stands on."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _findable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes that a test starts find this checkout's package, wherever they stand."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
