"""What the steps of one run share: the plan, the Engine, Compose, the probes, time, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cutover.clock import Clock
from cutover.config import Canary, Edge, Errors, Settings, Suite
from cutover.engine.daemon import Daemon
from cutover.engine.stack import Stack
from cutover.errors import StepError
from cutover.events import Note, Observer
from cutover.flow.plan import Plan
from cutover.flow.stall import StallMeter
from cutover.model import COPY_OF_LABEL, Colour, Container
from cutover.probes import ProbeSpec


@dataclass
class Context:
    """Everything that a step handler may use."""

    plan: Plan
    folder: Path
    daemon: Daemon
    stack: Stack
    probes: tuple[ProbeSpec, ...]
    clock: Clock
    observer: Observer
    stall: StallMeter
    suites: Mapping[str, Suite] = field(default_factory=dict)
    errors: Errors = Errors()  # noqa: RUF009  (frozen)
    edge: Edge = Edge()  # noqa: RUF009  (frozen)
    canary: Canary = Canary()  # noqa: RUF009  (frozen)
    settings: Settings = Settings()  # noqa: RUF009  (frozen)
    state: Path = Path(".cutover")
    blue_restart_policy: str | None = None
    blue_let_in: str | None = None
    """When the blue was started that requests were first let to, where it alone serves: Docker's RFC 3339 text."""
    started: dict[Colour, float] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def backup_folder(self) -> Path:
        """Return where the files are kept as they were."""
        return self.folder / "files"

    @property
    def candidate_folder(self) -> Path:
        """Return where the edited files lie before they are put in place."""
        return self.folder / "candidate"

    def note(self, message: str) -> None:
        """Tell the observer something that belongs to no step."""
        self.observer.tell(Note(message))

    def warn(self, message: str) -> None:
        """Tell the observer, and keep it for the result."""
        self.warnings.append(message)
        self.note(message)

    def service_name(self, colour: Colour) -> str:
        """Return the Compose service of a colour."""
        return self.plan.green if colour is Colour.GREEN else self.plan.blue

    def containers(self, colour: Colour) -> list[Container]:
        """Return the containers of a colour as they are now, running ones first.

        Where a service rolls, green is the container that it had when the plan was made, and blue is every other.
        """
        found = self.daemon.of_service(self.plan.project, self.service_name(colour))
        if self.plan.rolls is None:
            return found
        return [c for c in found if self._was_green(c) is (colour is Colour.GREEN)]

    def _was_green(self, container: Container) -> bool:
        return self.plan.rolls in {container.id, container.labels.get(COPY_OF_LABEL)}

    def find(self, colour: Colour) -> Container | None:
        """Return the container of a colour as it is now: the one that runs, if one does."""
        found = self.containers(colour)
        return found[0] if found else None

    def need(self, colour: Colour) -> Container:
        """Return the container of a colour.

        Raises:
            StepError: there is none.

        """
        container = self.find(colour)
        if container is None:
            name = self.service_name(colour)
            raise StepError(
                "container-missing",
                f"The container of {name} ({colour}) is gone.",
                hint=f"docker compose ps -a {name}",
            )
        return container

    def target(self, colour: Colour, host_port: int) -> int | None:
        """Return the port inside a colour that a legacy port leads to, None for a port that does not move."""
        for move in self.plan.moves:
            if move.binding.host_port == host_port:
                return move.binding.target if colour is Colour.GREEN else move.blue_target
        return None

    def holds_ports(self, container: Container, colour: Colour) -> bool:
        """Say whether a container publishes every legacy port of the plan."""
        wanted = {m.binding if colour is Colour.GREEN else m.to_blue for m in self.plan.moves}
        return wanted <= set(container.published)

    def frees_ports(self, container: Container) -> bool:
        """Say whether a container publishes none of the legacy ports."""
        return not any(container.publishes(m.binding.host_port, m.binding.protocol) for m in self.plan.moves)
