"""The step that starts a dependency of blue: what its undo stops, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cutover.flow.plan import Step, StepKind
from cutover.flow.steps.blue import StartDependency
from cutover.model import Container, ContainerState
from tests.unit.flow.stage import Stage
from tests.unit.flow.world import BLUE

DB = replace(BLUE, id="d" * 64, name="shop-db-1", service="db")
STEP = Step("s02", StepKind.DEPENDENCY, "db", "new depends on it and it does not run")


class Engine:
    """Knows one service, and writes down what is done to it."""

    def __init__(self, *containers: Container) -> None:
        self.containers, self.log = list(containers), list[str]()

    def of_service(self, project: str, service: str) -> list[Container]:
        """Return its containers."""
        assert (project, service) == ("shop", "db")
        return self.containers

    def stop(self, container: Container) -> None:
        """Note it."""
        self.log.append(f"stop {container.service}")

    def remove(self, container: Container) -> None:
        """Note it."""
        self.log.append(f"remove {container.service}")


@pytest.mark.parametrize(
    ("before", "undone"),
    [
        ((), ["stop db", "remove db"]),
        ((replace(DB, state=ContainerState.EXITED),), ["stop db"]),
        ((replace(DB, state=ContainerState.RUNNING),), []),
    ],
)
def test_undo_leaves_what_was_there_as_it_was(before: tuple[Container, ...], undone: list[str], tmp_path: Path) -> None:
    """Made by the step: gone. Stopped before: stopped. Started by somebody since the plan was made: left alone."""
    ctx, engine = Stage(tmp_path).ctx, Engine(*before)
    ctx.daemon = engine  # type: ignore[assignment]
    prior = StartDependency().observe(ctx, STEP)
    engine.containers = [replace(DB, state=ContainerState.RUNNING)]
    StartDependency().undo(ctx, STEP, prior)
    assert engine.log == undone
