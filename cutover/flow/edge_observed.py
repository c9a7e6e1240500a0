"""What a plan has to know of the edge: whether one stands and whom it serves, or whether one can be had."""

from __future__ import annotations

from dataclasses import replace

from cutover.config import Edge
from cutover.edge.both import Both
from cutover.edge.image import edge_image_name
from cutover.edge.shape import Slot
from cutover.engine.daemon import Daemon
from cutover.errors import CutoverError
from cutover.flow.edge import faces_of
from cutover.flow.edge_record import EdgeRecord, load
from cutover.flow.observed import ObservedState
from cutover.flow.runs import STATE_FOLDER
from cutover.flow.strategy import trouble


def with_edge(state: ObservedState, daemon: Daemon, settings: Edge) -> ObservedState:
    """Return the observed state with what can be known of the edge; an edge that does not answer is a trouble."""
    image = settings.image or edge_image_name()
    here = image if daemon.image_id(image) else None
    folder = state.folder / STATE_FOLDER
    try:
        record = load(folder, state.project)
        if record is None:
            return replace(state, edge_image=here, edge_image_wanted=settings.image)
        faces = Both(faces_of(folder, record, settings))
        active = _active(record, faces)
    except CutoverError as error:
        return replace(state, edge_image=here, edge_image_wanted=settings.image, edge_trouble=trouble(error))
    return replace(state, edge_image=here, edge_image_wanted=settings.image, edge=record, edge_active=active)


def _active(record: EdgeRecord, faces: Both) -> Slot | None:
    """Return the slot that every port serves, None where they differ: then only a person knows what is meant."""
    slots = {s.serving or s.active for s in faces.stats().values()}
    return next(iter(slots)) if len(slots) == 1 and record.slots else None
