"""Blue's container: created from the edited files while green still serves, started, and taken away again."""

from __future__ import annotations

from cutover.flow.context import Context
from cutover.flow.plan import Step
from cutover.flow.steps.base import Passive, Prior
from cutover.flow.steps.files import candidates
from cutover.flow.steps.park import start_parked, unpark
from cutover.model import Colour


class StartDependency(Passive):
    """Starts a service that blue depends on and that does not run."""

    def observe(self, ctx: Context, step: Step) -> Prior:
        """Remember whether it had a container, and whether that runs by now."""
        found = ctx.daemon.of_service(ctx.plan.project, step.resource)
        return {"existed": bool(found), "ran": any(c.running for c in found)}

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Start it as the file says; nothing that exists is recreated."""
        del prior
        ctx.stack.start_dependency(step.resource)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether it runs, or ran to its end and succeeded."""
        del prior
        found = ctx.daemon.of_service(ctx.plan.project, step.resource)
        return bool(found) and (found[0].running or found[0].completed)

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Stop it, and remove it where it did not exist before; what somebody else started is left alone."""
        if prior.get("ran"):
            return
        for container in ctx.daemon.of_service(ctx.plan.project, step.resource):
            ctx.daemon.stop(container)
            if not prior["existed"]:
                ctx.daemon.remove(container)


class CreateBlue(Passive):
    """Creates blue's container from the edited files, with its final ports, without starting it."""

    def observe(self, ctx: Context, step: Step) -> Prior:
        """Remember what blue was."""
        del step
        before = ctx.find(Colour.BLUE)
        return {"existed": before is not None, "ran": before is not None and before.running}

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Let Compose create it, always anew, so that no trace of an earlier try is left in it."""
        del step, prior
        candidates(ctx).stack.create(ctx.plan.blue, force=True)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether blue has a container that wants the legacy ports."""
        del step, prior
        blue = ctx.find(Colour.BLUE)
        return blue is not None and {m.to_blue for m in ctx.plan.moves} <= set(blue.wanted)

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Remove it; where blue had a container before, have Compose make that one again."""
        del step
        for container in ctx.containers(Colour.BLUE):
            ctx.daemon.stop(container)
            ctx.daemon.remove(container)
        if prior["ran"]:
            ctx.stack.up(ctx.plan.blue)
        elif prior["existed"]:
            ctx.stack.create(ctx.plan.blue)


class StartParked(Passive):
    """Starts blue parked: warm, on all its networks, holding no host port."""

    def observe(self, ctx: Context, step: Step) -> Prior:
        """Remember the restart policy that Compose gave it."""
        del step
        return {"restart_policy": ctx.need(Colour.BLUE).restart_policy}

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Start it; while it is parked it does not come back by itself, so that a reboot cannot give it the port."""
        del step
        ctx.blue_restart_policy = prior["restart_policy"]
        blue = ctx.need(Colour.BLUE)
        ctx.daemon.set_restart_policy(blue.id, "no")
        ctx.started[Colour.BLUE] = ctx.clock.monotonic()
        start_parked(ctx, blue)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether blue was started and holds none of the legacy ports; whether it lives is for the proof to say."""
        del step, prior
        blue = ctx.find(Colour.BLUE)
        return blue is not None and ctx.frees_ports(blue)

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Stop it and take it off the park network."""
        del step, prior
        for container in ctx.containers(Colour.BLUE):
            ctx.daemon.stop(container)
            unpark(ctx, container)
