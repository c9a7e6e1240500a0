"""Our end of a FIFO that a container has the other end of."""

from __future__ import annotations

import os

import pytest

from cutover.engine.fifo import Fifo


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Have FIFOs made here."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_what_is_written_there_is_read_here(place) -> None:
    """Its folder is private, and gone once it is hidden; who has it, has it."""
    fifo = Fifo(fed=False)
    assert fifo.path.parent.stat().st_mode & 0o777 == 0o700
    writer = os.open(fifo.path, os.O_WRONLY)
    fifo.hide()
    os.write(writer, b"bytes")
    os.close(writer)
    assert os.read(fifo.descriptor, 99) == b"bytes"
    assert os.read(fifo.descriptor, 99) == b""
    fifo.close()
    fifo.close()
    assert list(place.iterdir()) == []


def test_what_feeds_it_waits_for_its_reader() -> None:
    """And the reader sees the end, though the FIFO has no name any more."""
    fifo = Fifo(fed=True)
    assert not fifo.opened_by_reader()
    reader = os.open(fifo.path, os.O_RDONLY | os.O_NONBLOCK)
    fifo.hide()
    assert fifo.opened_by_reader()
    os.write(fifo.descriptor, b"bytes")
    fifo.end()
    assert os.read(reader, 99) + os.read(reader, 99) == b"bytes"
    os.close(reader)
    fifo.close()
