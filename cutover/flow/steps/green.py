"""Green after the move: settled as the files now say, or retired; and fetched back from either."""

from __future__ import annotations

from cutover.config import Strategy
from cutover.errors import CutoverError, EngineError
from cutover.flow.context import Context
from cutover.flow.edge import face_of, hold_of, holding_edge, record_of, slot_of
from cutover.flow.edge_record import save
from cutover.flow.plan import Step
from cutover.flow.proof import wait_inside
from cutover.flow.steps.aim import aim, drain, have_green_behind_edge
from cutover.flow.steps.base import Passive, Prior
from cutover.flow.steps.files import restore_files
from cutover.flow.steps.park import ensure_park_network, remove_park_network, start_parked
from cutover.flow.steps.rolled import old_again, retire_old
from cutover.model import Colour, Container


class _Replaced(Passive):
    """Green's old container goes; `undo` has Compose make it again from the files as they were."""

    def observe(self, ctx: Context, step: Step) -> Prior:
        """Remember green's container and its image."""
        del step
        green = ctx.find(Colour.GREEN)  # a commit that was killed may have removed it already
        return {"id": green.id, "image": green.image, "image_id": green.image_id} if green else {}

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Bring green back, warm and with its ports, but without holding them yet; blue serves meanwhile.

        Raises:
            StepError: green does not become ready; blue still serves.

        """
        del step
        fetch_green(ctx, prior)


def fetch_green(ctx: Context, prior: Prior) -> Container:
    """Return a green container that asks for the legacy ports, made again from the files as they were where it is gone.

    While blue serves, and where the strategy lets both run, it is warm; it holds the ports only if it did so already.

    Raises:
        StepError: green does not become ready; whoever served still does.

    """
    if ctx.plan.edge is not None and not ctx.plan.edge.adopt:
        if ctx.plan.rolls is not None:
            old_again(ctx)
        return have_green_behind_edge(ctx)
    held = False
    legacy = {m.binding for m in ctx.plan.moves}
    old = next((c for c in ctx.containers(Colour.GREEN) if legacy <= set(c.wanted)), None)
    if ctx.plan.rolls is not None:
        old = old_again(ctx)
    elif old is not None:
        _remove_others(ctx, old)
    else:
        held = _hold_for(ctx)
        restore_files(ctx)
        _see_image(ctx, prior)
        ctx.stack.create(ctx.plan.green, force=True)
    green = old or ctx.need(Colour.GREEN)
    edge_serves = holding_edge(ctx) is not None
    blue_serves = edge_serves or any(not ctx.frees_ports(c) for c in ctx.containers(Colour.BLUE))
    if ctx.plan.strategy is not Strategy.RECREATE and blue_serves and not green.running:
        ensure_park_network(ctx)
        start_parked(ctx, green)
        wait_inside(ctx, Colour.GREEN)
    if held:
        aim(ctx, green, Colour.GREEN)
        face_of(ctx).release()
    return green


def _hold_for(ctx: Context) -> bool:
    """Let requests wait where a green that serves behind the edge has to be made anew, as it once asked for its ports.

    `docker compose up` makes it without them after a first swap, as the file then says.
    """
    green = ctx.find(Colour.GREEN)
    if green is None or not green.running or holding_edge(ctx) is None:
        return False
    ctx.note(f"{green.name} was made again without its ports; requests wait while it gets them back")
    face_of(ctx).hold(hold_of(ctx.edge))
    drain(ctx, Colour.GREEN)
    return True


def _remove_others(ctx: Context, old: Container) -> None:
    """Remove what Compose left of a replacement that was cut short."""
    for container in ctx.containers(Colour.GREEN):
        if container.id != old.id:
            ctx.daemon.stop(container)
            ctx.daemon.remove(container)


class SettleGreen(_Replaced):
    """Has Compose recreate green as the edited files say: without the ports, on its networks, warm.

    From then on nothing rests on cutover's tricks: a reboot or `docker compose up -d` finds what the files say.
    """

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Recreate it and wait until it is warm. Blue serves already, so a green that fails here is only told."""
        del step
        if prior and ctx.daemon.image_id(prior["image"]) != prior["image_id"]:
            ctx.warn(
                f"{ctx.plan.green} was left parked as it is: its image {prior['image']} no longer names what it runs, "
                "so recreating it would change it"
            )
            return
        try:
            ctx.stack.up(ctx.plan.green)
            wait_inside(ctx, Colour.GREEN)
        except EngineError:
            raise
        except CutoverError as error:
            ctx.warn(f"{ctx.plan.green} did not come back warm without its ports: {error.message}")


class RetireGreen(_Replaced):
    """Stops green and removes its container."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Stop and remove every container of green, once the edge has got its last answers."""
        del step, prior
        _leave_edge(ctx)
        if ctx.plan.rolls is not None:
            retire_old(ctx)
        for container in ctx.containers(Colour.GREEN):
            ctx.daemon.stop(container)
            ctx.daemon.remove(container)
        if ctx.plan.edge is not None and ctx.plan.edge.adopt:
            remove_park_network(ctx)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether green has no container."""
        del step, prior
        return ctx.find(Colour.GREEN) is None


def _leave_edge(ctx: Context) -> None:
    """Have the edge know green no more, once what it was given is answered."""
    record = record_of(ctx) if ctx.plan.edge is not None else None
    if record is None:
        return
    drain(ctx, Colour.GREEN)
    slot = slot_of(ctx, Colour.GREEN)
    face_of(ctx, record).clear(slot)
    save(ctx.state, record.with_slot(slot, None))


def _see_image(ctx: Context, prior: Prior) -> None:
    """Tell when green will come back from another image than the one it ran."""
    found = ctx.daemon.image_id(prior["image"]) if "image" in prior else None
    if found and found != prior["image_id"]:
        ctx.warn(f"{prior['image']} is no longer the image that {ctx.plan.green} ran ({prior['image_id'][:19]})")
