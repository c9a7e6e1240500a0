"""Named volumes: saved as a stream, read back, restored into an empty volume; and what is known of one.

GNU tar reads and writes the volume in a helper container, which sees nothing else and has no network. What it keeps:
holes of sparse files, owners by number, modes, times to the nanosecond, extended attributes and ACLs, hard links,
symbolic links, FIFOs, and names of any bytes. What it does not: sockets, which mean nothing without their process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cutover.backup.members import check_members, judged
from cutover.backup.pipeline import Tell, tell_nobody
from cutover.backup.seal import Seal
from cutover.backup.stored import Stored
from cutover.backup.stream import reading, store
from cutover.backup.tools import tool_image
from cutover.backup.volumefacts import VolumeFacts, empty_volume, see_volume, volume_facts
from cutover.engine.carry import PLACE, Carrier, Errand
from cutover.engine.daemon import Daemon
from cutover.errors import CutoverError, RefusedError

__all__ = [
    "Stored",
    "VolumeFacts",
    "check_stored",
    "empty_volume",
    "restore_volume",
    "save_volume",
    "volume_facts",
]

ROLE = "backup"
MOST_NOTES = 20
CHANGED = 1
"""GNU tar's status where files changed while it read them: the stream is whole, those files may not be."""
KEPT = ("--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls")
PAX = "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"
"""The same volume gives the same stream: no process number in it, and no time at which somebody read a file."""
SAVE = (
    "tar",
    "--create",
    "--file=-",
    "--format=posix",
    PAX,
    "--sparse",
    "--blocking-factor=512",
    *KEPT,
    f"--directory={PLACE}",
    ".",
)
RESTORE = (
    "tar", "--extract", "--file=-", "--preserve-permissions", "--same-owner", "--delay-directory-restore",
    "--blocking-factor=512", *KEPT, f"--directory={PLACE}",
)  # fmt: skip
READS = ("DAC_READ_SEARCH",)
"""Reads every file, writes none; the volume is mounted read-only besides."""
WRITES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP")
"""Owners, modes with setuid bits, times and file capabilities of files that belong to anybody. No MKNOD."""


def save_volume(
    daemon: Daemon,
    volume: str,
    archive: Path,
    *,
    project: str,
    image: str | None = None,
    seal: Seal | None = None,
    tell: Tell = tell_nobody,
) -> Stored:
    """Save a volume to `archive/volumes/VOLUME.tar.zst`; what tar said of files that changed is in the notes.

    `image` is one that has GNU tar (the edge's); without one, the images of the project's containers are tried.

    Raises:
        RefusedError: no image has GNU tar, the archive cannot be written, or encryption failed.
        EngineError: the volume is not there, or tar failed.

    """
    see_volume(daemon, volume)
    errand = Errand(project, tool_image(daemon, project, image), SAVE, role=ROLE, volume=volume, capabilities=READS)
    notes: list[str] = []
    with Carrier(daemon, errand) as carrier:
        chunks = _whole(carrier, notes)
        stored = store(chunks, archive, f"volumes/{volume}.tar", seal=seal, tell=tell, unblock=carrier.hang_up)
    return replace(stored, notes=tuple(notes[:MOST_NOTES]))


def _whole(carrier: Carrier, notes: list[str]) -> Iterator[bytes]:
    """Yield what tar writes; its failure is raised before the file that it goes to gets its name."""
    yield from carrier.chunks()
    notes += carrier.end(may=frozenset({0, CHANGED}))


def check_stored(
    stored: Stored, archive: Path, *, seal: Seal | None = None, devices: bool = False, tell: Tell = tell_nobody
) -> int:
    """Read a payload file back, all of it, and return the number of members of its tar; nothing is unpacked.

    Raises:
        NeedsHandsError: it is missing or damaged.
        RefusedError: a member would be unpacked outside, or it cannot be decrypted.

    """
    with reading(stored, archive, seal=seal, tell=tell) as chunks:
        return check_members(chunks, devices=devices)


def restore_volume(
    daemon: Daemon,
    stored: Stored,
    archive: Path,
    volume: str,
    *,
    project: str,
    image: str | None = None,
    seal: Seal | None = None,
    devices: bool = False,
    tell: Tell = tell_nobody,
) -> None:
    """Unpack a payload file into an empty volume, which is empty again where that fails.

    It is read once: each member is looked at before tar hears of it, and the hash of the file is compared before tar
    comes to its end. Who has emptied a volume for this has seen with `check_stored` before that the file is whole.
    `devices` has device nodes made, too.

    Raises:
        NeedsHandsError: the payload file is missing or damaged.
        RefusedError: the volume is not empty, a member would be unpacked outside, or it cannot be decrypted.
        EngineError: the volume is not there, or tar failed.

    """
    image = tool_image(daemon, project, image)
    _see_empty(daemon, volume, project, image)
    rights = (*WRITES, "MKNOD") if devices else WRITES
    errand = Errand(project, image, RESTORE, role=ROLE, volume=volume, writes=True, fed=True, capabilities=rights)
    try:
        with reading(stored, archive, seal=seal, tell=tell) as chunks, Carrier(daemon, errand) as carrier:
            carrier.feed(judged(chunks, devices=devices))
            carrier.end()
    except CutoverError:
        with suppress(CutoverError):  # the first error is the one to tell
            empty_volume(daemon, volume, project=project, image=image)
        raise


def _see_empty(daemon: Daemon, volume: str, project: str, image: str) -> None:
    facts = volume_facts(daemon, volume, project=project, image=image)
    if not facts.exists:
        raise RefusedError("no-volume", f"There is no volume {volume}.", hint=f"docker volume create {volume}")
    if not facts.empty:
        raise RefusedError(
            "volume-not-empty",
            f"Volume {volume} is not empty; nothing was unpacked over what it holds.",
            evidence=[f"it holds {facts.entries} entries, the newest of {facts.newest_text}"],
            hint="restore elsewhere, or say that what is there is to be replaced",
        )
