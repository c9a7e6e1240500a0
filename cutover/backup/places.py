"""Which files of a project are saved: pure but for looking whether they are there."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST_BYTES = 1024 * 1024
"""A configuration file is smaller; what is larger is data, and belongs into a volume or a backup of its own."""


@dataclass(frozen=True, slots=True)
class Found:
    """The files to be saved, each once, and those that are left out, with the reason."""

    files: tuple[Path, ...]
    left_out: tuple[str, ...] = ()


def to_save(own: Iterable[Path], given: Iterable[Path], folder: Path) -> Found:
    """Return what is to be saved.

    Of `own` (the project's own files) all, wherever they are; of `given` (what its services get) the regular files
    below 1 MiB that lie inside the project's folder.
    """
    files: dict[Path, Path] = {}
    left_out: dict[str, None] = {}
    for path in own:
        if path.is_file():
            files.setdefault(path.resolve(), path)
    base = folder.resolve()
    for path in given:
        why = _unfit(path, base)
        if why is None:
            files.setdefault(path.resolve(), path)
        elif why and path.resolve() not in files:
            left_out[f"{path}: {why}"] = None
    return Found(tuple(files.values()), tuple(left_out))


def _unfit(path: Path, folder: Path) -> str | None:
    """Return why a file is not saved, "" where that need not be told, None where it is saved."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ""
    if not stat.S_ISREG(found.st_mode):
        return ""
    if not path.resolve().is_relative_to(folder):
        return "outside the project's folder, not saved"
    if found.st_size >= LARGEST_BYTES:
        return f"{found.st_size / LARGEST_BYTES:.1f} MiB, not saved; data belongs into a volume"
    return None


def given_to_services(model: Mapping[str, Any], written: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Yield the host's files that services get: bind mounts, `configs:`, `secrets:` and `env_file:`.

    `model` is Compose's canonical model, `written` the one before interpolation: only that one names env files.
    """
    for section in ("configs", "secrets"):
        for entry in _values(model.get(section)):
            if isinstance(entry.get("file"), str):
                yield folder / entry["file"]
    for service in _values(model.get("services")):
        for mount in service.get("volumes") or ():
            if isinstance(mount, Mapping) and mount.get("type") == "bind" and mount.get("source"):
                yield folder / str(mount["source"])
    for service in _values(written.get("services")):
        files = service.get("env_file") or ()
        for file in [files] if isinstance(files, str) else files:
            yield folder / str(file.get("path") if isinstance(file, Mapping) else file)


def _values(section: Any) -> Iterator[Mapping[str, Any]]:
    for entry in (section or {}).values():
        if isinstance(entry, Mapping):
            yield entry


def volumes_of_model(model: Mapping[str, Any]) -> dict[str, str]:
    """Return the named volumes of the project: name in the compose file -> the Engine's name."""
    return {key: str((entry or {}).get("name") or key) for key, entry in (model.get("volumes") or {}).items()}
