"""Payload files: written whole or not at all, read back, every damage told."""

from __future__ import annotations

import errno
import os
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from cutover.backup import stream
from cutover.backup.stored import Stored
from cutover.backup.stream import reading, store
from cutover.errors import NeedsHandsError, RefusedError

PIECES = [os.urandom(70_000), b"text " * 50_000, b"\0" * 3_000_000]


def read(stored: Stored, archive: Path, **options) -> bytes:
    """Read a payload file to its end."""
    with reading(stored, archive, **options) as chunks:
        return b"".join(chunks)


def left(archive: Path) -> list[str]:
    """Return the files in an archive."""
    return sorted(p.name for p in archive.rglob("*") if p.is_file())


def test_what_is_stored_is_read_back(tmp_path) -> None:
    """With its hashes and lengths, in a file for the owner alone, progress told to the end."""
    told: list = []
    stored = store(iter(PIECES), tmp_path, "volumes/data.tar", tell=lambda *args: told.append(args))
    assert read(stored, tmp_path) == b"".join(PIECES)
    file = tmp_path / "volumes" / "data.tar.zst"
    assert (stored.file, stored.stored_bytes) == ("volumes/data.tar.zst", file.stat().st_size)
    assert file.stat().st_mode & 0o777 == 0o600
    assert told[-1] == (sum(map(len, PIECES)), None)
    assert Stored.from_dict(stored.as_dict()) == stored
    assert left(tmp_path) == ["data.tar.zst"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_disk_that_fails_leaves_nothing_and_what_was_there(tmp_path, monkeypatch, number) -> None:
    """The error says what to do; threads and the temporary file are gone."""
    (tmp_path / "data.tar.zst").write_bytes(b"before")
    write = os.write
    calls: list = []

    def fails(descriptor: int, content: bytes) -> int:
        calls.append(descriptor)
        if len(calls) > 2:
            raise OSError(number, os.strerror(number))
        return write(descriptor, content)

    monkeypatch.setattr(stream.os, "write", fails)
    with pytest.raises(RefusedError) as caught:
        store((os.urandom(1 << 20) for _ in range(50)), tmp_path, "data.tar")
    assert caught.value.reference == ("archive-disk-full" if number == errno.ENOSPC else "archive-not-writable")
    assert left(tmp_path) == ["data.tar.zst"]
    assert (tmp_path / "data.tar.zst").read_bytes() == b"before"
    assert not [t for t in threading.enumerate() if t.name.startswith("cutover")]


def test_a_source_that_fails_leaves_nothing(tmp_path) -> None:
    """Its own error is what is told."""

    def source() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise RefusedError("gone", "The source is gone.")

    with pytest.raises(RefusedError, match="The source is gone"):
        store(source(), tmp_path, "data.tar")
    assert left(tmp_path) == []


def test_a_source_that_waits_is_let_go(tmp_path, monkeypatch) -> None:
    """Where the other end of the pipeline failed: nothing hangs."""
    released = threading.Event()

    def source() -> Iterator[bytes]:
        for _ in range(6):
            yield os.urandom(1 << 20)
        assert released.wait(30)

    def fails(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(stream.os, "write", fails)
    with pytest.raises(RefusedError):
        store(source(), tmp_path, "data.tar", unblock=released.set)


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "missing"])
def test_a_damaged_file_is_told(tmp_path, damage) -> None:
    """Whatever happened to it."""
    stored = store(iter(PIECES), tmp_path, "data.tar")
    file = tmp_path / stored.file
    content = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    else:
        content[len(content) // 2] ^= 1
        file.write_bytes({"flipped": content, "cut": content[:-9], "longer": content + b"x"}[damage])
    with pytest.raises(NeedsHandsError, match="is not what was stored"):
        read(stored, tmp_path)


@pytest.mark.parametrize("change", [{"content_bytes": 7}, {"sha256": "0" * 64}])
def test_a_manifest_that_says_otherwise_is_told(tmp_path, change) -> None:
    """Either may be the one that lies."""
    stored = store(iter(PIECES), tmp_path, "data.tar")
    with pytest.raises(NeedsHandsError):
        read(replace(stored, **change), tmp_path)


def test_a_little_file_that_holds_a_great_stream_takes_little_memory(tmp_path) -> None:
    """A gigabyte of zeros is 100 kB."""
    stored = store((bytes(1 << 20) for _ in range(200)), tmp_path, "data.tar")
    tracemalloc.start()
    with reading(stored, tmp_path) as chunks:
        assert sum(map(len, chunks)) == 200 << 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


def test_a_file_that_asks_for_much_memory_is_refused(tmp_path) -> None:
    """No file of ours has such a window."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27, compression_level=1)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    content = packed.compress(b"x" * 100) + packed.flush()
    (tmp_path / "data.tar.zst").write_bytes(content)
    stored = Stored("data.tar.zst", stream.Tally().sha256, len(content), 100)
    with pytest.raises(NeedsHandsError):
        read(stored, tmp_path)


@pytest.mark.parametrize("facts", [{}, {"file": "x"}, {"file": 1, "sha256": "", "stored_bytes": "many"}])
def test_a_damaged_manifest_is_told(facts) -> None:
    """And not a traceback."""
    with pytest.raises(NeedsHandsError):
        Stored.from_dict(facts)
