"""To whom a backup is encrypted, and what opens it again."""

from __future__ import annotations

import threading
from pathlib import Path

from cutover.backup.files import Code
from cutover.backup.manifest import Manifest
from cutover.backup.seal import Seal, closed, opened
from cutover.errors import UsageError


def sealing(text: str | None) -> Seal | None:
    """Return what encrypts: `age:RECIPIENT`, `gpg:KEY`, or nothing.

    Raises:
        UsageError: it is neither, or says nobody.
        RefusedError: its program is not there.

    """
    if not text:
        return None
    seal = Seal.parse(text)
    seal.closing()
    return seal


def opening(manifest: Manifest, identity: Path | None) -> Seal | None:
    """Return what opens a backup, None for one that is not encrypted.

    Raises:
        UsageError: it is encrypted with age, and there is no identity.

    """
    if manifest.sealed is None:
        return None
    if manifest.sealed == "age" and identity is None:
        raise UsageError("backup-encrypted", f"Backup {manifest.id} is encrypted with age.", hint="--identity FILE")
    return Seal(manifest.sealed, None, identity)


def closer(seal: Seal | None) -> Code:
    """Return what a small file's bytes become on their way into the backup."""

    def close(content: bytes) -> bytes:
        with closed(seal, iter([content]), threading.Event()) as chunks:
            return b"".join(chunks)

    return close if seal else bytes


def opener(seal: Seal | None) -> Code:
    """Return what a small file's bytes become on their way out of the backup."""

    def open_(content: bytes) -> bytes:
        with opened(seal, iter([content]), threading.Event()) as chunks:
            return b"".join(chunks)

    return open_ if seal else bytes
