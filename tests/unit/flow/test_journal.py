"""The journal of a run: what a crash leaves of it, and what is never guessed."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.errors import NeedsHandsError
from cutover.flow.journal import NAME, Journal, Kind, Record, read
from tests.unit.flow.world import START, FakeClock


def written(folder: Path, *steps: str) -> Path:
    """Write an intent for each step and return the journal."""
    journal = Journal(folder, FakeClock())
    for step in steps:
        journal.write(Kind.INTENT, step, prior={"green": "ü" * 3})
    return folder / NAME


def line_of(**body: Any) -> bytes:
    """Return one line with a checksum that holds."""
    crc = zlib.crc32(json.dumps(body, separators=(",", ":"), sort_keys=True).encode())
    return json.dumps({**body, "crc": crc}).encode() + b"\n"


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Kind, step, time and data, in order; whatever JSON can say."""
    clock = FakeClock()
    journal = Journal(tmp_path, clock)
    journal.write(Kind.PLAN, project="shop", steps=[["s01", "backup"]])
    clock.sleep(2.5)
    journal.write(Kind.INTENT, "s01", prior={"line": "a\nb", "none": None})
    assert list(read(tmp_path)) == [
        Record(1, START.isoformat(), Kind.PLAN, "", {"project": "shop", "steps": [["s01", "backup"]]}),
        Record(2, clock.now().isoformat(), Kind.INTENT, "s01", {"prior": {"line": "a\nb", "none": None}}),
    ]


def test_the_journal_is_for_its_owner_only(tmp_path: Path) -> None:
    """It names containers, files and probes."""
    assert stat.S_IMODE(written(tmp_path, "s01").stat().st_mode) == 0o600


def test_every_record_is_on_the_disk_when_write_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One fsync of the file a record, and one of the folder when the file is new."""
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(stat.S_ISDIR(os.fstat(fd).st_mode)))
    written(tmp_path, "s01", "s02")
    assert synced == [False, True, False]


def test_no_journal_has_no_records(tmp_path: Path) -> None:
    """The crash came before the first one."""
    assert list(read(tmp_path)) == []


def test_half_a_last_line_is_dropped_and_the_next_record_stands_on_its_own(tmp_path: Path) -> None:
    """What a crash in the middle of a write leaves is cut off before anything is added."""
    path = written(tmp_path, "s01", "s02")
    path.write_bytes(path.read_bytes()[:-7])
    assert [r.step for r in read(tmp_path)] == ["s01"]
    Journal(tmp_path, FakeClock()).write(Kind.UNDO, "s01")
    assert [(r.seq, r.kind, r.step) for r in read(tmp_path)] == [(1, "intent", "s01"), (2, "undo", "s01")]


def test_a_reader_believes_what_the_next_writer_keeps(tmp_path: Path) -> None:
    """A record without its newline was never acted on: it is dropped by both, or by neither."""
    path = written(tmp_path, "s01", "s02")
    path.write_bytes(path.read_bytes()[:-1])
    before = list(read(tmp_path))
    Journal(tmp_path, FakeClock()).write(Kind.FAILED)
    assert list(read(tmp_path))[:-1] == before
    assert [r.seq for r in read(tmp_path)] == [1, 2]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_journal_cut_at_any_byte_is_a_beginning_of_itself(data: st.DataObject) -> None:
    """Never an error, never a record that was not written, and the next record can always be read."""
    with tempfile.TemporaryDirectory() as name:
        path = written(Path(name), "s01", "s02", "s03")
        whole, content = list(read(Path(name))), path.read_bytes()
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        left = list(read(Path(name)))
        assert left == whole[: len(left)]
        Journal(Path(name), FakeClock()).write(Kind.RESULT, result="interrupted")
        assert [r.seq for r in read(Path(name))] == list(range(1, len(left) + 2))


@pytest.mark.parametrize(
    ("old", "new"), [(b"s02", b"s99"), (b'"intent","step":"s02"', b'"done","step":"s02"'), (b"}\n", b"\n")]
)
def test_a_changed_record_needs_hands(tmp_path: Path, old: bytes, new: bytes) -> None:
    """The checksum holds for every field; the message names file and line, and nothing is guessed."""
    path = written(tmp_path, "s01", "s02", "s03")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(old, new) + lines[2])
    with pytest.raises(NeedsHandsError, match=f"{path}:2 is damaged") as caught:
        list(read(tmp_path))
    assert caught.value.reference == "journal-damaged"


def test_a_line_that_somebody_ended_by_hand_is_damage_too(tmp_path: Path) -> None:
    """Only what has no newline is what a crash leaves."""
    path = written(tmp_path, "s01")
    path.write_bytes(path.read_bytes() + b'{"seq":2}\n')
    with pytest.raises(NeedsHandsError):
        list(read(tmp_path))


@pytest.mark.parametrize("line", [b"[]\n", b"7\n", b"\xff\xfe\n", b'{"crc":1}\n', b"{}\n"])
def test_lines_that_are_no_records_need_hands(tmp_path: Path, line: bytes) -> None:
    """Whatever stands there, it is told and does not end in a traceback."""
    path = written(tmp_path, "s01")
    path.write_bytes(line + path.read_bytes())
    with pytest.raises(NeedsHandsError):
        list(read(tmp_path))


def test_a_kind_of_a_newer_version_needs_hands(tmp_path: Path) -> None:
    """A record that this version does not know may be the one that matters."""
    (tmp_path / NAME).write_bytes(line_of(seq=1, at="now", kind="handed-on", step="", data={}))
    with pytest.raises(NeedsHandsError):
        list(read(tmp_path))
    (tmp_path / NAME).write_bytes(line_of(seq=1, at="now", kind="done", step="", data={}))
    assert [r.kind for r in read(tmp_path)] == [Kind.DONE]


def test_a_disk_that_fills_up_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way back may find room again, and its records must not stand behind half a line."""
    journal = Journal(tmp_path, FakeClock())
    journal.write(Kind.INTENT, "s01")
    real, room = os.write, [9]

    def full(descriptor: int, content: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, content[: room.pop()])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            journal.write(Kind.DONE, "s01")
    journal.write(Kind.UNDO, "s01")
    assert [(r.seq, r.kind) for r in read(tmp_path)] == [(1, "intent"), (2, "undo")]
