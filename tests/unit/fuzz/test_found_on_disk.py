"""What fuzzing found in the readers of journals, manifests and records; the rest is in test_found.py."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from cutover.backup import files as backup
from cutover.errors import NeedsHandsError
from cutover.flow import back, edge_record, lock, look
from cutover.flow.journal import NAME, Journal, Kind
from cutover.flow.observed import load_seconds
from cutover.flow.runs import Run, Runs
from tests.unit.flow.stage import PLAN
from tests.unit.flow.world import FakeClock
from tests.unit.fuzz.refusals import DEEP, DIGITS, refused


def journal_of(tmp_path: Path, *lines: dict[str, Any] | str) -> Run:
    """Return a run with these records, whose numbers and checksums hold; a text is a line as it stands."""
    folder = tmp_path / ".cutover" / "shop" / "r"
    folder.mkdir(parents=True)
    written = []
    for number, line in enumerate(lines, start=1):
        if isinstance(line, str):
            written.append(line)
            continue
        body = {"seq": number, "at": "2026-01-01T00:00:00+00:00", "kind": "plan", "step": "", "data": {}} | line
        crc = zlib.crc32(json.dumps(body, separators=(",", ":"), sort_keys=True).encode())
        written.append(json.dumps({**body, "crc": crc}))
    (folder / NAME).write_text("".join(f"{line}\n" for line in written))
    return Run(folder)


@pytest.mark.parametrize(
    "records",
    [
        [{"data": {"moves": 5}}],
        [{"data": PLAN.header() | {"probes": [5]}}],
        [{"data": PLAN.header() | {"source": {"files": "a.yml"}}}],
        [{"data": PLAN.header() | {"strategy": "magic"}}],
        [{"data": PLAN.header()}, {"kind": "result", "data": {}}],
        [{"data": PLAN.header()}, {"kind": "result", "data": {"result": "done", "stall_measured_s": "long"}}],
        [{"data": PLAN.header()}, {"kind": "intent", "step": "s01", "data": {"kind": "teleport", "prior": {}}}],
        [{"data": PLAN.header()}, {"kind": "intent", "step": "s01", "data": {}}],
        [{"at": "yesterday", "data": PLAN.header()}],
    ],
)
def test_a_journal_of_another_version_is_told_as_one(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    """Its checksums hold, and it says what this cutover does not know: status and rollback were a KeyError."""
    run = journal_of(tmp_path, *records)
    assert run.outcome == "damaged"
    assert look._row(run)["result"] == "damaged"
    refused(lambda: Run(run.folder).records, NeedsHandsError, "journal-unknown")


@pytest.mark.parametrize("order", [(0, 0, 1), (1, 0), (0, 2), (1,)])
def test_lines_that_are_doubled_lost_or_moved_are_damage(tmp_path: Path, order: tuple[int, ...]) -> None:
    """Each line by itself holds; a swap that was done once was told twice."""
    run = journal_of(
        tmp_path, {"data": PLAN.header()}, {"kind": "done", "step": "s01"}, {"kind": "done", "step": "s02"}
    )
    lines = (run.folder / NAME).read_bytes().splitlines(keepends=True)
    (run.folder / NAME).write_bytes(b"".join(lines[n] for n in order))
    refused(lambda: Run(run.folder).records, NeedsHandsError, "journal-damaged")


def test_records_of_other_kinds_of_values_are_damage(tmp_path: Path) -> None:
    """`data` that is a list was taken, and `at` that is a number."""
    for number, record in enumerate([{"data": []}, {"at": 5}, {"step": None}, {"seq": "1"}]):
        run = journal_of(tmp_path / str(number), record)
        refused(lambda run=run: run.records, NeedsHandsError, "journal-damaged")
    run = journal_of(tmp_path / "deep", DEEP)
    refused(lambda: run.records, NeedsHandsError, "journal-damaged")


def test_every_flipped_bit_is_seen_or_means_the_same(tmp_path: Path) -> None:
    """And a file cut at any byte is a beginning of itself (tests/unit/flow/test_journal.py)."""
    written = Journal(tmp_path, FakeClock())
    written.write(Kind.DONE, "s01", ready_s=1.5, service="blue")
    written.write(Kind.RESULT, result="done")
    whole, content = Run(tmp_path).records, (tmp_path / NAME).read_bytes()
    seen = 0
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        (tmp_path / NAME).write_bytes(flipped)
        try:
            assert Run(tmp_path).records in (whole, whole[:1]), bit
        except NeedsHandsError:
            seen += 1
    assert seen > 7 * len(content)


def test_a_run_without_a_plan_cannot_be_rolled_back(tmp_path: Path) -> None:
    """It was a KeyError."""
    run = journal_of(tmp_path, {"kind": "result", "data": {"result": "done"}})
    refused(lambda: back.plan_in(run), NeedsHandsError, "journal-without-plan")
    assert list(back.intents_of(run)) == []


def test_one_damaged_run_does_not_keep_the_others_from_being_measured(tmp_path: Path) -> None:
    """The plan of the next swap was refused because of the journal of an old one."""
    journal_of(tmp_path, "nonsense")
    assert load_seconds(Runs(tmp_path, "shop")) == {}


@pytest.mark.parametrize(
    "entry",
    [
        {"copy": "../../compose.yml"},
        {"copy": "/etc/passwd"},
        {"copy": ".."},
        {"path": "a\0b"},
        {"path": ""},
        {"mode": "644"},
        {"uid": -1},
        {"sha256": None},
    ],
)
def test_a_manifest_that_leads_out_of_its_backup_is_damaged(tmp_path: Path, entry: dict[str, object]) -> None:
    """A copy could be any file of the host."""
    good = {"path": "/srv/a.yml", "copy": "00-a.yml", "sha256": "0" * 64, "mode": 420, "uid": 0, "gid": 0}
    (tmp_path / backup.MANIFEST).write_text(json.dumps({"files": [good]}))
    assert len(backup.load(tmp_path)) == 1
    (tmp_path / backup.MANIFEST).write_text(json.dumps({"files": [good | entry]}))
    refused(lambda: backup.load(tmp_path), NeedsHandsError, "backup-damaged")


@pytest.mark.parametrize("text", [DEEP, "null", '{"files": {"a": 1}}', '{"files": 7}', DIGITS])
def test_a_manifest_that_is_none_is_damaged(tmp_path: Path, text: str) -> None:
    """AttributeError and RecursionError."""
    (tmp_path / backup.MANIFEST).write_text(text)
    refused(lambda: backup.load(tmp_path), NeedsHandsError, "backup-damaged")


def test_a_copy_whose_name_is_too_long_is_damaged(tmp_path: Path) -> None:
    """An OSError."""
    file = {"path": "/a", "copy": "9" * 5000, "sha256": "0" * 64, "mode": 420, "uid": 0, "gid": 0}
    (tmp_path / backup.MANIFEST).write_text(json.dumps({"files": [file]}))
    (saved,) = backup.load(tmp_path)
    refused(saved.content, NeedsHandsError, "backup-damaged")


@pytest.mark.parametrize(
    "text", [DEEP, '{"slots": {}, "ports": [], "networks": [5], "file": "f", "project": "p"}', "[]"]
)
def test_a_record_of_the_edge_that_makes_no_sense_needs_hands(tmp_path: Path, text: str) -> None:
    """RecursionError; and names that are numbers, which failed much later."""
    folder = edge_record.edge_folder(tmp_path, "shop")
    folder.mkdir(parents=True)
    (folder / edge_record.NAME).write_text(text)
    refused(lambda: edge_record.load(tmp_path, "shop"), NeedsHandsError, "edge-record-damaged")


def test_a_note_beside_the_lock_may_be_anything(tmp_path: Path) -> None:
    """A RecursionError while somebody else holds the lock."""
    (tmp_path / "note").write_text(DEEP)
    assert "a process" in lock._who(tmp_path / "note")
