"""Legacy ports between a colour and the edge, or two generations of it: under a redirect where that can be had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from cutover.engine.helpers import helpers
from cutover.errors import EdgeError, EngineError, EngineGoneError, StepError
from cutover.flow.context import Context
from cutover.flow.edge import containers_of, face_of, record_of
from cutover.flow.edge_plan import EdgePlan
from cutover.flow.edge_record import EdgeRecord
from cutover.flow.steps.park import ensure_park_network, is_parked, park, unpark
from cutover.flow.takeover import TakenOver, Way, clear_traces, take_over
from cutover.model import Container

HELPER_ENDS_S = 8.0
"""How long an orphaned redirect may take: to see that the ports are held, and to let go of who passes through it."""
LOOK_S = 0.1
BACK_TRIES = 3


def ways_to_edge(ctx: Context, record: EdgeRecord) -> list[Way]:
    """Return where each legacy port leads once the edge has it: the address of the container that asks for it.

    Raises:
        StepError: no container of the edge does.

    """
    containers = containers_of(ctx, record)
    ways = []
    for port in record.ports:
        for binding in port.bindings:
            owner = next((c for c in containers if binding in c.wanted), None)
            if owner is None:
                raise StepError(
                    "edge-port-missing",
                    f"No container of the edge asks for {binding}.",
                    evidence=[f"{c.name}: {', '.join(map(str, c.wanted)) or '-'}" for c in containers],
                    hint="cutover edge status",
                )
            ways.append(Way(binding, _address(ctx, owner), port.port))
    return ways


def ways_to_green(ctx: Context, green: Container) -> list[Way]:
    """Return where each legacy port leads once green has it again."""
    return [Way(m.binding, _address(ctx, green), m.binding.target) for m in ctx.plan.moves]


def _address(ctx: Context, container: Container) -> str:
    now = ctx.daemon.container(container.id)
    address = next((e.ip for e in now.endpoints if e.ip and e.network != ctx.plan.park_network), None) if now else None
    if address is None:
        raise StepError(
            "no-address",
            f"{container.name} has no address of its own.",
            hint=f"docker inspect {container.name}",
        )
    return address


def move_ports(
    ctx: Context, *, sources: Sequence[Container], destinations: Sequence[Container], ways: Sequence[Way]
) -> TakenOver | None:
    """Park the sources and unpark the destinations, under a redirect where the plan says so.

    Raises:
        StepError: the redirect does not work; the sources still hold their ports.
        EngineError: the Engine refused.

    """
    ensure_park_network(ctx)

    def all_parked() -> None:
        for container in sources:
            park(ctx, container)

    def all_unparked() -> None:
        for container in destinations:
            unpark(ctx, container)

    edge = ctx.plan.edge
    if edge is None or not edge.redirect:
        all_parked()
        all_unparked()
        return None
    moved = take_over(
        ctx.daemon,
        ctx.plan.project,
        _image(ctx, edge),
        ways=ways,
        sources=sources,
        park=all_parked,
        unpark=all_unparked,
        cut_after_s=ctx.edge.cut_after_s,
        note=ctx.note,
        clock=ctx.clock,
    )
    ctx.note(str(moved))
    return moved


@contextmanager
def parting(ctx: Context, record: EdgeRecord | None) -> Iterator[None]:
    """Have the edge end connections with their answers while its ports move away; it does so no more if they stay."""
    if record is None:
        yield
        return
    face = face_of(ctx, record)
    with suppress(EdgeError):  # it does not answer, or is older than this
        face.part(on=True)
    try:
        yield
    except BaseException:
        with suppress(EdgeError):
            face.part(on=False)
        raise


def move_back(
    ctx: Context, *, sources: Sequence[Container], destinations: Sequence[Container], ways: Sequence[Way]
) -> None:
    """Move the ports as `move_ports` does, from sources of which some may not have got theirs yet; gently or not.

    Raises:
        EngineGoneError: no Engine answers.

    """
    for tries_left in reversed(range(BACK_TRIES)):
        try:
            for container in sources:  # else there is a port that nobody holds, once the last redirect has gone
                unpark(ctx, container)
            let_helpers_end(ctx)
            move_ports(ctx, sources=sources, destinations=destinations, ways=ways)
        except EngineGoneError:
            raise
        except (StepError, EngineError) as error:
            if tries_left and not any(is_parked(ctx, c) for c in sources):
                ctx.note(f"{error.message} Once more.")
                continue
            ctx.warn(f"the ports went back with a short gap: {error.message}")
            for container in sources:
                park(ctx, container)
        return


def _image(ctx: Context, edge: EdgePlan) -> str:
    """Return the image that helpers run: that of the edge that stands, which may have been upgraded since the plan."""
    record = record_of(ctx)
    newer = record.image if record is not None else edge.image
    return newer if ctx.daemon.image_id(newer) else edge.image


def let_helpers_end(ctx: Context) -> None:
    """Wait until the redirect of a cutover that was killed has ended by itself: whoever is passing through it has time.

    It does so as soon as every legacy port is held.
    """
    end = ctx.clock.monotonic() + HELPER_ENDS_S
    while "redirect" in helpers(ctx.daemon, ctx.plan.project).values() and ctx.clock.monotonic() < end:
        ctx.clock.sleep(LOOK_S)


def clear_redirect(ctx: Context) -> None:
    """Remove what a take-over left that was cut short: helpers, the table. Nothing happens where nothing is left.

    To be called when somebody holds the legacy ports.
    """
    edge = ctx.plan.edge
    if edge is None or not edge.redirect:
        return
    let_helpers_end(ctx)
    if clear_traces(ctx.daemon, ctx.plan.project, _image(ctx, edge)):
        ctx.note("removed what a take-over of the ports had left: its redirect or its helpers")
