"""The steps that only look: proof inside, proof outside, and the watch."""

from __future__ import annotations

from cutover.errors import StepError
from cutover.flow.context import Context
from cutover.flow.plan import Step
from cutover.flow.proof import alive, describe_health, explained, prove_outside, wait_inside
from cutover.flow.steps.base import Passive, Prior
from cutover.model import Answer, Colour

WATCH_INTERVAL_S = 0.5
FAILURES_IN_A_ROW = 2


class ProveInside(Passive):
    """Waits until blue answers at its own address."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Wait for every probe and the healthcheck."""
        del step, prior
        for answer in measured(ctx, wait_inside(ctx, Colour.BLUE)):
            ctx.note(told(answer))


class ProveOutside(Passive):
    """Proves that blue answers on the legacy ports."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Ask through the legacy ports, and see who answers."""
        del step, prior
        for answer in measured(ctx, prove_outside(ctx, Colour.BLUE, timeout_s=ctx.plan.ready_timeout_s)):
            ctx.note(told(answer))
        ctx.stall.stop()


def told(answer: Answer) -> str:
    """Return an answer in a line."""
    who = f" as {answer.identity}" if answer.identity else ""
    detail = f": {answer.detail}" if answer.detail else ""
    return f"{answer.address} answers{who} in {answer.elapsed_s * 1000:.0f} ms ({answer.probe}){detail}"


def measured(ctx: Context, answers: list[Answer]) -> list[Answer]:
    """Journal how long blue took from its start to its first proof: the next plan predicts from it."""
    began = ctx.started.pop(Colour.BLUE, None)
    if began is not None:
        ctx.facts.update(service=ctx.plan.blue, ready_s=round(ctx.clock.monotonic() - began, 3))
    return answers


class Watch(Passive):
    """Keeps asking for a while; a blue that fails twice running is turned back."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Ask every half second.

        Raises:
            StepError: blue stopped answering.

        """
        del step, prior
        end = ctx.clock.monotonic() + ctx.plan.observe_s
        failures, first = 0, _start_of_blue(ctx)
        while ctx.clock.monotonic() < end:
            wrong = alive(ctx, Colour.BLUE)
            failures = failures + 1 if wrong else 0
            now = _start_of_blue(ctx)
            if now is None:
                wrong, failures = wrong or "it does not run any more", FAILURES_IN_A_ROW
            elif first not in {None, now}:
                wrong = f"it died and was started again at {now}"  # perhaps between two questions
                failures = FAILURES_IN_A_ROW
            if wrong and failures >= FAILURES_IN_A_ROW:
                raise StepError(
                    "watch-failed",
                    f"{ctx.plan.called(Colour.BLUE)} stopped answering while it was watched: {wrong}",
                    evidence=[*explained(ctx, Colour.BLUE), *describe_health(ctx, Colour.BLUE)],
                    hint=f"docker compose logs {ctx.plan.blue}",
                )
            ctx.clock.sleep(min(WATCH_INTERVAL_S, max(0.0, end - ctx.clock.monotonic())))


def _start_of_blue(ctx: Context) -> str | None:
    blue = ctx.find(Colour.BLUE)
    return blue.started_at if blue is not None and blue.running else None
