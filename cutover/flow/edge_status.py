"""What the standing edge of a project does: each port, who serves it, what waits and what is in flight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cutover.edge.both import Both
from cutover.edge.composefile import GENERATION_LABEL
from cutover.edge.shape import EdgePort, PortStats, Slot
from cutover.errors import CutoverError, RefusedError
from cutover.flow.edge import faces_of
from cutover.flow.edge_record import EdgeRecord, load
from cutover.flow.session import Session
from cutover.model import Container


@dataclass(frozen=True, slots=True)
class EdgeStatus:
    """A standing edge as it is now; `error` where it does not answer, and `ports` is empty then."""

    record: EdgeRecord
    containers: tuple[Container, ...]
    ports: Mapping[int, PortStats]
    error: CutoverError | None = None

    def service(self, slot: Slot | None) -> str | None:
        """Return the service in a slot."""
        place = self.record.slots.get(slot) if slot else None
        return place.service if place else None

    def serving(self) -> Iterator[tuple[EdgePort, str | None]]:
        """Yield each port of the edge with the service that gets its next request."""
        for port in self.record.ports:
            stats = self.ports.get(port.port)
            yield port, self.service(stats.serving) if stats else None

    @property
    def fell_back(self) -> bool:
        """Say whether the edge went back by itself from what it was switched to."""
        return any(s.serving not in {s.active, None} for s in self.ports.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the one object that `--json` prints."""
        return {
            "project": self.record.project,
            "generation": self.record.generation,
            "image": self.record.image,
            "file": str(self.record.file),
            "containers": [{"name": c.name, "state": str(c.state), "image": c.image} for c in self.containers],
            "slots": {str(slot): place.as_dict() for slot, place in self.record.slots.items()},
            "ports": [self._port(port) for port in self.record.ports],
            "fell_back": self.fell_back,
            "error": self.error.as_dict() if self.error else None,
        }

    def _port(self, port: EdgePort) -> dict[str, Any]:
        stats = self.ports.get(port.port)
        told: dict[str, Any] = {"published": [str(b) for b in port.bindings], "mode": str(port.mode)}
        if stats is None:
            return told
        return {
            **told,
            "active": self.service(stats.active),
            "serving": self.service(stats.serving),
            "canary_percent": stats.share_percent,
            "holding": stats.holding,
            "held": stats.held,
            "overflowed": stats.overflowed,
            "rejected": stats.rejected,
            "services": {self.service(slot) or str(slot): _slot(s) for slot, s in stats.slots.items() if s.aimed_at},
        }

    def text(self) -> str:
        """Return it as a person reads it."""
        record = self.record
        lines = [f"edge of {record.project}, generation {record.generation}, from {record.image}"]
        lines += [f"  {c.name}: {c.state}" for c in self.containers] or ["  no container of it is left"]
        for port in record.ports:
            lines += self._lines(port)
        if self.fell_back:
            lines.append("it went back by itself: the colour that was switched to died (cutover status)")
        if self.error:
            lines.append(f"it does not answer: {self.error.message}")
            lines.append(f"next: {mended_by(self.record, self.containers)}")
        return "\n".join(lines)

    def _lines(self, port: EdgePort) -> Iterator[str]:
        stats = self.ports.get(port.port)
        published = ", ".join(str(b.host_port) for b in port.bindings)
        if stats is None:
            yield f"  {published}  {port.mode}"
            return
        waiting = f", {stats.held} requests wait" if stats.holding else ""
        share = f", {stats.share_percent:g} % to the other" if stats.share_percent else ""
        yield f"  {published}  {port.mode}  -> {self.service(stats.serving) or 'nobody'}{share}{waiting}"
        for slot, s in stats.slots.items():
            if s.aimed_at:
                lost = f", {s.lost} lost, {s.replayed} asked again" if s.lost or s.replayed else ""
                state = "up" if s.up else "down"
                yield (
                    f"    {self.service(slot) or slot} ({s.aimed_at}): {state}, {s.requests} requests, "
                    f"{s.errors} errors, {s.in_flight} in flight{lost}"
                )


def mended_by(record: EdgeRecord, containers: Iterable[Container]) -> str:
    """Return the command that has an edge answer again that does not; it comes up as it was told last."""
    stopped = sorted(c.name for c in containers if not c.running)
    running = sorted(c.name for c in containers if c.running)
    if stopped:
        return f"docker start {' '.join(stopped)}"
    if running:
        return f"docker restart {' '.join(running)} (interrupts its clients for a moment)"
    return f"cutover recover (makes its containers again from {record.file.name})"


def _slot(stats: Any) -> dict[str, Any]:
    names = ("aimed_at", "up", "requests", "errors", "lost", "replayed", "in_flight")
    return {name: getattr(stats, name) for name in names}


def edge_status(session: Session) -> EdgeStatus:
    """Return what the project's edge does.

    Raises:
        RefusedError: the project has none.

    """
    found = edge_if_any(session)
    if found is None:
        raise RefusedError(
            "no-edge", "This project has no edge.", hint="cutover swap --strategy edge makes one (cutover edge build)"
        )
    return found


def edge_if_any(session: Session) -> EdgeStatus | None:
    """Return what the project's edge does, None where it has none."""
    runs = session.runs()
    record = load(runs.state, runs.folder.name)
    if record is None:
        return None
    found = session.daemon.containers(record.compose_project)
    ours = tuple(c for c in found if c.labels.get(GENERATION_LABEL) == str(record.generation))
    try:
        stats = Both(faces_of(runs.state, record, session.settings.edge)).stats()
    except CutoverError as error:
        error.hint = mended_by(record, ours)
        return EdgeStatus(record, ours, {}, error)
    return EdgeStatus(record, ours, stats)
