"""What is known of a volume: as the Engine has it, and what lies in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cutover.backup.tools import ROLE, tool_image
from cutover.engine.carry import PLACE, Carrier, Errand, run_errand
from cutover.engine.daemon import Daemon
from cutover.engine.volumes import User, volume_record, volume_users
from cutover.errors import RefusedError

LIST = ("find", PLACE, "-xdev", "-mindepth", "1", "-printf", "%T@ %s %b %n %D:%i %y\\n")
EMPTY = ("find", PLACE, "-xdev", "-mindepth", "1", "-delete")
BLOCK_BYTES = 512


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """A volume: what it is, who mounts it, and what lies in it.

    `newest` is the modification time of what was modified last (seconds since 1970), None where it is empty.
    `apparent_bytes` are what its files hold with their holes, `used_bytes` what they take on the disk; a file with
    several names counts once.
    """

    name: str
    exists: bool
    driver: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    users: tuple[User, ...] = ()
    entries: int = 0
    newest: float | None = None
    apparent_bytes: int = 0
    used_bytes: int = 0

    @property
    def empty(self) -> bool:
        """Say whether nothing lies in it."""
        return self.entries == 0

    @property
    def newest_text(self) -> str:
        """Return the time of the newest entry, UTC, "" where it is empty."""
        return "" if self.newest is None else datetime.fromtimestamp(self.newest, UTC).isoformat(timespec="seconds")


def volume_facts(daemon: Daemon, volume: str, *, project: str, image: str | None = None) -> VolumeFacts:
    """Look at a volume; nothing is changed, and one that is not there is not made.

    Raises:
        RefusedError: no image has GNU find.
        EngineError: the Engine refuses.

    """
    record = volume_record(daemon, volume)
    if record is None:
        return VolumeFacts(volume, exists=False)
    errand = Errand(
        project, tool_image(daemon, project, image), LIST, role=ROLE, volume=volume, capabilities=("DAC_READ_SEARCH",)
    )
    with Carrier(daemon, errand) as carrier:
        inside = weigh(_lines(carrier.chunks()))
        carrier.end(may=frozenset({0, 1}))  # 1: something went away while it looked
    users = tuple(volume_users(daemon, volume))
    return VolumeFacts(volume, True, record.driver, record.labels, record.options, users, *inside)


def weigh(lines: Iterable[bytes]) -> tuple[int, float | None, int, int]:
    """Return how many entries `find` listed, the newest time, the bytes in files, and those on the disk."""
    entries, newest, apparent, used = 0, None, 0, 0
    seen: set[bytes] = set()
    for line in lines:
        when, size, blocks, names, inode, kind = line.split(b" ")
        entries += 1
        newest = max(float(when), newest if newest is not None else float(when))
        if names != b"1" and kind != b"d":
            if inode in seen:
                continue
            seen.add(inode)
        used += int(blocks) * BLOCK_BYTES
        apparent += int(size) if kind == b"f" else 0
    return entries, newest, apparent, used


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def empty_volume(daemon: Daemon, volume: str, *, project: str, image: str | None = None) -> None:
    """Delete everything that lies in a volume; the volume itself, its owner and mode stay.

    Raises:
        RefusedError: there is no such volume, or no image has GNU find.
        EngineError: something could not be deleted.

    """
    see_volume(daemon, volume)
    image = tool_image(daemon, project, image)
    rights = ("DAC_OVERRIDE", "FOWNER")
    run_errand(daemon, Errand(project, image, EMPTY, role=ROLE, volume=volume, writes=True, capabilities=rights))


def see_volume(daemon: Daemon, volume: str) -> None:
    """See that a volume is there: Docker would make one for whoever mounts it.

    Raises:
        RefusedError: it is not.

    """
    if volume_record(daemon, volume) is None:
        raise RefusedError("no-volume", f"There is no volume {volume}.", hint="docker volume ls")
