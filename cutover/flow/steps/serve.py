"""The end of the way back: green runs, whatever became of it meanwhile."""

from __future__ import annotations

from cutover.flow.context import Context
from cutover.flow.steps.aim import have_green_behind_edge
from cutover.flow.steps.rolled import old_again
from cutover.model import Colour


def have_green_run(ctx: Context) -> None:
    """Start green where somebody stopped or killed it while the run was at work; make it again where it is gone.

    What a step stopped, its undo has started already: this is for what nobody foresaw.

    Raises:
        StepError, EngineError: it cannot be made or started.

    """
    green, name = ctx.find(Colour.GREEN), ctx.plan.called(Colour.GREEN)
    if green is not None and green.running:
        return
    ctx.warn(f"{name} {'did not run any more' if green else 'was gone'}, and not by cutover; it was started again")
    if ctx.plan.rolls is not None:
        green = old_again(ctx)
    if ctx.plan.edge is not None and not ctx.plan.edge.adopt:
        have_green_behind_edge(ctx)
    elif green is None:
        ctx.stack.up(ctx.plan.green)
    else:
        ctx.daemon.start(green.id)
