"""What a rollback without cutover has to know, gathered before anything is changed; values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cutover.engine.address import EngineAddress
from cutover.engine.stack import ProjectFiles
from cutover.files import FileState
from cutover.flow.plan import Plan


@dataclass(frozen=True, slots=True)
class Kept:
    """A file as it was: where it belongs, which copy holds its bytes, and what it was.

    `after` is the SHA-256 that the swap gives it, "" where the swap leaves it alone.
    """

    path: Path
    copy: Path
    state: FileState
    after: str = ""


@dataclass(frozen=True, slots=True)
class Was:
    """A colour's container before the swap; `id` "" where there was none. `image` is its name in the compose file."""

    id: str = ""
    name: str = ""
    image: str = ""
    image_id: str = ""
    restart_policy: str = "no"
    running: bool = False

    @property
    def state(self) -> str:
        """Return `running`, `stopped` or `none`."""
        return "running" if self.running else "stopped" if self.id else "none"


@dataclass(frozen=True, slots=True)
class Facts:
    """One run: its plan, where everything is, and what there was before.

    `files` are those that the swap edits, `copies` all that were saved. `edge_files` is what a standing edge is to
    start with, if it does not do as it is told. `environment` holds the variables that the files took from the shell;
    `unsettable` those of them that some shells do not let anybody set. `pinned` is what green was made from, as an
    override, where no file says it.
    """

    plan: Plan
    version: str
    folder: Path
    state: Path
    address: EngineAddress
    source: ProjectFiles
    green: Was
    blue: Was = Was()
    files: tuple[Kept, ...] = ()
    copies: tuple[Kept, ...] = ()
    edge_files: tuple[Kept, ...] = ()
    edge_file: Path | None = None
    tls: Mapping[str, str] = field(default_factory=dict)
    environment: Path | None = None
    unsettable: Mapping[str, str] = field(default_factory=dict)
    pinned: Path | None = None

    @property
    def rolls(self) -> bool:
        """Say whether one service is replaced by itself."""
        return self.plan.rolls is not None

    @property
    def adopts(self) -> bool:
        """Say whether the swap makes the edge."""
        return self.plan.edge is not None and self.plan.edge.adopt

    @property
    def stands(self) -> bool:
        """Say whether the edge is there already: green has no ports of its own then."""
        return self.plan.edge is not None and not self.plan.edge.adopt
