"""From moves to edited files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cutover.edge.shape import Slot
from cutover.errors import EditRefusedError
from cutover.files import FileState, sha256
from cutover.flow.edge_plan import EdgePlan
from cutover.flow.edits import Edited, edits_of, moved_back, shown
from cutover.flow.observed import SourceFile
from cutover.flow.plan import Move, Plan
from cutover.model import PortBinding
from tests.unit.flow.stage import PLAN
from tests.unit.flow.world import asked, observed

GREEN = b'services:\n  old:\n    image: g\n    ports:\n      - "5570:5570"  # zmq\n      - "6570:6570"\n'
BLUE = b"services:\n  new:\n    image: b\n"
MOVES = (Move(PortBinding("", 5570, 5570), 9901),)
ADOPTING = EdgePlan(adopt=True, redirect=True, generation=1, image="edge:1", networks=(), ports=(), green_slot=Slot.A)


def edited(contents: dict[Path, bytes], edge: EdgePlan | None = None, **request: str | bool) -> Edited:
    """Return what a swap makes of these files."""
    files = tuple(SourceFile(p, c, FileState(sha256(c), 0o644, 0, 0), writable=True) for p, c in contents.items())
    return edits_of(observed(files=files), asked(**request), MOVES, edge)


def test_paths_are_shown_as_a_person_would_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative below the current folder, whole elsewhere."""
    here = tmp_path / "shop"
    here.mkdir()
    monkeypatch.chdir(here)
    assert shown(here / "compose.yaml") == "compose.yaml"
    assert shown(here / "sub" / "compose.yaml") == "sub/compose.yaml"
    assert shown(tmp_path / "compose.yaml") == str(tmp_path / "compose.yaml")


def test_two_files_are_edited_and_the_third_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each edit knows the bytes before and after by their checksums; nothing is written."""
    monkeypatch.chdir(tmp_path)
    a, b, c = (tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml"))
    edits = edited({a: GREEN, b: BLUE, c: b"services: {}\n"}).files
    moved = {
        a: (GREEN, GREEN.replace(b'      - "5570:5570"  # zmq\n', b"")),
        b: (BLUE, BLUE + b'    ports:\n      - "5570:9901"  # zmq\n'),
    }
    assert {e.path: e.after for e in edits} == {path: after for path, (_, after) in moved.items()}
    assert [(e.before_sha256, e.after_sha256) for e in edits] == [(sha256(x), sha256(y)) for x, y in moved.values()]
    assert '-      - "5570:5570"  # zmq' in edits[0].diff
    assert "b/b.yaml" in edits[1].diff
    assert list(tmp_path.iterdir()) == []


def test_only_the_ports_of_the_plan_move() -> None:
    """The other one stays with green."""
    (edit,) = edited({Path("/srv/x.yaml"): GREEN + BLUE.partition(b"\n")[2]}).files
    assert b'"6570:6570"\n  new:' in edit.after


def test_a_refusal_names_the_file_as_a_person_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File and line."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EditRefusedError) as caught:
        edited({tmp_path / "a.yaml": GREEN, tmp_path / "b.yaml": b"services: {}\n"})
    assert caught.value.reference == "service-unknown"
    assert str(tmp_path) not in caught.value.message


def test_the_ports_go_back_and_what_others_edited_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file was edited by somebody else since the swap."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "compose.yaml"
    both = GREEN.replace(b'      - "6570:6570"\n', b"") + BLUE.partition(b"\n")[2]
    forth = edited({path: both})
    path.write_bytes(forth.files[0].after + b"# a line of somebody else\n")
    (back,) = moved_back(replace(PLAN, inverses=forth.inverses), (path,), {})
    assert back.after == both + b"# a line of somebody else\n"


def test_a_journal_of_before_the_edge_goes_back_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no inverses: the moves say what they were."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "compose.yaml"
    both = GREEN.replace(b'      - "6570:6570"\n', b"") + BLUE.partition(b"\n")[2]
    path.write_bytes(edited({path: both}).files[0].after + b"# a line of somebody else\n")
    header = replace(PLAN, moves=MOVES).header()
    del header["inverses"]
    (back,) = moved_back(Plan.from_header(header), (path,), {})
    assert back.after == both + b"# a line of somebody else\n"


def test_the_edge_takes_the_ports_from_green_and_blue_gets_none(tmp_path: Path) -> None:
    """And with an image for the service, both edits are one; they go back together."""
    path = tmp_path / "compose.yaml"
    forth = edited({path: GREEN}, ADOPTING, rolls=True, image="g:2", blue="old")
    after = forth.files[0].after
    assert after == b'services:\n  old:\n    image: g:2\n    ports:\n      - "6570:6570"\n'
    path.write_bytes(after + b"# a line of somebody else\n")
    (back,) = moved_back(replace(PLAN, inverses=forth.inverses), (path,), {})
    assert back.after == GREEN + b"# a line of somebody else\n"


def test_a_swap_on_a_standing_edge_edits_nothing(tmp_path: Path) -> None:
    """The ports are the edge's already."""
    assert edited({tmp_path / "compose.yaml": GREEN}, replace(ADOPTING, adopt=False)) == Edited()
