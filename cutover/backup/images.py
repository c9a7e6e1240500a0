"""Images: saved as `docker save` makes them, compressed, and loaded again, without a registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cutover.backup.pipeline import Tell, tell_nobody
from cutover.backup.seal import Seal
from cutover.backup.stored import Stored
from cutover.backup.stream import reading, store
from cutover.engine.daemon import Daemon
from cutover.engine.images import exported, imported

FILE = "images/images.tar"


def save_images(
    daemon: Daemon,
    references: Sequence[str],
    archive: Path,
    *,
    seal: Seal | None = None,
    tell: Tell = tell_nobody,
) -> Stored:
    """Save images, layers that they share once, to `archive/images/images.tar.zst`.

    A reference is a name with its tag, which the image then has again when it is loaded, or an ID.

    Raises:
        RefusedError: the archive cannot be written, or encryption failed.
        EngineError: there is no such image, or the Engine failed.

    """
    return store(exported(daemon, references), archive, FILE, seal=seal, tell=tell)


def load_images(
    daemon: Daemon,
    stored: Stored,
    archive: Path,
    *,
    seal: Seal | None = None,
    tell: Tell = tell_nobody,
) -> list[str]:
    """Load saved images and return what the Engine says of each: its name with its tag, or its ID.

    Raises:
        NeedsHandsError: the payload file is missing or damaged.
        RefusedError: it cannot be decrypted.
        EngineError: the Engine refuses.

    """
    with reading(stored, archive, seal=seal, tell=tell) as chunks:
        return imported(daemon, chunks)
