"""A colour behind a standing edge: aimed at, seen alive, drained, fetched back."""

from __future__ import annotations

from cutover.edge.both import Both
from cutover.edge.face import Face
from cutover.edge.shape import Slot
from cutover.errors import EdgeError, EngineError, EngineGoneError, StepError
from cutover.flow.context import Context
from cutover.flow.edge import containers_of, face_of, need_record, place_of, slot_of, targets_of
from cutover.flow.edge_record import EdgeRecord, save
from cutover.flow.proof import wait_inside
from cutover.flow.steps.park import is_parked, start_parked
from cutover.flow.steps.streams import end_streams
from cutover.model import Colour, Container

SEEN_ALIVE_S = 15.0
"""How long the edge may take to see a container alive that has answered every probe already."""
LOOK_S = 0.02
ANSWERS_AGAIN_S = 6.0
"""How long an edge that is started again may take before it is called silent."""


def aim(ctx: Context, container: Container, colour: Colour) -> None:
    """Have a colour's slot lead to a container, keep that on disk, and wait until the edge sees it alive.

    Raises:
        StepError: the edge does not see it alive in time.

    """
    record, slot = need_record(ctx), slot_of(ctx, colour)
    place = place_of(ctx, container, colour)
    face = face_of(ctx, record)
    save(ctx.state, record.with_slot(slot, place))
    face.aim(slot, targets_of(ctx, record, place))
    wait_alive(ctx, face, slot, container.name, container_id=container.id)


def answering(ctx: Context, record: EdgeRecord) -> Both | None:
    """Return the edge for the way back, started again where it was killed; None where it will be taken away anyhow.

    Raises:
        EdgeError: it does not answer, and green has no ports but those of the edge.

    """
    face = face_of(ctx, record)
    end = ctx.clock.monotonic() + ANSWERS_AGAIN_S
    while True:
        try:
            face.stats()
        except EdgeError as error:
            if ctx.clock.monotonic() < end:
                _start_again(ctx, record)
                ctx.clock.sleep(LOOK_S)
                continue
            if ctx.plan.edge is None or not ctx.plan.edge.adopt:
                raise
            ctx.note(f"{error.message} {ctx.plan.green} gets its own ports back.")
            return None
        return face


def _start_again(ctx: Context, record: EdgeRecord) -> None:
    for container in containers_of(ctx, record):
        if container.running or is_parked(ctx, container):
            continue
        ctx.note(f"{container.name} does not run; it is started again, as it was told last")
        try:
            ctx.daemon.start(container.id)
        except EngineGoneError:
            raise
        except EngineError as error:  # whether it is missed is said by those who ask it
            ctx.note(error.message)


def wait_alive(ctx: Context, face: Face, slot: Slot, name: str, *, container_id: str | None = None) -> None:
    """Wait until the edge sees a slot's container alive.

    Raises:
        StepError: it does not in time, or the container died meanwhile: requests may be held, and are not kept waiting.

    """
    end = ctx.clock.monotonic() + SEEN_ALIVE_S
    while wrong := face.down(slot):
        if container_id is not None:
            see_runs(ctx, container_id, name)
        if ctx.clock.monotonic() >= end:
            raise StepError(
                "edge-sees-nobody",
                f"The edge does not see {name} alive, though it answers at its own address.",
                evidence=[f"port {port}: {why}" for port, why in wrong.items()],
                hint="does edge: {ports: ...} in cutover.yaml name what it does not speak, or is a firewall between "
                "the edge's network and the service's?",
            )
        ctx.clock.sleep(LOOK_S)


def see_runs(ctx: Context, container_id: str, name: str) -> None:
    """See that a container runs: the Engine knows that it died before the edge does.

    Raises:
        StepError: it does not.

    """
    now = ctx.daemon.container(container_id)
    if now is None or not now.running:
        raise StepError(
            "died",
            f"{name} has died.",
            evidence=[f"log: {line}" for line in ctx.daemon.logs(container_id, tail=8)],
            hint=f"docker logs {name}",
        )


def drain(ctx: Context, colour: Colour) -> None:
    """Wait until a colour that is stopped next has answered what it was given, for as long as `edge.drain_s` says.

    Connections of plain TCP cannot be moved, and only end with it: they are ended before that, each at rest.
    """
    face, slot = face_of(ctx), slot_of(ctx, colour)
    end = ctx.clock.monotonic() + ctx.edge.drain_s
    try:
        while (left := face.in_flight(slot)) and ctx.clock.monotonic() < end:
            ctx.clock.sleep(LOOK_S)
    except EdgeError as error:
        ctx.note(f"what {ctx.plan.called(colour)} still has to answer is unknown: {error.message}")
        return
    if left:
        ctx.warn(
            f"{ctx.plan.called(colour)} had not answered {left} requests after {ctx.edge.drain_s:g} s (edge.drain_s)"
        )
    end_streams(ctx, colour)


def have_green_behind_edge(ctx: Context) -> Container:
    """Return a green that runs and that the edge sees alive, made again by Compose where it is gone.

    Raises:
        StepError: it does not become ready; whoever served still does.

    """
    green = ctx.find(Colour.GREEN)
    if green is None:
        ctx.stack.create(ctx.plan.green, force=True)
        green = ctx.need(Colour.GREEN)
    if not green.running:
        if ctx.frees_ports(green) and {m.binding for m in ctx.plan.moves} & set(green.wanted):
            start_parked(ctx, green)
        else:
            ctx.daemon.start(green.id)
    wait_inside(ctx, Colour.GREEN)
    aim(ctx, ctx.need(Colour.GREEN), Colour.GREEN)
    return ctx.need(Colour.GREEN)
