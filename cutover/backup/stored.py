"""What one payload file of an archive is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from cutover.errors import NeedsHandsError


@dataclass(frozen=True, slots=True)
class Stored:
    """One payload file: where, how long and with which SHA-256 as it is stored.

    `file` is relative to the archive's folder. `content_bytes` is the length of the tar stream before compression and
    encryption, whose checksum zstd keeps within. `notes` are what tar said while it read: files that changed meanwhile,
    sockets left out.
    """

    file: str
    sha256: str
    stored_bytes: int
    content_bytes: int
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Return JSON-ready data."""
        return {**asdict(self), "notes": list(self.notes)}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return what a manifest says.

        Raises:
            NeedsHandsError: it is damaged.

        """
        try:
            return cls(
                str(facts["file"]),
                str(facts["sha256"]),
                int(facts["stored_bytes"]),
                int(facts["content_bytes"]),
                tuple(str(n) for n in facts.get("notes") or ()),
            )
        except (LookupError, TypeError, ValueError) as error:
            raise NeedsHandsError("backup-damaged", "What the manifest says of a payload file is damaged.") from error
