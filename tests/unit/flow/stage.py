"""A run without an Engine: containers that the steps move by hand, and steps that tell what was asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cutover.config import Strategy
from cutover.errors import StepError
from cutover.events import Event, Note, StepEvent
from cutover.flow.context import Context
from cutover.flow.journal import Journal, read
from cutover.flow.plan import Move, Plan, Step, StepKind, numbered
from cutover.flow.stall import StallMeter
from cutover.model import Container, PortBinding
from cutover.probes import parse
from tests.unit.flow.world import BLUE, GREEN, FakeClock

PORT = PortBinding("", 5570, 5570)
PLAN = Plan(
    project="shop",
    green="old",
    blue="new",
    strategy=Strategy.RELINK,
    moves=(Move(PORT, 5570),),
    steps=numbered(
        [
            (StepKind.BACKUP, "compose.yaml", ""),
            (StepKind.EDIT_FILES, "compose.yaml", ""),
            (StepKind.RELINK, "5570", ""),
            (StepKind.PROVE_OUTSIDE, "new", ""),
        ]
    ),
    edits=(),
    observe_s=0.0,
    ready_timeout_s=10.0,
    commit=False,
    stall_predicted_s=None,
    stall_cause="",
)


class Docker:
    """Stands where the Engine would: it knows who holds the legacy port, and nothing else."""

    def __init__(self) -> None:
        self.holders = {"old"}

    def of_service(self, project: str, service: str) -> list[Container]:
        """Return the one container of a service, with the port if it holds it."""
        assert project == "shop"
        container = GREEN if service == "old" else BLUE
        return [replace(container, published=(PORT,) if service in self.holders else ())]


@dataclass
class Handler:
    """A step's handler that writes down what it is asked; `on` says what an act does beside that."""

    log: list[str]
    on: dict[str, Callable[[], Any]] = field(default_factory=dict)

    def _act(self, act: str, step: Step) -> Any:
        self.log.append(f"{act} {step.id}")
        return self.on[f"{act} {step.id}"]() if f"{act} {step.id}" in self.on else None

    def observe(self, ctx: Context, step: Step) -> Mapping[str, Any]:
        """Return what was before."""
        return self._act("observe", step) or {"was": step.id}

    def apply(self, ctx: Context, step: Step, prior: Mapping[str, Any]) -> None:
        """Do it; the hand-over moves the port."""
        assert prior["was"] == step.id
        self._act("apply", step)
        if step.kind is StepKind.RELINK:
            ctx.daemon.holders = {"new"}  # type: ignore[attr-defined]

    def check(self, ctx: Context, step: Step, prior: Mapping[str, Any]) -> bool:
        """Say that it is done."""
        return self._act("check", step) is not False

    def undo(self, ctx: Context, step: Step, prior: Mapping[str, Any]) -> None:
        """Take it back."""
        assert prior["was"] == step.id
        self._act("undo", step)
        if step.kind is StepKind.RELINK:
            ctx.daemon.holders = {"old"}  # type: ignore[attr-defined]


class Stage:
    """Everything that a test of the runner looks at."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.docker = folder, FakeClock(), Docker()
        self.log: list[str] = []
        self.told: list[Event] = []
        self.handler = Handler(self.log)
        self.ctx = Context(
            plan=PLAN,
            folder=folder,
            daemon=self.docker,  # type: ignore[arg-type]
            stack=None,  # type: ignore[arg-type]
            probes=(parse("http://:5570/health"),),
            clock=self.clock,
            observer=self,
            stall=StallMeter(lambda: False, self.clock),
        )
        self.journal = Journal(folder, self.clock)

    def tell(self, event: Event) -> None:
        """Keep what the run tells."""
        self.told.append(event)

    def prove(self, ctx: Context, colour: str, *, timeout_s: float) -> None:
        """Stand for the proof that green answers at the end of the way back."""
        self.log.append(f"prove {colour}")
        if self.docker.holders != {"old"}:
            raise StepError("not-bound", "green does not hold the legacy ports.")

    @property
    def records(self) -> str:
        """Return the journal in words, a step with what was recorded of it."""
        return " ".join(f"{r.kind}{':' + r.step if r.step else ''}" for r in read(self.folder))

    @property
    def notes(self) -> list[str]:
        """Return what was told beside the steps."""
        return [e.message for e in self.told if isinstance(e, Note)]

    @property
    def states(self) -> list[str]:
        """Return what the steps told of themselves, `running` left out."""
        return [f"{e.step} {e.state}" for e in self.told if isinstance(e, StepEvent) and e.state != "running"]
