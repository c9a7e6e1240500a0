"""A canary is watched: the edge's own counters decide whether it may go on."""

from __future__ import annotations

from cutover.edge.shape import Sample
from cutover.errors import StepError
from cutover.flow.context import Context
from cutover.flow.edge import face_of, slot_of
from cutover.flow.gate import Judgement, judged
from cutover.flow.plan import Step
from cutover.flow.steps.base import Passive, Prior
from cutover.flow.steps.prove import FAILURES_IN_A_ROW
from cutover.model import Colour

LOOK_S = 1.0


class WatchCanary(Passive):
    """Watches one share for a while; worse than green turns it back, at the end or as soon as it is sure."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Gather what the edge answers, and judge it.

        Raises:
            StepError: blue is worse than green by more than the gates allow, or it died.

        """
        del prior
        face, gate = face_of(ctx), ctx.canary
        face.samples()  # what came before this share says nothing about it
        samples: list[Sample] = []
        end, bad = ctx.clock.monotonic() + gate.every_s, 0
        while (left := end - ctx.clock.monotonic()) > 0:
            ctx.clock.sleep(min(LOOK_S, left))
            samples += face.samples()
            found = judged(samples, slot_of(ctx, Colour.GREEN), gate)
            dead = face.down(slot_of(ctx, Colour.BLUE))
            bad = bad + 1 if found.wrong or dead else 0
            if bad >= FAILURES_IN_A_ROW:
                raise failed(ctx, step, found, [f"port {port}: {why}" for port, why in dead.items()])
        found = judged(samples, slot_of(ctx, Colour.GREEN), gate)
        if found.wrong:
            raise failed(ctx, step, found, [])
        if not found.enough:
            raise StepError(
                "canary-too-few",
                f"{ctx.plan.blue} got {found.blue.requests} requests in {gate.every_s:g} s at {step.resource}, which "
                f"decides nothing (canary.min_requests {gate.min_requests}).",
                evidence=found.evidence,
                hint="canary: {every_s: ..., min_requests: ...} in cutover.yaml",
            )
        ctx.note(f"{step.resource} to {ctx.plan.blue}: {'; '.join(found.evidence)}")


def failed(ctx: Context, step: Step, found: Judgement, dead: list[str]) -> StepError:
    """Return why a canary is turned back."""
    wrong = [*found.wrong, *dead]
    return StepError(
        "canary-failed",
        f"{ctx.plan.blue} is worse than {ctx.plan.green} at {step.resource}: {wrong[0] if wrong else 'it died'}.",
        evidence=[*wrong[1:], *found.evidence],
        hint=f"docker compose logs {ctx.plan.blue}; cutover parity",
    )
