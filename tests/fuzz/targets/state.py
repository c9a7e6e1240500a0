"""What is on disk below `.cutover`: journals, manifests, the edge's record, the lock's note, test stacks."""

from __future__ import annotations

import json
import shutil
import zlib
from functools import cache
from types import SimpleNamespace

from cutover.backup import files as backup
from cutover.flow import back, edge_record, lock, look, teststack_record
from cutover.flow.journal import NAME, Journal, Kind
from cutover.flow.observed import load_seconds
from cutover.flow.runs import Run, Runs, is_canary
from tests.fuzz.target import Target, file_with, scratch, see, told
from tests.unit.flow.stage import PLAN
from tests.unit.flow.world import FakeClock

PROJECT = "shop"
RUN = "20250101T000000.000-aaaa"
HEADER = PLAN.header()


def journal(data: bytes) -> None:
    """Tell of a run whose journal is anything: status, history, recover, rollback."""
    _tell(data)


def signed(data: bytes) -> None:
    """Do the same where every line has a checksum that holds: another version of cutover wrote it."""
    _tell(b"".join(_signed(line) for line in data.split(b"\n") if line))


def _tell(data: bytes) -> None:
    folder = scratch() / "runs"
    shutil.rmtree(folder, ignore_errors=True)
    file_with(data, f"runs/.cutover/{PROJECT}/{RUN}/{NAME}")
    runs = Runs(folder, PROJECT)
    (run,) = runs.all()
    told(lambda: run.records)
    rows = [look._row(run)]
    look.history_rows(json.loads(json.dumps(rows)))
    found = _status(runs, run, rows[0])
    see(look.status_text(found), "a status without a word")
    told(lambda: load_seconds(runs))
    told(lambda: back._newest_done(runs, None, "roll back"))
    told(lambda: back.plan_in(run))
    told(lambda: list(back.intents_of(run)))
    told(lambda: back._was_closing(run))
    told(lambda: back._see_due(SimpleNamespace(settings=SimpleNamespace(retain_s=5.0), clock=FakeClock()), run))
    if not run.damaged:
        before = run.records
        told(lambda: Journal(run.folder, FakeClock()).write(Kind.UNDO, "s01"))
        see(Run(run.folder).records[:-1] == before, "a record was lost or made up")


def _status(runs: Runs, run: Run, row: dict[str, object]) -> dict[str, object]:
    done = run.outcome == "done"
    return {
        "project": PROJECT,
        "serving": [],
        "parked": [],
        "edge": None,
        "lock": None,
        "canary": is_canary(run) if done else False,
        "last_run": row,
        "unfinished": [r.id for r in runs.unfinished()],
        "can_roll_back": run.id if done else None,
        "rollback_script": look._script([run]),
        "committed": bool(run.result and run.result.get("committed")),
    }


def _signed(line: bytes) -> bytes:
    try:
        body = json.loads(line)
        body.pop("crc", None)
        crc = zlib.crc32(json.dumps(body, separators=(",", ":"), sort_keys=True).encode())
        return json.dumps({**body, "crc": crc}).encode() + b"\n"
    except (ValueError, TypeError, AttributeError, RecursionError):
        return b""


def manifest(data: bytes) -> None:
    """Load a backup whose manifest is anything; nothing outside the backup is taken for a copy."""
    path = file_with(data, "backup/manifest.json")
    saved = told(lambda: backup.load(path.parent))
    for one in saved or ():
        see(one.copy.parent == path.parent, f"{one.copy} is no copy of this backup")
        told(one.content)


def edge(data: bytes) -> None:
    """Load the record of a standing edge; what is read is what is written."""
    file_with(data, f"edges/{PROJECT}/edge/edge.json")
    state = scratch() / "edges"
    found = told(lambda: edge_record.load(state, PROJECT))
    if found is not None:
        see(
            edge_record.port_from_dict(json.loads(json.dumps(edge_record.port_as_dict(found.ports[0]))))
            if found.ports
            else 1,
            "",
        )
        json.dumps(found.as_dict())
        found.slot_of("x")


def note(data: bytes) -> None:
    """Say who holds a lock, and which test stacks there are."""
    see(lock._who(file_with(data, "note.json")), "nobody is somebody")
    file_with(data, f"stacks/.cutover/{PROJECT}/tests/blue.json")
    session = SimpleNamespace(folder=scratch() / "stacks", runs=lambda: Runs(scratch() / "stacks", PROJECT))
    told(lambda: teststack_record.all_records(session))
    told(lambda: teststack_record.recorded(session))


@cache
def _journals() -> tuple[bytes, ...]:
    folder = scratch() / "good"
    folder.mkdir(exist_ok=True)
    written = Journal(folder, FakeClock())
    written.write(Kind.PLAN, **HEADER)
    seeds = [(folder / NAME).read_bytes()]
    for kind, step, data in (
        (Kind.INTENT, "s01", {"prior": {"line": "a\nb"}, "kind": "backup", "resource": "files"}),
        (Kind.DONE, "s01", {"ready_s": 1.5, "service": "blue"}),
        (Kind.FAILED, "s02", {"error": "x"}),
        (Kind.UNDONE, "s01", {}),
        (Kind.RESULT, "", {"result": "done", "stall_measured_s": 0.2, "committed": False}),
    ):
        written.write(kind, step, **data)
    return (*seeds, (folder / NAME).read_bytes())


MANIFEST = json.dumps(
    {
        "files": [
            {"path": "/srv/compose.yml", "copy": "00-compose.yml", "sha256": "0" * 64, "mode": 420, "uid": 0, "gid": 0}
        ]
    }
).encode()
EDGE = json.dumps(
    {
        "project": PROJECT, "generation": 2, "image": "cutover-edge:1", "file": "/srv/overrides/e.yml", "networks": ["n"],
        "ports": [{"port": 80, "mode": "http", "bindings": [["", 80, "tcp"]], "check_path": "/health"}],
        "slots": {"a": {"service": "g", "container": "g-1", "id": "0" * 64, "targets": {"80": 8080}}},
    }
).encode()  # fmt: skip
NOTE = b'{"pid": 7, "since": "2025-01-01T00:00:00+00:00", "command": ["swap"]}'
JSON = (
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"1e999",
    b"9" * 5000,
    b"[" * 5000,
    b"\\u0000",
    b"\\ud800",
    b"../",
    b"/etc/passwd",
    b"\n",
    b"\0",
    b"true",
)
KEYS = (
    b'"kind":"',
    b'"plan"',
    b'"result"',
    b'"intent"',
    b'"seq":',
    b'"data":',
    b'"crc":',
    b'"moves":',
    b'"steps":',
    b'"edge":',
)
TARGETS = (
    Target("journal", journal, _journals, (*JSON, *KEYS)),
    Target("journal-signed", signed, _journals, (*JSON, *KEYS)),
    Target("manifest", manifest, lambda: (MANIFEST,), JSON),
    Target("edge-record", edge, lambda: (EDGE,), JSON),
    Target("lock-note", note, lambda: (NOTE,), JSON),
)
