"""A service that is replaced by a new container of itself: made beside the old one, and the old one made again."""

from __future__ import annotations

import json

from cutover.engine.successor import (
    clone_spec,
    create_from_spec,
    create_successor,
    final_name,
    finish_successor,
    remove_keeping_volumes,
)
from cutover.errors import StepError
from cutover.files import write_atomic
from cutover.flow.context import Context
from cutover.flow.edge import record_of
from cutover.flow.steps.aim import aim
from cutover.flow.steps.files import candidates
from cutover.model import COPY_OF_LABEL, Colour, Container

SPEC = "old-container.json"
"""In the run's folder, which only its owner can read: what the old container was made from, environment included."""
BACK = "-back"


def create_beside(ctx: Context) -> None:
    """Create the new container beside the old one, from the edited files, named for the project's own."""
    stack = candidates(ctx).stack if ctx.plan.edits else ctx.stack
    create_successor(ctx.daemon, stack, ctx.plan.blue, files=ctx.stack.source)


def retire_old(ctx: Context) -> None:
    """Remove the old container, once what it was made from is kept, and give its name to the new one."""
    green, blue = ctx.find(Colour.GREEN), ctx.need(Colour.BLUE)
    if green is not None:
        spec = clone_spec(ctx.daemon, green.id, without={ctx.plan.park_network})
        spec["restart_policy"] = green.restart_policy
        write_atomic(ctx.folder / SPEC, json.dumps(spec).encode(), mode=0o600)
        ctx.daemon.stop(green)
        remove_keeping_volumes(ctx.daemon, green)
    name = final_name(ctx.stack.config(), ctx.plan.blue, green or blue)
    renamed = finish_successor(ctx.daemon, green or blue, blue, name)
    if record_of(ctx) is not None and ctx.plan.edge is not None:
        aim(ctx, renamed, Colour.BLUE)


def old_again(ctx: Context) -> Container:
    """Return the old container, made again from what is kept of it where it is gone; it is not started.

    Raises:
        StepError: it is gone, and nothing is kept of it.

    """
    green = ctx.find(Colour.GREEN)
    if green is not None:
        return green
    try:
        spec = json.loads((ctx.folder / SPEC).read_bytes())
    except FileNotFoundError as error:
        raise StepError(
            "container-missing",
            f"The old container of {ctx.plan.green} is gone, and nothing is kept of it.",
            hint=f"docker compose up -d {ctx.plan.green}",
        ) from error
    spec.pop("restart_policy", None)
    spec["config"].setdefault("Labels", {})[COPY_OF_LABEL] = ctx.plan.rolls
    return create_from_spec(ctx.daemon, spec, spec["name"] + BACK)


def name_again(ctx: Context) -> None:
    """Give the old container its name back, once the new one is gone."""
    green = ctx.find(Colour.GREEN)
    if green is None:
        return
    name = final_name(ctx.stack.config(), ctx.plan.green, green)
    renamed = finish_successor(ctx.daemon, green, green, name)
    if renamed.name != green.name and record_of(ctx) is not None and ctx.plan.edge is not None:
        aim(ctx, renamed, Colour.GREEN)
