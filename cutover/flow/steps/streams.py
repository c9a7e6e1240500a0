"""Connections that nobody can move: those of plain TCP end with the colour that has them, at rest and not in a word."""

from __future__ import annotations

from cutover.edge.shape import Slot
from cutover.errors import CutoverError, EngineGoneError
from cutover.flow.context import Context
from cutover.flow.edge import containers_of, face_of, need_record, slot_of
from cutover.flow.edge_record import EdgeRecord
from cutover.flow.takeover import end_connections
from cutover.model import Colour


def end_streams(ctx: Context, colour: Colour) -> None:
    """End what HAProxy still has open to a colour, each when it rests; where that fails they end with the colour."""
    record, slot = need_record(ctx), slot_of(ctx, colour)
    place = record.slots.get(slot)
    try:
        inside = {place.targets[port] for port in _open(ctx, record, slot) if port in place.targets} if place else set()
        container = ctx.daemon.container(place.container_id) if place and inside else None
        if container is None or not container.running:
            return
        said = end_connections(
            ctx.daemon,
            record.project,
            record.image,
            container,
            ports=inside,
            peers={e.ip for c in containers_of(ctx, record) for e in c.endpoints if e.ip},
            within_s=ctx.edge.cut_after_s,
            clock=ctx.clock,
        )
    except EngineGoneError:
        raise
    except CutoverError as error:
        ctx.note(f"what is open to {ctx.plan.called(colour)} ends when it does: {error.message}")
        return
    ctx.note(f"{ctx.plan.called(colour)}: {said}")


def _open(ctx: Context, record: EdgeRecord, slot: Slot) -> list[int]:
    """Return the ports behind HAProxy on which a colour still has somebody."""
    stats = face_of(ctx, record).stats()
    modes = {port.port: port.mode for port in record.ports}
    return [n for n, port in stats.items() if not modes[n].zeromq and port.slots[slot].in_flight]
