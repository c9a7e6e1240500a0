"""Configs and secrets that no bind mount can give: Compose copies them into a container when it starts it.

Whoever starts a container over the Engine's API has to copy them (compose, `pkg/compose/secrets.go`).
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cutover.engine.daemon import Daemon
from cutover.engine.translate import translated
from cutover.errors import RefusedError

_MODE = 0o444


@dataclass(frozen=True, slots=True)
class Injected:
    """A file that belongs into a container; its content may be a secret."""

    path: str
    content: bytes = field(repr=False)
    mode: int = _MODE
    uid: int = 0
    gid: int = 0


def injected_files(model: Mapping[str, Any], service: str, environment: Mapping[str, str]) -> tuple[Injected, ...]:
    """Return the files that Compose would copy into a container of the service.

    Raises:
        RefusedError: `secret-unset`: one of them is to come from a variable that is not set.

    """
    definition = model["services"][service]
    return (
        *_of(model, definition, "configs", "/", environment),
        *_of(model, definition, "secrets", "/run/secrets", environment),
    )


def inject(daemon: Daemon, container_id: str, files: tuple[Injected, ...]) -> None:
    """Copy files into a container, running or not."""
    if not files:
        return
    with translated(f"Copying configs and secrets into {container_id[:12]}"):
        daemon.api.put_archive(container_id, "/", _archive(files))


def _of(
    model: Mapping[str, Any], definition: Mapping[str, Any], kind: str, folder: str, environment: Mapping[str, str]
) -> Iterator[Injected]:
    for use in definition.get(kind) or ():
        source = (model.get(kind) or {}).get(use["source"]) or {}
        content = _content(source, use["source"], environment)
        if content is None:
            continue
        target = str(use.get("target") or use["source"])
        path = target if target.startswith("/") else posixpath.join(folder, target)
        mode = int(str(use.get("mode") or "0444"), 8)
        yield Injected(path, content, mode, int(use.get("uid") or 0), int(use.get("gid") or 0))


def _content(source: Mapping[str, Any], name: str, environment: Mapping[str, str]) -> bytes | None:
    """Return what a config or secret holds, None where it is a file, which is mounted."""
    if "content" in source:
        return str(source["content"]).replace("$$", "$").encode()
    variable = source.get("environment")
    if not variable:
        return None
    if variable not in environment:
        raise RefusedError("secret-unset", f"{name!r} is to come from ${variable}, which is not set.")
    return environment[variable].encode()


def _archive(files: tuple[Injected, ...]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode, entry.uid, entry.gid = len(file.content), file.mode, file.uid, file.gid
            archive.addfile(entry, io.BytesIO(file.content))
    return out.getvalue()
