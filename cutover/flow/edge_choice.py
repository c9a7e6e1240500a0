"""How a swap uses the edge: the one that stands, or a new one, with what each port speaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cutover.edge.shape import Mode, Slot
from cutover.errors import UsageError
from cutover.flow.edge_parts import edge_ports
from cutover.flow.edge_plan import EdgePlan
from cutover.flow.edge_record import edge_file, see_edge_file_free
from cutover.flow.observed import ObservedState
from cutover.flow.plan import Move
from cutover.flow.request import SwapRequest
from cutover.flow.session import Session
from cutover.flow.strategy import docker_networks
from cutover.probes import Kind

if TYPE_CHECKING:
    from cutover.flow.takeover import Survey

ZMQ = "zmq"
"""What `edge.ports` says where it leaves to us which ZeroMQ socket a colour binds."""
IDENTIFY_TIMEOUT_S = 2.0
FIRST_GENERATION = 1


def edge_plan(session: Session, state: ObservedState, request: SwapRequest, moves: tuple[Move, ...]) -> EdgePlan:
    """Return how this swap uses the edge.

    Raises:
        UsageError: `edge.ports` of cutover.yaml names a port that does not move.
        RefusedError: a file of somebody else's stands where the edge's compose file has to be.

    """
    if state.edge is not None:
        slot = state.edge.slot_of(request.green, state.of_service(request.green)[0].id)
        assert slot is not None
        return EdgePlan(
            adopt=False,
            redirect=False,
            generation=state.edge.generation,
            image=state.edge.image,
            networks=state.edge.networks,
            ports=state.edge.ports,
            green_slot=slot,
            exclusive=request.exclusive,
            share_percent=request.share_percent,
            notes=tuple(_about_hold(session, state, request)),
        )
    from cutover.flow.takeover import survey  # noqa: PLC0415

    see_edge_file_free(edge_file(session.folder, state.project), state.project)
    assert state.edge_image is not None
    settings = session.settings.edge
    with ThreadPoolExecutor(max_workers=1) as pool:
        surveyed = pool.submit(survey, session.daemon, state.project, state.edge_image)
        modes = {port: mode_of(session, request, moves, port) for port in {m.binding.host_port for m in moves}}
        found = surveyed.result()
    return EdgePlan(
        adopt=True,
        redirect=found.refusal is None,
        generation=FIRST_GENERATION,
        image=state.edge_image,
        networks=_networks(session, state, request),
        ports=edge_ports(moves, modes, request.probes, settings.check_path),
        green_slot=Slot.A,
        exclusive=request.exclusive,
        share_percent=request.share_percent,
        notes=(*_notes(found, modes), *_about_hold(session, state, request)),
    )


def _about_hold(session: Session, state: ObservedState, request: SwapRequest) -> Iterator[str]:
    longest_s = session.settings.edge.hold.timeout_s
    load_s = state.load_seconds.get(request.blue, request.ready_timeout_s)
    if request.exclusive and load_s > longest_s:
        known = "took" if request.blue in state.load_seconds else "may take"
        yield (
            f"{request.blue} {known} {load_s:.0f} s to load, and a request is held for {longest_s:g} s at most: then "
            "it gets a 503 or an error reply (edge.hold.timeout_s)"
        )


def _notes(found: Survey, modes: Mapping[int, Mode]) -> Iterator[str]:
    asking = sorted(port for port, mode in modes.items() if mode in {Mode.REP, Mode.ROUTER})
    if asking:
        yield (
            f"port {', '.join(map(str, asking))}: a request that green answers only after more than edge.cut_after_s "
            "is cut off when the ports move to the edge; a REQ socket without a timeout then waits for ever"
        )
    if found.refusal is not None:
        yield f"the ports cannot be redirected while they move to the edge ({found.refusal}): there is a short gap"
    if found.external_blocked is not None:
        yield (
            "while the ports move to the edge, this host's firewall may keep new connections from other machines "
            f"waiting for a second or two: {found.external_blocked}"
        )


def mode_of(session: Session, request: SwapRequest, moves: tuple[Move, ...], port: int) -> Mode:
    """Return what a legacy port speaks: as `cutover.yaml` says, else as green shows when it is asked."""
    from cutover.edge.identify import identify  # noqa: PLC0415

    named = session.settings.edge.ports
    unknown = sorted(set(named) - {m.binding.host_port for m in moves})
    if unknown:
        raise UsageError(
            "edge-port-unknown",
            f"edge.ports in cutover.yaml names {unknown[0]}, which does not move.",
            evidence=[f"ports that move: {', '.join(sorted({str(m.binding.host_port) for m in moves}))}"],
        )
    if port in named and named[port] != ZMQ:
        return Mode(named[port])
    bound = next(m.binding.host_ip for m in moves if m.binding.host_port == port)
    kinds = {p.kind for p in request.probes if p.port == port and not p.host}
    probed: str | None = next((str(k) for k in (Kind.ZMQ, Kind.HTTP, Kind.TCP) if k in kinds), None)
    hint = named.get(port, probed)
    host = session.daemon.address.host if bound in {"", "0.0.0.0", "::"} else bound  # noqa: S104
    found = identify(host, port, hint, IDENTIFY_TIMEOUT_S)
    session.observer_note(f"port {port}: {found.evidence}")
    return found.mode or Mode.TCP


def _networks(session: Session, state: ObservedState, request: SwapRequest) -> tuple[str, ...]:
    """Return the bridge networks of both colours by Docker's names: green's as they are, blue's as Compose says."""
    green = [e.network for e in state.of_service(request.green)[0].endpoints if session.daemon.bridge_of(e.network_id)]
    names = docker_networks(state.model, state.project, request.blue)
    return tuple(dict.fromkeys([*green, *(n for n in names if session.daemon.network_exists(n))]))
