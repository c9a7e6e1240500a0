"""A service that is replaced by a new container of itself: made beside the old one, and the old one made again."""

from __future__ import annotations

import json
from typing import Any

from cutover.engine.successor import (
    clone_spec,
    create_from_spec,
    create_successor,
    final_name,
    finish_successor,
    injected_paths,
    remove_keeping_volumes,
    would_do,
)
from cutover.errors import CutoverError, EngineGoneError, RefusedError, StepError
from cutover.files import write_atomic
from cutover.flow.context import Context
from cutover.flow.edge import record_of
from cutover.flow.steps.aim import aim
from cutover.flow.steps.files import candidates
from cutover.model import COPY_OF_LABEL, Colour, Container, ContainerState

SPEC = "old-container.json"
"""In the run's folder, which only its owner can read: what the old container was made from, environment included."""
BACK = "-back"


def create_beside(ctx: Context) -> None:
    """Create the new container beside the old one, from the edited files, named for the project's own."""
    stack = candidates(ctx).stack if ctx.plan.edits else ctx.stack
    alone = ctx.plan.one_at_a_time
    create_successor(ctx.daemon, stack, ctx.plan.blue, files=ctx.stack.source, alone=alone, share_anonymous=alone)


def retire_old(ctx: Context) -> None:
    """Remove the old container, once what it was made from is kept, and give its name to the new one."""
    green, blue = ctx.find(Colour.GREEN), ctx.need(Colour.BLUE)
    model = ctx.stack.config()
    if green is not None:
        files = injected_paths(ctx.daemon, green, model, ctx.stack.environment())
        spec = clone_spec(ctx.daemon, green.id, without={ctx.plan.park_network}, files=files)
        write_atomic(ctx.folder / SPEC, json.dumps(spec).encode(), mode=0o600)
        ctx.daemon.stop(green)
        remove_keeping_volumes(ctx.daemon, green)
    name = final_name(model, ctx.plan.blue, green or blue)
    renamed = finish_successor(ctx.daemon, green or blue, blue, name)
    if record_of(ctx) is not None and ctx.plan.edge is not None:
        aim(ctx, renamed, Colour.BLUE)


def old_again(ctx: Context) -> Container:
    """Return the old container, made again from what is kept of it where it is gone; it is not started.

    A copy that never ran may lack half of what belongs to it, as a crash came in between: it is made anew.

    Raises:
        StepError: it is gone, and nothing is kept of it.

    """
    green = ctx.find(Colour.GREEN)
    if green is not None and not (COPY_OF_LABEL in green.labels and green.state is ContainerState.CREATED):
        return green
    spec = _kept(ctx)
    if spec is None:
        raise StepError(
            "container-missing",
            f"The old container of {ctx.plan.green} is gone, and nothing is kept of it.",
            hint=f"docker compose up -d {ctx.plan.green}",
        )
    if green is not None:
        remove_keeping_volumes(ctx.daemon, green)
    spec["config"].setdefault("Labels", {})[COPY_OF_LABEL] = ctx.plan.rolls
    return create_from_spec(ctx.daemon, spec, spec["name"] + BACK)


def name_again(ctx: Context) -> None:
    """Give the old container the name that it had, once the new one is gone."""
    green, spec = ctx.find(Colour.GREEN), _kept(ctx)
    if green is None or spec is None:  # nothing is kept of one that was never removed, and that has its name
        return
    renamed = finish_successor(ctx.daemon, green, green, spec["name"])
    if renamed.name != green.name and record_of(ctx) is not None and ctx.plan.edge is not None:
        aim(ctx, renamed, Colour.GREEN)


def see_old_can_return(ctx: Context) -> None:
    """See that the old container is there, or that it can be made again; changes nothing.

    Raises:
        RefusedError: its image or one of its networks is gone.

    """
    spec = _kept(ctx)
    if ctx.plan.rolls is None or spec is None or ctx.find(Colour.GREEN) is not None:
        return
    image = str(spec["config"]["Image"])
    if ctx.daemon.image_id(str(spec["image_id"])) is None:
        raise RefusedError(
            "old-image-gone",
            f"The image of {ctx.plan.called(Colour.GREEN)} is gone ({image}), so it cannot be made again.",
            evidence=[f"{spec['image_id']} is not on this Engine"],
            hint=f"docker pull {image}, then again; or go on: cutover swap --service {ctx.plan.green} --image OTHER",
        )
    gone = [name for name, _ in spec["networks"] if not ctx.daemon.network_exists(str(name))]
    if gone:
        raise RefusedError(
            "old-network-gone",
            f"{ctx.plan.called(Colour.GREEN)} was on {', '.join(gone)}, which is gone, so it cannot be made again.",
            hint=f"go on instead: cutover swap --service {ctx.plan.green} --image {image}",
        )


def tell_what_files_ask(ctx: Context) -> None:
    """Tell where the files ask for something else than the container that is back: what the user wrote is left alone.

    Raises:
        EngineGoneError: no Engine answers.

    """
    try:
        left = would_do(ctx.stack, ctx.plan.green)
    except EngineGoneError:
        raise
    except CutoverError as error:
        ctx.warn(f"Compose does not tell whether the files ask for what runs now: {error.message}")
        return
    if left:
        files = ", ".join(f.name for f in ctx.stack.source.files)
        ctx.warn(
            f"{ctx.plan.green} runs as it did before, and {files} asks for something else: "
            f"`docker compose up -d` would replace it; put {files} back by hand, or mend it and swap again"
        )


def _kept(ctx: Context) -> dict[str, Any] | None:
    """Return what the old container was made from, None where it was never removed."""
    try:
        spec: dict[str, Any] = json.loads((ctx.folder / SPEC).read_bytes())
    except FileNotFoundError:
        return None
    return spec
