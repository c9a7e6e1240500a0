"""The moment itself: the legacy ports leave one colour and reach the other."""

from __future__ import annotations

from cutover.errors import EngineError, StepError
from cutover.flow.context import Context
from cutover.flow.plan import Step
from cutover.flow.steps.base import Passive, Prior
from cutover.flow.steps.green import fetch_green
from cutover.flow.steps.park import is_parked, park, unpark
from cutover.model import Colour, Container
from cutover.ports.host import host_listeners, proxy_target


class Handover(Passive):
    """What both ways of handing over share: what was before, and when it is done."""

    def observe(self, ctx: Context, step: Step) -> Prior:
        """Remember who green was, and the restart policies that a parked or stopped colour must not have."""
        del step
        green, blue = ctx.need(Colour.GREEN), ctx.need(Colour.BLUE)
        started = ctx.blue_restart_policy or blue.restart_policy
        image = {"image": green.image, "image_id": green.image_id}
        return {**image, "green": green.id, "green_restart": green.restart_policy, "blue_restart": started}

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether blue holds every legacy port and green none."""
        del step, prior
        green, blue = ctx.find(Colour.GREEN), ctx.find(Colour.BLUE)
        return (green is None or ctx.frees_ports(green)) and blue is not None and ctx.holds_ports(blue, Colour.BLUE)


class Relink(Handover):
    """Moves the ports between two running containers: green is parked, blue is unparked."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Park green, unpark blue.

        Raises:
            StepError: Docker did not bind the ports for blue.

        """
        del step
        green, blue = ctx.need(Colour.GREEN), ctx.need(Colour.BLUE)
        ctx.daemon.set_restart_policy(green.id, "no")
        to_park, to_unpark = not is_parked(ctx, green), is_parked(ctx, blue)
        ctx.stall.start()
        if to_park:  # from here to the end of the next call the ports are silent: nothing else is asked in between
            ctx.daemon.connect(ctx.plan.park_network, green.id)
        if to_unpark:
            ctx.daemon.disconnect(ctx.plan.park_network, blue.id)
        ctx.daemon.set_restart_policy(blue.id, prior["blue_restart"])
        _see_bound(ctx, blue, Colour.BLUE)

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Park blue, unpark green; a green that is gone is made again first, while blue serves."""
        del step
        green = fetch_green(ctx, prior)
        ctx.stall.start()
        _free_blue(ctx, by_parking=True)
        _serve_again(ctx, green, prior)


class Recreate(Handover):
    """Stops green and starts blue: for what cannot run twice. The ports are silent until blue has loaded."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Stop green, start blue.

        Raises:
            StepError: blue does not start, or Docker did not bind its ports.

        """
        del step
        green, blue = ctx.need(Colour.GREEN), ctx.need(Colour.BLUE)
        ctx.daemon.set_restart_policy(green.id, "no")
        ctx.stall.start()
        ctx.daemon.stop(green)
        ctx.started[Colour.BLUE] = ctx.clock.monotonic()
        try:
            ctx.daemon.start(blue.id)
        except EngineError as error:
            raise StepError(
                "start-failed", f"{blue.name} does not start: {error.message}", evidence=error.evidence
            ) from error
        ctx.daemon.set_restart_policy(blue.id, prior["blue_restart"])

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether green holds no legacy port; that blue answers is for the proof that follows to say."""
        del step, prior
        green = ctx.find(Colour.GREEN)
        return green is None or ctx.frees_ports(green)

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Stop blue, start green; a green that is gone is made again first."""
        del step
        green = fetch_green(ctx, prior)
        ctx.stall.start()
        _free_blue(ctx, by_parking=False)
        _serve_again(ctx, green, prior)


def _free_blue(ctx: Context, *, by_parking: bool) -> None:
    """Take the legacy ports from whatever blue there is."""
    for blue in ctx.containers(Colour.BLUE):
        if ctx.frees_ports(blue):
            continue
        if by_parking and ctx.daemon.network_exists(ctx.plan.park_network):
            try:
                ctx.daemon.set_restart_policy(blue.id, "no")
                park(ctx, blue)
            except EngineError as error:
                ctx.note(f"{blue.name} cannot be parked ({error.message}); it is stopped instead")
                ctx.daemon.stop(blue)
        else:
            ctx.daemon.stop(blue)


def _serve_again(ctx: Context, green: Container, prior: Prior) -> None:
    """Have green hold the legacy ports, by the shortest way that works."""
    unpark(ctx, green)
    if not green.running:
        ctx.daemon.start(green.id)
    if not _bound(ctx, green, Colour.GREEN):  # the gentle way did not take
        _restart(ctx, green)
    ctx.daemon.set_restart_policy(green.id, prior["green_restart"])
    _see_bound(ctx, green, Colour.GREEN)


def _restart(ctx: Context, green: Container) -> None:
    ctx.daemon.stop(green)
    try:
        ctx.daemon.start(green.id)
    except EngineError as error:
        raise StepError(
            "port-held",
            f"{green.name} cannot have its ports back: {error.message}",
            evidence=[*error.evidence, *_foreign_holders(ctx)],
            hint="stop whoever holds the port, then: cutover recover",
        ) from error


def _foreign_holders(ctx: Context) -> list[str]:
    """Name the processes, Docker's own left out, that listen on a legacy port of this host."""
    ports = {(m.binding.host_port, m.binding.protocol) for m in ctx.plan.moves}
    if not ctx.daemon.address.local:
        return []
    return [
        f"{x.address}:{x.port} is held by process {x.pid or '?'} ({x.command or 'of another user'})"
        for x in host_listeners()
        if (x.port, x.protocol) in ports and proxy_target(x) is None
    ]


def _bound(ctx: Context, container: Container, colour: Colour) -> bool:
    now = ctx.daemon.container(container.id)
    return now is not None and ctx.holds_ports(now, colour)


def _see_bound(ctx: Context, container: Container, colour: Colour) -> None:
    now = ctx.daemon.container(container.id)
    if now is None or not now.running:
        raise StepError(
            "not-running",
            f"{container.name} stopped while it was to take the ports.",
            evidence=ctx.daemon.logs(container.id),
            hint=f"docker logs {container.name}",
        )
    if not ctx.holds_ports(now, colour):
        raise StepError(
            "not-bound",
            f"Docker did not bind the legacy ports for {container.name}: another process may hold them.",
            evidence=[
                f"wanted: {', '.join(map(str, now.wanted))}",
                f"bound: {', '.join(map(str, now.published)) or '-'}",
                *_foreign_holders(ctx),
            ],
            hint=f"cutover ports; journalctl -u docker | grep {container.id[:12]}",
        )
