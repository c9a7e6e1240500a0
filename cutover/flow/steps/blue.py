"""Blue's container: created from the edited files while green still serves, started, and taken away again."""

from __future__ import annotations

from cutover.errors import EngineError, EngineGoneError, StepError
from cutover.flow.context import Context
from cutover.flow.edge import face_of, record_of, slot_of
from cutover.flow.plan import Step
from cutover.flow.steps.aim import have_green_behind_edge
from cutover.flow.steps.base import Passive, Prior
from cutover.flow.steps.files import candidates
from cutover.flow.steps.park import remove_park_network, start_parked, unpark
from cutover.flow.steps.rolled import create_beside, name_again
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
        return {
            "existed": before is not None,
            "ran": before is not None and before.running,
            "id": before.id if before and ctx.plan.edge is not None else None,
        }

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Let Compose create it, always anew, so that no trace of an earlier try is left in it.

        Behind an edge blue has no legacy ports and no file changes for it: one that is as the files say, and warm, is
        taken as it is.
        """
        del step, prior
        if ctx.plan.rolls is not None:
            create_beside(ctx)
            return
        if ctx.plan.edge is not None:
            ctx.stack.create(ctx.plan.blue)
            remove_park_network(ctx)  # an earlier green may have stood on it until now
            return
        candidates(ctx).stack.create(ctx.plan.blue, force=True)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether blue has a container that wants the legacy ports."""
        del step, prior
        blue = ctx.find(Colour.BLUE)
        if ctx.plan.edge is not None or ctx.plan.rolls is not None:
            return blue is not None
        return blue is not None and {m.to_blue for m in ctx.plan.moves} <= set(blue.wanted)

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Remove it; where blue had a container before, have Compose make that one again."""
        del step
        if prior.get("id") and any(c.id == prior["id"] for c in ctx.containers(Colour.BLUE)):
            return  # it was there before and was not replaced; whether it runs is for `start-blue`
        for container in ctx.containers(Colour.BLUE):
            ctx.daemon.stop(container)
            ctx.daemon.remove(container)
        if ctx.plan.rolls is not None:
            name_again(ctx)
            return
        if prior["ran"]:
            ctx.stack.up(ctx.plan.blue)
        elif prior["existed"]:
            ctx.stack.create(ctx.plan.blue)


class StartBlue(Passive):
    """Starts blue as it is: behind an edge it has no legacy port that green could hold."""

    def observe(self, ctx: Context, step: Step) -> Prior:
        """Remember whether it ran."""
        del step
        blue = ctx.need(Colour.BLUE)
        return {"ran": blue.running, "id": blue.id}

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Start it.

        Raises:
            StepError: it does not start.

        """
        del step
        blue = ctx.need(Colour.BLUE)
        if not prior["ran"]:
            ctx.started[Colour.BLUE] = ctx.clock.monotonic()
        try:
            ctx.daemon.start(blue.id)
        except EngineGoneError:
            raise
        except EngineError as error:
            raise StepError(
                "start-failed",
                f"{blue.name} does not start: {error.message}",
                evidence=[*error.evidence, *ctx.daemon.logs(blue.id)],
                hint=f"docker logs {blue.name}",
            ) from error

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Stop it, unless it ran before."""
        del step
        for container in ctx.containers(Colour.BLUE):
            if not (prior["ran"] and container.id == prior["id"]):
                ctx.daemon.stop(container)


class StopGreen(Passive):
    """Stops green while its requests are held: both colours do not fit at once."""

    def observe(self, ctx: Context, step: Step) -> Prior:
        """Remember its restart policy and image."""
        del step
        green = ctx.need(Colour.GREEN)
        image = {"image": green.image, "image_id": green.image_id}
        return {**image, "id": green.id, "restart_policy": green.restart_policy}

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Stop it, so that a restart of the Engine does not bring it back beside blue."""
        del step
        green = ctx.need(Colour.GREEN)
        if prior["restart_policy"] != "no":
            ctx.daemon.set_restart_policy(green.id, "no")
        ctx.daemon.stop(green)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether no container of green runs."""
        del step, prior
        return not any(c.running for c in ctx.containers(Colour.GREEN))

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Start it again, and have the edge see it alive; one that is gone is made again first."""
        del step
        if record_of(ctx) is None:
            return
        green = have_green_behind_edge(ctx)
        ctx.daemon.set_restart_policy(green.id, prior["restart_policy"])
        face_of(ctx).switch(slot_of(ctx, Colour.GREEN))  # told while green was down, the edge may have stayed with blue


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
