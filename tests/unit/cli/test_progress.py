"""Progress: bars on a terminal, gone when the work is done; nothing of them on a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cutover import events
from cutover.cli.render import Progress


@pytest.fixture
def drawn():
    """Give a progress that draws on a terminal of ours, and what it wrote."""
    progress, out = Progress(), io.StringIO()
    progress._console = Console(file=out, force_terminal=True, width=100, highlight=False, soft_wrap=True)
    yield progress, out
    progress.close()


def test_a_bar_for_each_title(drawn):
    """It counts, says what failed, shows no markup of a title, and is closed when all is done."""
    progress, out = drawn
    progress.tell(events.Progress("suite [a]", 0, 3))
    progress.tell(events.Progress("suite [a]", 2, 3, failed=1))
    progress._bar.refresh()
    assert "suite [a]" in out.getvalue()
    assert "1 failed" in out.getvalue()
    assert "2/3" in out.getvalue()
    progress.tell(events.Progress("suite [a]", 3, 3, failed=1))
    assert progress._bar is None
    progress.tell(events.Progress("suite b", 1, 2))
    assert [task.description for task in progress._bar.tasks] == ["suite b"]


def test_a_step_takes_the_place_of_a_bar(drawn):
    """Two live displays on one console would fail."""
    progress, _ = drawn
    progress.tell(events.Progress("a", 0, 3))
    progress.tell(events.StepEvent("s1", "k", events.StepState.RUNNING, "title"))
    progress.tell(events.Progress("a", 1, 3))
    progress.tell(events.StepEvent("s1", "k", events.StepState.DONE, "title"))
    assert progress._bar is None


def test_nothing_on_a_pipe(capfd):
    """What CI keeps is the result."""
    progress = Progress()
    progress.tell(events.Progress("a", 1, 3))
    progress.close()
    assert capfd.readouterr() == ("", "")
