"""A plan is data: steps with their causes, comparable as text, printed by `--dry-run` and kept in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from cutover.config import Strategy
from cutover.flow.edge_plan import EdgePlan
from cutover.model import Colour, PortBinding, Protocol


class StepKind(StrEnum):
    """What a step does; each kind has one handler in `flow/steps`."""

    BACKUP = "backup"
    DEPENDENCY = "dependency"
    PARK_NETWORK = "park-network"
    CREATE_BLUE = "create-blue"
    START_PARKED = "start-parked"
    START_BLUE = "start-blue"
    PROVE_INSIDE = "prove-inside"
    SMOKE_INSIDE = "smoke-inside"
    EDIT_FILES = "edit-files"
    MAKE_EDGE = "make-edge"
    ADOPT = "adopt"
    AIM_EDGE = "aim-edge"
    HOLD = "hold"
    STOP_GREEN = "stop-green"
    SWITCH_EDGE = "switch-edge"
    SHARE_EDGE = "share-edge"
    WATCH_CANARY = "watch-canary"
    RELEASE = "release"
    RELINK = "relink"
    RECREATE = "recreate"
    PROVE_OUTSIDE = "prove-outside"
    SMOKE_OUTSIDE = "smoke-outside"
    WATCH = "watch"
    TRUST_BLUE = "trust-blue"
    SETTLE_GREEN = "settle-green"
    RETIRE_GREEN = "retire-green"
    REMOVE_PARK_NETWORK = "remove-park-network"


Parts = list[tuple[StepKind, str, str]]
"""Steps before they are numbered: kind, resource, cause."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: to which resource, and because of what. `depends_on` names the steps that must be done first."""

    id: str
    kind: StepKind
    resource: str
    cause: str
    depends_on: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return the step in a few words."""
        return f"{self.kind} {self.resource}"


@dataclass(frozen=True, slots=True)
class Move:
    """A legacy port that changes hands: where it is bound, and its target inside green and inside blue."""

    binding: PortBinding
    blue_target: int

    @property
    def to_blue(self) -> PortBinding:
        """Return the binding as blue will have it."""
        b = self.binding
        return PortBinding(b.host_ip, b.host_port, self.blue_target, b.protocol)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        b = self.binding
        return {
            "host_ip": b.host_ip,
            "host_port": b.host_port,
            "target": b.target,
            "protocol": str(b.protocol),
            "blue_target": self.blue_target,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Move:
        """Read what `as_dict` wrote."""
        binding = PortBinding(data["host_ip"], data["host_port"], data["target"], Protocol(data["protocol"]))
        return cls(binding, data["blue_target"])


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A file that the plan rewrites: the bytes that were read, and those that will stand there."""

    path: Path
    before_sha256: str
    after_sha256: str
    after: bytes = field(repr=False)
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a swap will do. Durations are seconds; `stall_predicted_s` is None where nothing predicts it.

    `green_fails` are the probes that green itself does not satisfy: the way back cannot ask them. `why` says why this
    strategy was taken, where cutover chose it. `rolls` is the ID of green's container where blue is a new container of
    the same service, None where they are two services; `images` is then what both are made from. `inverses` take the
    edits back in files edited since.
    """

    project: str
    green: str
    blue: str
    strategy: Strategy
    moves: tuple[Move, ...]
    steps: tuple[Step, ...]
    edits: tuple[FileEdit, ...]
    observe_s: float
    ready_timeout_s: float
    commit: bool
    stall_predicted_s: float | None
    stall_cause: str
    warnings: tuple[str, ...] = ()
    green_fails: tuple[str, ...] = ()
    why: str = ""
    edge: EdgePlan | None = None
    rolls: str | None = None
    images: tuple[str, str] | None = None
    inverses: tuple[Mapping[str, object], ...] = ()

    def text(self) -> str:
        """Return the plan as a person reads it and as a test compares it."""
        ports = ", ".join(str(m.binding) if m.binding.target == m.blue_target else _retargeted(m) for m in self.moves)
        verb = "roll" if self.rolls else "swap"
        lines = [
            f"{verb} {self.what} in project {self.project} by {self.strategy}: ports {ports}",
            *(f"  {s.id:<4}{s.title:<52} {s.cause}".rstrip() for s in self.steps),
            *([f"by {self.strategy}: {self.why}"] if self.why else []),
            f"predicted silence of the legacy ports: {self.stall_text()}",
            *(f"note: {w}" for w in self.warnings),
        ]
        return "\n".join(lines)

    @property
    def what(self) -> str:
        """Return what is replaced by what, in a few words."""
        return what_of(self.green, self.blue, self.images)

    def called(self, colour: Colour) -> str:
        """Return what a message calls a colour: one service's name would not tell its two containers apart."""
        name = self.green if colour is Colour.GREEN else self.blue
        if self.rolls is None:
            return name
        return f"old {name}" if colour is Colour.GREEN else f"new {name}"

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as `--dry-run --json` prints it."""
        return {
            "strategy": str(self.strategy),
            "strategy_cause": self.why,
            "green": self.green,
            "blue": self.blue,
            "images": list(self.images) if self.images else None,
            "ports": [m.binding.host_port for m in self.moves],
            "steps": [
                {"id": s.id, "kind": str(s.kind), "resource": s.resource, "cause": s.cause, "state": "pending"}
                for s in self.steps
            ],
            "stall_predicted_s": rounded(self.stall_predicted_s),
            "stall_cause": self.stall_cause,
            "diff": "".join(e.diff for e in self.edits),
            "warnings": list(self.warnings),
            "error": None,
        }

    def header(self) -> dict[str, Any]:
        """Return what the journal keeps of the plan: enough to go back after a crash."""
        return {
            "project": self.project,
            "green": self.green,
            "blue": self.blue,
            "strategy": str(self.strategy),
            "moves": [m.as_dict() for m in self.moves],
            "steps": [[s.id, str(s.kind), s.resource, s.cause] for s in self.steps],
            "edits": [[str(e.path), e.before_sha256, e.after_sha256] for e in self.edits],
            "ready_timeout_s": self.ready_timeout_s,
            "commit": self.commit,
            "green_fails": list(self.green_fails),
            "edge": self.edge.as_dict() if self.edge else None,
            "rolls": self.rolls,
            "images": list(self.images) if self.images else None,
            "inverses": [dict(i) for i in self.inverses],
        }

    @classmethod
    def from_header(cls, data: Mapping[str, Any]) -> Plan:
        """Read back what `header` gave; what going back does not need is empty."""
        steps = numbered([(StepKind(kind), resource, cause) for _, kind, resource, cause in data["steps"]])
        return cls(
            project=data["project"],
            green=data["green"],
            blue=data["blue"],
            strategy=Strategy(data["strategy"]),
            moves=tuple(Move.from_dict(m) for m in data["moves"]),
            steps=steps,
            edits=tuple(FileEdit(Path(path), before, after, b"") for path, before, after in data["edits"]),
            observe_s=0.0,
            ready_timeout_s=data["ready_timeout_s"],
            commit=data["commit"],
            stall_predicted_s=None,
            stall_cause="",
            green_fails=tuple(data.get("green_fails", ())),
            edge=EdgePlan.from_dict(data["edge"]) if data.get("edge") else None,
            rolls=data.get("rolls"),
            images=images_in(data),
            inverses=tuple(data["inverses"]) if "inverses" in data else _move_back(data),
        )

    @property
    def one_at_a_time(self) -> bool:
        """Say whether green stops before blue starts: what only one can have is handed on then."""
        return self.strategy is Strategy.RECREATE or (self.edge is not None and self.edge.exclusive)

    @property
    def park_network(self) -> str:
        """Return the name of the network that parks containers: it sorts early, see flow/steps/park."""
        return f"0-cutover-{self.project}"

    def stall_text(self) -> str:
        """Return the predicted silence, with what it rests on."""
        seconds = "unknown" if self.stall_predicted_s is None else f"{self.stall_predicted_s:.2f} s"
        return f"{seconds} ({self.stall_cause})"


def images_in(data: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what both containers of a rolled service are made from, read from a run's header."""
    before, after = data.get("images") or (None, None)
    return (str(before), str(after)) if before and after else None


def what_of(green: str, blue: str, images: tuple[str, str] | None) -> str:
    """Return what is replaced by what, in a few words; `images` where one service is, by itself."""
    if images is None:
        return f"{green} -> {blue}"
    before, after = images
    return f"{green} ({before} -> {after})" if before != after else f"{green} ({after}, made anew)"


def rounded(seconds: float | None) -> float | None:
    """Return seconds to the millisecond."""
    return None if seconds is None else round(seconds, 3)


def _move_back(data: Mapping[str, Any]) -> tuple[Mapping[str, object], ...]:
    """Return what takes the edits of a run back whose journal is of a time when ports only moved."""
    moves = [Move.from_dict(m) for m in data["moves"]]
    if not moves:
        return ()
    published = sorted({(m.binding.host_port, str(m.binding.protocol)) for m in moves})
    retarget = [[m.blue_target, m.binding.target] for m in moves if m.blue_target != m.binding.target]
    arguments = {"source": data["blue"], "target": data["green"], "published": published, "retarget": retarget}
    return ({"operation": "move_ports", "arguments": arguments},)


def _retargeted(move: Move) -> str:
    return f"{move.binding} (in blue: {move.blue_target})"


def numbered(parts: Parts) -> tuple[Step, ...]:
    """Make steps of (kind, resource, cause), each depending on the one before it."""
    steps: list[Step] = []
    for number, (kind, resource, cause) in enumerate(parts, start=1):
        before = (steps[-1].id,) if steps else ()
        steps.append(Step(f"s{number:02}", kind, resource, cause, before))
    return tuple(steps)
