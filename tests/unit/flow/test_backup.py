"""Backups as the flow sees them: which are pruned, which runs they serve, what a crash left, and where a project is."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from cutover.backup.archive import Archive, Draft, archives
from cutover.backup.manifest import Manifest
from cutover.backup.volumes import VolumeFacts
from cutover.config.backup import Keep
from cutover.errors import RefusedError, UsageError
from cutover.events import Event
from cutover.flow.backup import Pruned, _with_unfinished, prune, pruned_after, standing_on, told_of
from cutover.flow.backup_make import Chosen, Wanted, _see_room, size_text
from cutover.flow.backup_place import placed
from cutover.flow.backup_plan import Selection
from cutover.flow.backup_restore import BEFORE, _see_project, chosen, cut_short
from cutover.flow.backup_underway import Underway, forget, write_down
from cutover.flow.backup_writers import Hold
from cutover.flow.request import Options
from cutover.flow.runs import BACKUPS, Runs
from tests.unit.flow.test_runs import run_of

START = datetime(2026, 3, 1, tzinfo=UTC)
DONE, CRASHED, BACK = "plan +s01 s01 =done", "plan +s01", "plan +s01 failed -s01 --s01 =rolled_back"
ONE = Keep(last=1, daily=0, weekly=0, monthly=0)


def id_of(day: int) -> str:
    """Return the ID of a run or a backup of that day."""
    return f"202603{day:02}T000000.000-abcd"


def made(runs: Runs, day: int, why: str = "on demand") -> Archive:
    """Make a backup of that day."""
    draft = Draft(runs.folder / BACKUPS / id_of(day))
    facts = {"cutover": "0", "id": id_of(day), "made": START + timedelta(days=day), "why": why}
    return draft.finish(Manifest.model_validate({**facts, "project": "shop", "folder": str(runs.state.parent)}))


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Give a project without runs."""
    return Runs(tmp_path, "shop")


def test_the_backups_are_no_runs(runs: Runs) -> None:
    """Beside each other in one folder."""
    run_of(runs.folder / id_of(1), DONE)
    made(runs, 1)
    assert [r.id for r in runs.all()] == [id_of(1)]


def test_what_can_be_rolled_back_keeps_its_backup(runs: Runs) -> None:
    """The last three that are done, and one that was cut short; what went back by itself does not count."""
    for day, script in enumerate([DONE, DONE, BACK, DONE, DONE, CRASHED], start=1):
        run_of(runs.folder / id_of(day), script)
        made(runs, day)
    assert standing_on(runs) == {id_of(d) for d in (2, 4, 5, 6)}
    assert prune(runs, ONE).removed == (id_of(1), id_of(3))
    assert [a.id for a in archives(runs.folder / BACKUPS)] == [id_of(d) for d in (2, 4, 5, 6)]


def test_what_somebody_needs_stays(runs: Runs) -> None:
    """The one just made, though others are of the future by a clock that was wrong; and those of an open restore."""
    for day in (1, 2, 3, 9):
        made(runs, day)
    write_down(runs.folder / BACKUPS, Underway(str(runs.folder / BACKUPS / id_of(2)), (id_of(3),)))
    assert prune(runs, ONE, id_of(1)).removed == ()
    forget(runs.folder / BACKUPS)
    assert prune(runs, ONE, id_of(1)).removed == (id_of(2), id_of(3))


def test_halves_go_and_damaged_ones_stay(runs: Runs) -> None:
    """A person has to look at those; a dry run removes nothing."""
    half, damaged = made(runs, 1), made(runs, 2)
    made(runs, 3)
    (half.folder / "manifest.json").unlink()
    (damaged.folder / "manifest.json").write_text("{")
    expected = Pruned((), (id_of(1),))
    assert prune(runs, None, dry=True) == expected
    assert half.folder.exists()
    assert prune(runs, ONE) == expected
    assert not half.folder.exists()
    assert [told_of(a)["standing"] for a in archives(runs.folder / BACKUPS)] == ["damaged", "whole"]


def test_one_that_was_read_back_and_is_damaged_is_not_counted(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays, and the newest sound one does, too; that is the one which is restored, and it is told why."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COMPOSE_FILE", raising=False)
    for day in (1, 2, 3):
        made(runs, day)
    found = archives(runs.folder / BACKUPS)
    found[2].mark_verified("2026-03-04T00:00:00+00:00", good=False)
    told: list[Event] = []
    with placed(Options(project="shop"), SimpleNamespace(tell=told.append)) as place:
        assert chosen(place, None).id == id_of(2)
    assert "is damaged" in str(told[0])
    assert prune(runs, ONE).removed == (id_of(1),)
    assert [a.id for a in archives(runs.folder / BACKUPS)] == [id_of(2), id_of(3)]


def test_what_cannot_be_removed_is_told(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backup that was made is good without."""

    def refuse(self: Archive) -> None:
        raise OSError("read-only")

    made(runs, 1)
    made(runs, 2)
    monkeypatch.setattr(Archive, "remove", refuse)
    told: list[str] = []
    assert pruned_after(runs, ONE, told.append) == Pruned()
    assert "read-only" in told[0]


def test_a_run_that_was_cut_short(runs: Runs) -> None:
    """A copy may be made of what it left, which says so; nobody is held for it."""
    assert _with_unfinished(runs, Wanted("w")) == Wanted("w")
    run_of(runs.folder / id_of(1), CRASHED)
    assert id_of(1) in _with_unfinished(runs, Wanted("w")).warnings[0]
    with pytest.raises(RefusedError) as caught:
        _with_unfinished(runs, Wanted("w", hold=Hold.STOP))
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("cutover recover")


def test_the_room_is_looked_at(tmp_path: Path) -> None:
    """With the sizes as evidence, and where else it could go."""
    huge = Chosen("data", VolumeFacts("shop_data", True, used_bytes=10**18))
    with pytest.raises(RefusedError) as caught:
        _see_room(tmp_path / "b" / "c", [huge], 0)
    assert caught.value.evidence == ("shop_data: 1000000.0 TB",)
    assert "--to" in (caught.value.hint or "")
    _see_room(tmp_path / "b", [], 0)


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (5_368_709_120, "5.4 GB")])
def test_sizes_as_people_read_them(size: int, text: str) -> None:
    """Powers of a thousand, as `ls -l --si`."""
    assert size_text(size) == text


def test_a_project_in_ruins_is_found(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compose file, from a folder below, by the backups that there are; two projects must be told apart."""
    made(runs, 1)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.delenv("COMPOSE_FILE", raising=False)
    (tmp_path / "cutover.yaml").write_text("broken: [")
    with placed(Options()) as place:
        assert (place.folder, place.project) == (tmp_path, "shop")
        with pytest.raises(UsageError):  # which ones to keep is written there
            place.see_settings()
    Runs(tmp_path, "other").folder.joinpath(BACKUPS).mkdir(parents=True)
    with pytest.raises(UsageError, match="Several projects"), placed(Options()):
        pass
    with placed(Options(project="other")) as place:
        assert place.backups == tmp_path / ".cutover" / "other" / BACKUPS


def test_which_backup_is_meant(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest whole one, but for those that a restore took; else what a restore was cut short of."""
    first = made(runs, 1)
    made(runs, 2, why=f"{BEFORE}{first.id}")
    half = made(runs, 3)
    (half.folder / "manifest.json").unlink()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COMPOSE_FILE", raising=False)
    with placed(Options(project="shop")) as place:
        assert chosen(place, None) == first
        assert chosen(place, id_of(2)).id == id_of(2)
        assert cut_short(place) is None
        note = place.backups / "restoring.json"
        note.write_text(f'{{"archive": "{half.folder}", "rescues": [], "volumes": {{}}}}')
        assert chosen(place, None) == half
        note.write_text("{")
        assert chosen(place, None) == first


@pytest.mark.parametrize(
    ("selection", "allowed"),
    [
        (Selection(), False),
        (Selection(into=Path("/x"), volumes=False), True),
        (Selection(into=Path("/x")), False),
        (Selection(into=Path("/x"), volume_as={"data": "other"}), True),
        (Selection(files=False, volume_as={"data": "other"}), True),
        (Selection(files=False, volumes=("shop_data",), volume_as={"other": "x"}), False),
        (Selection(volume_as={"data": "other"}), False),
    ],
)
def test_another_projects_backup_fills_nothing_of_this_one(tmp_path: Path, selection: Selection, allowed: bool) -> None:
    """Its files go elsewhere, its volumes under other names."""
    stored = {"file": "volumes/x", "sha256": "0" * 64, "stored_bytes": 1, "content_bytes": 2}
    data = {"key": "data", "volume": "shop_data", "as_of": START, "stored": stored}
    facts = {"cutover": "0", "id": id_of(1), "made": START, "why": "w", "project": "shop", "folder": "/srv"}
    manifest = Manifest.model_validate({**facts, "volumes": [data]})
    place = SimpleNamespace(project="mine")
    with contextlib.nullcontext() if allowed else pytest.raises(RefusedError, match="is of project shop"):
        _see_project(place, Archive(tmp_path), manifest, selection)  # type: ignore[arg-type]


def test_without_any_the_next_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COMPOSE_FILE", raising=False)
    with placed(Options(project="shop")) as place, pytest.raises(UsageError) as caught:
        chosen(place, None)
    assert caught.value.hint == "cutover backup"
