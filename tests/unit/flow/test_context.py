"""What the steps of a run ask of their context."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cutover.errors import StepError
from cutover.flow.plan import Move
from cutover.flow.session import default_probes
from cutover.model import Colour, PortBinding, Protocol
from tests.unit.flow.stage import PORT, Stage
from tests.unit.flow.world import BLUE, GREEN

UDP = PortBinding("", 5570, 5570, Protocol.UDP)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Give a run whose only legacy port leads to 9901 in blue."""
    made = Stage(tmp_path)
    made.ctx.plan = replace(made.ctx.plan, moves=(Move(PORT, 9901),))
    return made


def test_a_legacy_port_leads_to_each_colours_own(stage: Stage) -> None:
    """None for a port that does not move."""
    ctx = stage.ctx
    assert [ctx.target(c, 5570) for c in (Colour.GREEN, Colour.BLUE)] == [5570, 9901]
    assert ctx.target(Colour.BLUE, 80) is None


def test_who_holds_and_who_frees_the_ports(stage: Stage) -> None:
    """Green's binding is not blue's, and UDP is not TCP."""
    ctx = stage.ctx
    green, blue = replace(GREEN, published=(PORT,)), replace(BLUE, published=(PortBinding("", 5570, 9901),))
    assert (ctx.holds_ports(green, Colour.GREEN), ctx.holds_ports(green, Colour.BLUE)) == (True, False)
    assert (ctx.holds_ports(blue, Colour.GREEN), ctx.holds_ports(blue, Colour.BLUE)) == (False, True)
    assert [ctx.frees_ports(c) for c in (green, blue, replace(GREEN, published=(UDP,)))] == [False, False, True]


def test_a_container_that_is_gone_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that looks for it."""
    monkeypatch.setattr(stage.docker, "of_service", lambda *_: [])
    assert stage.ctx.find(Colour.BLUE) is None
    with pytest.raises(StepError, match=r"The container of new \(blue\) is gone") as caught:
        stage.ctx.need(Colour.BLUE)
    assert (caught.value.reference, caught.value.hint) == ("container-missing", "docker compose ps -a new")


def test_a_warning_is_told_and_kept(stage: Stage) -> None:
    """A note is only told."""
    stage.ctx.note("a")
    stage.ctx.warn("b")
    assert (stage.notes, stage.ctx.warnings) == (["a", "b"], ["b"])


def test_the_least_that_a_service_can_be_asked() -> None:
    """A TCP connection to each port, once, and nothing of UDP."""
    both = (PortBinding("10.0.0.1", 80, 80), PortBinding("127.0.0.1", 80, 80), UDP)
    assert [str(p) for p in default_probes(tuple(Move(b, 1) for b in both))] == ["tcp://:80"]
