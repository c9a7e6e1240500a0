"""Which image the helpers of a backup run from: one that has GNU tar and GNU find."""

from __future__ import annotations

from cutover.engine.carry import Errand, run_errand
from cutover.engine.daemon import Daemon
from cutover.errors import EngineError, RefusedError

ASK = ("sh", "-c", "tar --version && find --version")
ROLE = "backup"


def tool_image(daemon: Daemon, project: str, image: str | None = None) -> str:
    """Return `image` if it is there, else the first image of the project's containers that has GNU tar and find.

    busybox tar knows neither holes nor extended attributes, so it is not taken.

    Raises:
        RefusedError: there is none.

    """
    if image is not None and daemon.image_id(image) is not None:
        return image
    tried = list(dict.fromkeys(c.image_id for c in daemon.containers(project) if c.image_id))
    for candidate in tried:
        if _has_tools(daemon, project, candidate):
            return candidate
    raise RefusedError(
        "no-gnu-tar",
        "No image is there that can save a volume: it takes GNU tar and GNU find.",
        evidence=[f"without them: {i}" for i in tried] or ["the project has no containers"],
        hint="cutover edge build",
    )


def _has_tools(daemon: Daemon, project: str, image: str) -> bool:
    try:
        said, _ = run_errand(daemon, Errand(project, image, ASK, role=ROLE))
    except EngineError:
        return False
    return b"GNU tar" in said and b"GNU findutils" in said
