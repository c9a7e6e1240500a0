"""The edge's image: what goes into it, and a name that says so.

The name changes with the content, so that an image built by another cutover is never used by mistake.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import cutover

REPOSITORY = "cutover-edge"
DEFAULT_BASE = "debian:bookworm-slim"
PACKAGE = Path(cutover.__file__).parent
DOCKERFILE = PACKAGE / "edge" / "image" / "Dockerfile"
COPIED = ("__init__.py", "edge/__init__.py", "edge/broker", "edge/helper")
"""What runs in the image, relative to the package: no other module of cutover is there."""

Files = Mapping[str, bytes]
"""Path in the build context -> content."""


def edge_image_name(files: Files | None = None) -> str:
    """Return the name of the image that this cutover builds and runs; `files` is what goes in, where it is read."""
    digest = hashlib.sha256()
    for path, content in sorted((image_files() if files is None else files).items()):
        digest.update(f"{len(path)}:{path}:{len(content)}:".encode() + content)
    version = re.sub(r"[^A-Za-z0-9_.-]", "-", cutover.__version__)  # 1.0+local is a version and no tag
    return f"{REPOSITORY}:{version}-{digest.hexdigest()[:12]}"


def build_context(files: Files | None = None) -> bytes:
    """Return what the Engine builds the image from, as a tar whose bytes depend on the content alone."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in sorted((image_files() if files is None else files).items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return tar.getvalue()


def image_files(package: Path = PACKAGE) -> dict[str, bytes]:
    """Return what goes into the image; read once, its name and its context belong together."""
    copied = (path for name in COPIED for path in _files(package / name))
    return {
        "Dockerfile": DOCKERFILE.read_bytes(),
        **{f"cutover/{path.relative_to(package).as_posix()}": path.read_bytes() for path in copied},
    }


def _files(place: Path) -> Iterator[Path]:
    """Yield the files at a place, but for what Python and editors leave behind."""
    if place.is_file():
        yield place
    for path in sorted(place.rglob("*")):
        parts = path.relative_to(place).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if path.is_file() and not hidden and path.suffix != ".pyc":
            yield path
