"""What a swap tells a standing edge: where blue is, to hold, to switch, to share, to let go."""

from __future__ import annotations

from cutover.edge.both import Both
from cutover.errors import StepError
from cutover.flow.context import Context
from cutover.flow.edge import face_of, hold_of, need_record, record_of, slot_of, targets_of
from cutover.flow.edge_record import Place, save
from cutover.flow.plan import Step
from cutover.flow.proof import alive, describe_health
from cutover.flow.steps.aim import aim, answering, drain, have_green_behind_edge, see_runs
from cutover.flow.steps.base import Passive, Prior
from cutover.model import Colour


class AimEdge(Passive):
    """Has blue's slot lead to blue, and waits until the edge sees it alive; no request goes there yet."""

    def observe(self, ctx: Context, step: Step) -> Prior:
        """Remember what the slot held."""
        del step
        before = need_record(ctx).slots.get(slot_of(ctx, Colour.BLUE))
        return {"before": before.as_dict() if before else None}

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Aim the slot.

        Raises:
            StepError: the edge does not see blue alive.

        """
        del step, prior
        face, green = face_of(ctx), slot_of(ctx, Colour.GREEN)
        if any(
            s.active is not green for s in face.stats().values()
        ):  # it went back to green by itself, and may not stay
            face.switch(green)
        aim(ctx, ctx.need(Colour.BLUE), Colour.BLUE)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether the slot holds blue's container."""
        del step, prior
        place, blue = need_record(ctx).slots.get(slot_of(ctx, Colour.BLUE)), ctx.find(Colour.BLUE)
        return place is not None and blue is not None and place.container_id == blue.id

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Have the slot lead nowhere, or to what it led to before where that still runs."""
        del step
        record = record_of(ctx)
        face = answering(ctx, record) if record is not None else None
        if record is None or face is None:
            return
        slot = slot_of(ctx, Colour.BLUE)
        before = Place.from_dict(prior["before"]) if prior.get("before") else None
        if record.slots.get(slot) != before:
            drain(ctx, Colour.BLUE)  # it gets nothing new, and is stopped next: what it was given, it may still answer
        there = ctx.daemon.container(before.container_id) if before else None
        if before is not None and there is not None and there.running:
            face.aim(slot, targets_of(ctx, record, before))
            save(ctx.state, record.with_slot(slot, before))
            return
        face.clear(slot)
        save(ctx.state, record.with_slot(slot, None))


class SwitchEdge(Passive):
    """Sends every new request to blue; green, still aimed at, is the edge's own way back."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Flip every port."""
        del step, prior
        ctx.stall.start()
        face_of(ctx).switch(slot_of(ctx, Colour.BLUE))

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether every port was switched to blue."""
        del step, prior
        return all(s.active is slot_of(ctx, Colour.BLUE) for s in face_of(ctx).stats().values())

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Flip back at once where green is warm; else fetch it first, unless the requests are held for it."""
        del step, prior
        face, slot = _edge_if_any(ctx), slot_of(ctx, Colour.GREEN)
        if face is None:
            return
        stats = face.stats().values()
        held = bool(stats) and all(s.holding for s in stats)
        if not held and face.down(slot):
            have_green_behind_edge(ctx)
        face.switch(slot)  # before the Engine is asked anything: it takes longer to answer than all of this
        if not held and ctx.find(Colour.GREEN) is None:
            have_green_behind_edge(ctx)
        ctx.stall.start()


class ShareEdge(Passive):
    """Sends a share of the requests to blue: a canary."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Set the share."""
        del prior
        face_of(ctx).share(slot_of(ctx, Colour.BLUE), percent_of(step))

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether every port shares so much; at 100 % the switch is what counts."""
        del prior
        return all(abs(s.share_percent - percent_of(step)) < 0.01 for s in face_of(ctx).stats().values())  # noqa: PLR2004

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Send blue nothing."""
        del step, prior
        face = _edge_if_any(ctx)
        if face is not None:
            face.share(slot_of(ctx, Colour.BLUE), 0.0)


def percent_of(step: Step) -> float:
    """Return the share that a step is for: its resource is `5 %`."""
    return float(step.resource.partition(" ")[0])


class HoldRequests(Passive):
    """Lets requests wait, and waits until green has answered what it was given."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Hold, then drain."""
        del step, prior
        ctx.stall.start()
        face_of(ctx).hold(hold_of(ctx.edge))
        drain(ctx, Colour.GREEN)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether every port holds."""
        del step, prior
        return all(s.holding for s in face_of(ctx).stats().values())

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Let go."""
        del step, prior
        face = _edge_if_any(ctx)
        if face is not None:
            face.release()


class ReleaseRequests(Passive):
    """Lets the requests that wait go to blue; while it is watched, what it cannot take waits: it is alone."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Let go, unless blue died since it was proven: what waits is for green then.

        Raises:
            StepError: it did.

        """
        del step, prior
        blue = ctx.need(Colour.BLUE)
        see_runs(ctx, blue.id, blue.name)
        ctx.blue_let_in = blue.started_at
        face_of(ctx).release(alone=hold_of(ctx.edge))

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Hold again: green has to be started before anybody can answer as it did."""
        del step, prior
        face = _edge_if_any(ctx)
        if face is not None:
            face.hold(hold_of(ctx.edge))
            drain(ctx, Colour.BLUE)


class TrustBlue(Passive):
    """Ends the hold for what blue cannot take, if blue is well to the last: from now on that fails."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Let nothing wait any more, on either kind of port.

        Raises:
            StepError: blue died since it was let in, though somebody may have started it again, or does not answer.

        """
        del step, prior
        blue = ctx.need(Colour.BLUE)
        see_runs(ctx, blue.id, blue.name)
        wrong = alive(ctx, Colour.BLUE)
        if ctx.blue_let_in not in {None, blue.started_at}:
            wrong = f"it died and was started again at {blue.started_at}"
        if wrong is not None:
            raise StepError(
                "watch-failed",
                f"{ctx.plan.called(Colour.BLUE)} stopped answering once it alone served: {wrong}",
                evidence=describe_health(ctx, Colour.BLUE),
                hint=f"docker compose logs {ctx.plan.blue}",
            )
        face_of(ctx).release()


def _edge_if_any(ctx: Context) -> Both | None:
    """Return the edge for the way back, None where none is left to be told anything."""
    record = record_of(ctx)
    return answering(ctx, record) if record is not None else None
