"""Copies of files with a manifest that says what they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutover.errors import NeedsHandsError
from cutover.files import UNREADABLE, FileState, private_folder, read_state, sha256, write_atomic

MANIFEST = "manifest.json"
Code = Callable[[bytes], bytes]
"""What bytes become on their way into a copy, or out of one: sealed, opened, or (`bytes` itself) left as they are."""


@dataclass(frozen=True, slots=True)
class Saved:
    """One file in a backup: where it came from, which copy holds its bytes, and what it was."""

    path: Path
    copy: Path
    state: FileState

    def content(self, opened: Code = bytes) -> bytes:
        """Return the saved bytes, as they were before they were sealed.

        Raises:
            NeedsHandsError: the copy is no longer what was saved.

        """
        try:
            content = opened(self.copy.read_bytes())
        except OSError:  # it is gone, or its name is none
            content = b""
        if sha256(content) != self.state.sha256:
            raise NeedsHandsError(
                "backup-damaged",
                f"The backup {self.copy} of {self.path} is damaged; it was not restored.",
                hint=f"the other copies lie in {self.copy.parent}; cutover history shows other runs",
            )
        return content


def save(paths: list[Path], folder: Path) -> list[Saved]:
    """Copy files into `folder`, read every copy back, and write the manifest last."""
    private_folder(folder)
    saved = [copy(path, folder / f"{number:02}-{path.name}") for number, path in enumerate(paths)]
    for one in saved:
        one.content()
    manifest = [{"path": str(s.path), "copy": s.copy.name, **s.state.as_dict()} for s in saved]
    write_atomic(folder / MANIFEST, json.dumps({"files": manifest}, indent=1).encode(), mode=0o600)
    return saved


def copy(path: Path, place: Path, sealed: Code = bytes) -> Saved:
    """Copy one file to `place`, for the owner only, and return what it was."""
    content, state = read_state(path)
    write_atomic(place, sealed(content), mode=0o600)
    return Saved(path, place, state)


def load(folder: Path) -> list[Saved]:
    """Return what a backup holds; nothing where its manifest was never written.

    Raises:
        NeedsHandsError: its manifest is damaged.

    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        return [_told(folder, f) for f in manifest["files"]]
    except FileNotFoundError:
        return []
    except UNREADABLE as error:
        raise NeedsHandsError(
            "backup-damaged",
            f"{folder / MANIFEST} is damaged; nothing was restored from it.",
            hint=f"the copies themselves lie in {folder}",
        ) from error


def _told(folder: Path, said: dict[str, Any]) -> Saved:
    """Return what the manifest says of one file; its copy lies in the backup's own folder and nowhere else."""
    path, copy = said["path"], said["copy"]
    numbers = [said[key] for key in ("mode", "uid", "gid")]
    if not all(isinstance(text, str) and text.isprintable() and text for text in (path, copy, said["sha256"])):
        raise ValueError("a path, a copy or a checksum is no text")
    if not all(isinstance(number, int) and 0 <= number < 1 << 32 for number in numbers):
        raise ValueError("a mode or an owner is no number")
    if Path(copy).name != copy or copy in {".", ".."}:
        raise ValueError(f"{copy!r} does not lie in the backup")
    return Saved(Path(path), folder / copy, FileState(said["sha256"], *numbers))


def restore(saved: Saved) -> None:
    """Put a file back as it was: bytes, mode and owner. Nothing is written where it is so already."""
    put_back(saved.path, saved.content(), saved.state)


def put_back(path: Path, content: bytes, state: FileState) -> None:
    """Have a file be what it was, `content` with its mode and owner. Nothing is written where it is so already."""
    if path.exists() and read_state(path)[1] == state:
        return
    write_atomic(path, content, mode=state.mode, owner=(state.uid, state.gid))
