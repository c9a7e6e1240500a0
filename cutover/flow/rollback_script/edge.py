"""What a standing edge is told by a rollback without cutover: green, and nothing held, as before the swap."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cutover.config import Edge
from cutover.edge.haproxy.render import HOLD_MAP, ROUTE_MAP, Layout, files, order
from cutover.edge.haproxy.state import FILE as STATE
from cutover.edge.haproxy.state import State, written
from cutover.edge.shape import EdgePort, Hold, Slot, Target
from cutover.errors import NeedsHandsError
from cutover.files import UNREADABLE

BROKER_STATE = "state.json"


def settled(state: State, green: Slot) -> State:
    """Return a HAProxy's state with green alone getting requests, and none waiting."""
    state = state if state.active is green else state.switched(green)
    return replace(state, share_percent=0.0, hold=None, alone=None)


def haproxy_files(layout: Layout, state: State) -> dict[str, bytes]:
    """Return the files with which a HAProxy starts in this state."""
    return {**files(layout, state), STATE: written(state)}


def broker_state(folder: Path, green: Slot) -> dict[str, Any]:
    """Return what a broker was told last, with green alone getting requests, and none waiting.

    Raises:
        NeedsHandsError: it cannot be read.

    """
    path = folder / BROKER_STATE
    try:
        told = json.loads(path.read_bytes())
        for targets in told["slots"].values():
            for target in targets.values():
                Target(target["name"], target["address"], target["port"])
        return {"slots": told["slots"], "active": green.value}
    except (OSError, *UNREADABLE) as error:
        raise NeedsHandsError(
            "edge-state-unreadable",
            f"What the edge was told last cannot be read: {error}.",
            evidence=[str(path)],
            hint="cutover edge status",
        ) from error


def told(
    green: Slot, hold: Hold, layout: Layout | None, state: State | None, broker: dict[str, Any] | None
) -> dict[str, Any]:
    """Return what `tell.py` is given: `layout` and `state` are HAProxy's, None where the edge has none, as `broker`."""
    http = None
    if layout is not None and state is not None:
        http = {
            "ports": {str(p.port): _slots(p, state) for p in layout.ports},
            "route_map": layout.inside(ROUTE_MAP),
            "hold_map": layout.inside(HOLD_MAP),
        }
    return {
        "green": green.value,
        "hold": {"order": order(hold), "bounds": asdict(hold)},
        "http": http,
        "zmq": {"slots": broker["slots"]} if broker is not None else None,
    }


def layout_of(ports: tuple[EdgePort, ...], settings: Edge, *, ipv6: bool) -> Layout | None:
    """Return HAProxy's part of an edge, None where it has none."""
    plain = tuple(p for p in ports if not p.mode.zeromq)
    return Layout(plain, settings, ipv6=ipv6) if plain else None


def _slots(port: EdgePort, state: State) -> dict[str, Any]:
    slots: dict[str, Any] = {}
    for slot in Slot:
        target = state.leads(slot).get(port.port)
        slots[slot.value] = {**asdict(target), "weight": int(state.takes(slot))} if target else None
    return slots
