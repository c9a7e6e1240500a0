"""A way back whose image was pruned: told before anything is undone, with the backup that has it."""

from __future__ import annotations

from cutover.backup.archive import Archive, archives
from cutover.backup.manifest import ImageUse
from cutover.errors import RefusedError
from cutover.flow.context import Context
from cutover.flow.runs import BACKUPS
from cutover.model import Colour


def see_old_image(ctx: Context) -> None:
    """See that green can be made again where its container is gone; changes nothing.

    What green ran is in the backup that the swap took; without one nothing can be said beforehand.

    Raises:
        RefusedError: its image is gone.

    """
    folder = ctx.state / ctx.plan.project / BACKUPS
    known = Archive(folder / ctx.folder.name).known
    if known is None or ctx.find(Colour.GREEN) is not None:
        return
    use = next((c for c in known.containers if c.service == ctx.plan.green), None)
    if use is None:
        return
    meant = use.image_id if ctx.plan.rolls is not None else use.reference
    if ctx.daemon.image_id(meant) is not None:
        return
    having = _having(archives(folder), use)
    raise RefusedError(
        "old-image-gone",
        f"The image of {ctx.plan.called(Colour.GREEN)} is gone ({use.reference}), so it cannot be made again.",
        evidence=[f"{meant} is not on this Engine"],
        hint=f"cutover restore {having.id} --images --apply, then again"
        if having and "@" not in use.reference  # a digest is had from its registry only
        else f"docker pull {use.reference}, or build it; then again",
    )


def _having(found: list[Archive], use: ImageUse) -> Archive | None:
    """Return the newest backup that has an image saved."""
    for archive in reversed(found):
        known = archive.known
        if known and known.images and any(c.image_id == use.image_id for c in known.containers):
            return archive
    return None
