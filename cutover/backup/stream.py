"""Payload files of an archive: written and read as streams, compressed with zstd, encrypted on request.

A file appears under its name when it is whole and on the disk. Nothing is in memory or on disk twice.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

import zstandard

from cutover.backup.chunks import Chunks
from cutover.backup.pipeline import Tally, Tell, apart, tell_nobody
from cutover.backup.seal import Seal, closed, opened
from cutover.backup.stored import Stored
from cutover.errors import NeedsHandsError, RefusedError
from cutover.files import fsync_folder, private_folder, temporary_file

CHUNK_BYTES = 1 << 20
LEVEL = 1
MOST_WINDOW_BYTES = 1 << 23
"""zstd at LEVEL needs half a MiB; a file that asks for more memory than this is not ours."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


def store(
    chunks: Iterator[bytes],
    archive: Path,
    file: str,
    *,
    seal: Seal | None = None,
    tell: Tell = tell_nobody,
    unblock: Callable[[], None] = lambda: None,
) -> Stored:
    """Write a stream to `archive/file` + ".zst" + the seal's suffix, compressed and encrypted.

    `tell` hears the bytes of the stream. `unblock` makes a read of `chunks` that waits return.

    The file has mode 0600 and appears when all of it is on the disk.

    Raises:
        RefusedError: the disk is full or cannot be written; nothing is left there.

    """
    name = f"{file}.zst{seal.suffix if seal else ''}"
    target = archive / name
    private_folder(target.parent)
    content, stored = Tally(tell, hashing=False), Tally()
    stop = threading.Event()
    with ExitStack() as stack:
        plain = stack.enter_context(apart(content.over(chunks), stop=stop, unblock=unblock))
        packed = stack.enter_context(apart(_compressed(plain), stop=stop))
        sealed = stack.enter_context(closed(seal, packed, stop))
        _write(target, stored.over(sealed))
    content.end()
    return Stored(name, stored.sha256, stored.bytes, content.bytes)


def _compressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).chunker(chunk_size=CHUNK_BYTES)
    for chunk in chunks:
        yield from packer.compress(chunk)
    yield from packer.finish()  # type: ignore[no-untyped-call]


def _write(target: Path, chunks: Iterator[bytes]) -> None:
    """Write a file whole: temporary name, fsync, rename, fsync of the folder."""
    temporary = None
    try:
        descriptor, temporary = temporary_file(target)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for chunk in chunks:
                _whole(file.fileno(), chunk)
            os.fsync(file.fileno())
        temporary.replace(target)
        fsync_folder(target.parent)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        if isinstance(error, OSError):
            raise _unwritable(target, error) from error
        raise


def _whole(descriptor: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[os.write(descriptor, left) :]


def _unwritable(target: Path, error: OSError) -> RefusedError:
    full = error.errno in _FULL
    return RefusedError(
        "archive-disk-full" if full else "archive-not-writable",
        f"{target} could not be written: {error.strerror or error}. What was written of it is removed.",
        hint=f"make room (df -h {target.parent}), or name another folder"
        if full
        else f"see that {target.parent} can be written",
    )


@contextmanager
def reading(
    stored: Stored, archive: Path, *, seal: Seal | None = None, tell: Tell = tell_nobody
) -> Iterator[Iterator[bytes]]:
    """Give the tar stream of a payload file; its end raises where it is not what was stored.

    What is compared is the SHA-256 of the file, and the length and zstd's checksum of the stream within.

    Raises:
        NeedsHandsError: the file is missing, damaged or not what was stored.
        RefusedError: it cannot be opened: no program, or no key.

    """
    path = archive / stored.file
    content = Tally(tell, stored.content_bytes, hashing=False)
    needs = Seal.of_file(stored.file, seal.identity if seal else None)
    stop = threading.Event()
    with ExitStack() as stack:
        source = stack.enter_context(apart(_read(path, stored), stop=stop))
        packed = stack.enter_context(opened(needs, source, stop))
        plain = stack.enter_context(apart(_unpacked(packed, path), stop=stop))
        yield _judged(content, plain, stored, path)


def _read(path: Path, stored: Stored) -> Iterator[bytes]:
    """Read a payload file; say at its end whether it is the one that was stored."""
    kept = Tally()
    try:
        with path.open("rb", buffering=0) as file:
            if (size := os.fstat(file.fileno()).st_size) != stored.stored_bytes:
                raise damaged(path, f"it has {size} bytes, stored were {stored.stored_bytes}")
            while chunk := file.read(CHUNK_BYTES):
                kept.take(chunk)
                yield chunk
    except OSError as error:
        raise damaged(path, f"it cannot be read: {error.strerror or error}") from error
    if kept.sha256 != stored.sha256:
        raise damaged(path, f"stored was SHA-256 {stored.sha256}", f"found is   SHA-256 {kept.sha256}")


def _unpacked(packed: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """Decompress piece by piece: a little file may hold a great stream."""
    opener = zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW_BYTES)
    try:
        with opener.stream_reader(cast("IO[bytes]", Chunks(packed))) as reader:
            while plain := reader.read(CHUNK_BYTES):
                yield plain
    except zstandard.ZstdError as error:
        raise damaged(path, str(error)) from error
    for _ in packed:  # to the end of the file, where its hash is compared
        pass


def _judged(content: Tally, chunks: Iterator[bytes], stored: Stored, path: Path) -> Iterator[bytes]:
    yield from content.over(chunks)
    content.end()
    if content.bytes != stored.content_bytes:
        raise damaged(path, f"its content was {stored.content_bytes} bytes and is {content.bytes}")


def damaged(path: Path, *evidence: str) -> NeedsHandsError:
    """Return the error for a payload file that is not what was stored."""
    return NeedsHandsError(
        "backup-damaged",
        f"{path} is not what was stored.",
        evidence=evidence,
        hint="take another backup: cutover backups --verify says which are whole",
    )
