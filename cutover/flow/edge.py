"""The standing edge of a run: its containers, its control sockets, and which colour it serves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cutover.config import Edge
from cutover.edge.both import Both
from cutover.edge.composefile import GENERATION_LABEL
from cutover.edge.face import Face
from cutover.edge.shape import Hold, Slot, Target, Targets
from cutover.errors import StepError
from cutover.flow.context import Context
from cutover.flow.edge_record import EdgeRecord, Place, edge_folder, load
from cutover.model import Colour, Container

SERVES_AGAIN_S = 5.0
LOOK_S = 0.05
LABEL = 63
"""The longest part of a name in DNS."""


def record_of(ctx: Context) -> EdgeRecord | None:
    """Return the project's standing edge, None where there is none."""
    return load(ctx.state, ctx.plan.project)


def need_record(ctx: Context) -> EdgeRecord:
    """Return the project's standing edge.

    Raises:
        StepError: there is none.

    """
    record = record_of(ctx)
    if record is None:
        raise StepError("edge-missing", "The project's edge is gone from disk.", hint="cutover recover")
    return record


def faces_of(state: Path, record: EdgeRecord, settings: Edge) -> tuple[Face, ...]:
    """Return what can be asked of an edge: HAProxy, the broker, or both."""
    folder = edge_folder(state, record.project) / str(record.generation)
    plain = tuple(p for p in record.ports if not p.mode.zeromq)
    zeromq = tuple(p for p in record.ports if p.mode.zeromq)
    faces: list[Face] = []
    if plain:  # imported here: most commands find no edge, and need not wait for this
        from cutover.edge.haproxy.face import HaproxyFace  # noqa: PLC0415

        faces.append(HaproxyFace(folder / "haproxy", plain, settings))
    if zeromq:
        from cutover.edge.brokerface import BrokerFace  # noqa: PLC0415

        faces.append(BrokerFace(folder / "broker", zeromq, settings))
    return tuple(faces)


def face_of(ctx: Context, record: EdgeRecord | None = None) -> Both:
    """Return the edge of a run as one."""
    return Both(faces_of(ctx.state, record or need_record(ctx), ctx.edge))


def containers_of(ctx: Context, record: EdgeRecord) -> list[Container]:
    """Return the containers of an edge, of its generation only."""
    found = ctx.daemon.containers(record.compose_project)
    return [c for c in found if c.labels.get(GENERATION_LABEL) == str(record.generation)]


def holds_ports(ctx: Context, record: EdgeRecord) -> bool:
    """Say whether the edge holds every port that it is there for."""
    published = {b for c in containers_of(ctx, record) if c.running for b in c.published}
    return all(b in published for p in record.ports for b in p.bindings)


def holding_edge(ctx: Context) -> EdgeRecord | None:
    """Return the edge of a run where it holds the legacy ports, None where a colour does so itself."""
    record = record_of(ctx) if ctx.plan.edge is not None else None
    return record if record is not None and holds_ports(ctx, record) else None


def slot_of(ctx: Context, colour: Colour) -> Slot:
    """Return the slot of a colour."""
    assert ctx.plan.edge is not None
    return ctx.plan.edge.green_slot if colour is Colour.GREEN else ctx.plan.edge.blue_slot


def served(ctx: Context, record: EdgeRecord) -> set[Colour]:
    """Return the colours that get requests now, by what the edge says."""
    slots = {s.serving or s.active for s in face_of(ctx, record).stats().values()}
    return {c for c in Colour if slot_of(ctx, c) in slots}


def place_of(ctx: Context, container: Container, colour: Colour) -> Place:
    """Return a container as what a slot holds."""
    assert ctx.plan.edge is not None
    from cutover.flow.edge_parts import targets  # noqa: PLC0415  (that module plans, and is not needed to go back)

    inside = targets(ctx.plan.edge.ports, ctx.plan.moves, blue=colour is Colour.BLUE)
    return Place(ctx.service_name(colour), container.name, container.id, inside)


def targets_of(ctx: Context, record: EdgeRecord, place: Place) -> Targets:
    """Return where the edge finds what a slot holds, as the Engine says it is now.

    By a name that Docker looks up in one network only: where edge and colour are both parked for a moment, the plain
    name leads to the colour's address on the park network, which is soon nobody's.

    Raises:
        StepError: it is on no network that the edge is on.

    """
    container = ctx.daemon.container(place.container_id) or ctx.daemon.container(place.container)
    shared = _shared_address(container, record.networks) if container else None
    if container is None or shared is None:
        found = f"it is {container.state}" if container else "there is no such container"
        raise StepError(
            "edge-cannot-reach",
            f"The edge cannot reach {place.container}: {found}, and has no address on {', '.join(record.networks)}.",
            hint=f"docker compose up -d {place.service}, on a network of the edge",
        )
    network, address = shared
    name = f"{container.name}.{network}" if len(network) <= LABEL else container.name
    return {port: Target(name, address, inside) for port, inside in place.targets.items()}


def _shared_address(container: Container, networks: tuple[str, ...]) -> tuple[str, str] | None:
    found: Mapping[str, str] = {e.network: e.ip for e in container.endpoints if e.ip}
    return next(((n, found[n]) for n in networks if n in found), None)


def hold_of(settings: Edge) -> Hold:
    """Return how requests are held, as `cutover.yaml` says."""
    return Hold(settings.hold.limit, settings.hold.timeout_s, settings.hold.release_per_s)


def serve_again(ctx: Context, colour: Colour) -> None:
    """Have an edge that went to the other colour by itself send requests to this one again, as soon as it is up there.

    One that was frozen for seconds believes that both colours died, and stays with the first that it sees again.
    """
    record = holding_edge(ctx)
    if record is None or served(ctx, record) == {colour}:
        return
    ctx.note(f"the edge went to another colour by itself; it is told to serve {ctx.service_name(colour)}")
    face, slot, end = face_of(ctx, record), slot_of(ctx, colour), ctx.clock.monotonic() + SERVES_AGAIN_S
    while served(ctx, record) != {colour} and ctx.clock.monotonic() < end:
        if not face.down(slot):
            face.switch(slot)
        ctx.clock.sleep(LOOK_S)


def see_serves(ctx: Context, record: EdgeRecord, colour: Colour) -> None:
    """See that the edge sends requests to this colour and to no other.

    Raises:
        StepError: it does not.

    """
    found = served(ctx, record)
    if found != {colour}:
        names = " and ".join(sorted(ctx.service_name(c) for c in found)) or "nobody"
        wrong = face_of(ctx, record).down(slot_of(ctx, colour))
        raise StepError(
            "edge-elsewhere",
            f"The edge sends requests to {names}, not to {ctx.service_name(colour)}.",
            evidence=[f"port {port}: {why}" for port, why in wrong.items()],
            hint="cutover edge status",
        )
