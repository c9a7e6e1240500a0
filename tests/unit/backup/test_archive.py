"""An archive on disk: whole, half, damaged; read back; removed so that a crash leaves nothing that looks whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cutover.backup.archive import CONFIG, Archive, Draft, Standing, archives, named
from cutover.backup.manifest import Kind, Manifest
from cutover.errors import RefusedError, UsageError

ID = "20260301T120000.000-abcd"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def manifest(**more: object) -> Manifest:
    """Return what a draft's manifest says, but for its files."""
    plain = {"cutover": "0", "id": ID, "made": NOW, "why": "w", "project": "shop", "folder": "/srv/shop"}
    return Manifest.model_validate({**plain, **more})


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Give a whole archive of one file and a model."""
    own = tmp_path / "compose.yaml"
    own.write_text("services: {}\n")
    own.chmod(0o640)
    draft = Draft(tmp_path / "backups" / ID)
    draft.add_file(own)
    draft.add_content(Kind.CONFIG, CONFIG, b"{}")
    return draft.finish(manifest())


def test_a_whole_one(archive: Archive, tmp_path: Path) -> None:
    """It gives back bytes and mode, for the owner only, and nothing is wrong with it."""
    assert archive.standing is Standing.WHOLE
    first, model = archive.manifest.payloads
    assert archive.saved(first).content() == b"services: {}\n"
    assert (first.name, first.mode, model.name) == (str(tmp_path / "compose.yaml"), 0o640, CONFIG)
    assert [*archive.problems(), *archive.content_problems(bytes)] == []
    assert {p.stat().st_mode & 0o077 for p in [archive.folder, *archive.folder.rglob("*")]} == {0}
    assert archive.verified is None
    archive.mark_verified("2026-03-02T00:00:00+00:00", good=True)
    assert archive.verified == "2026-03-02T00:00:00+00:00"
    archive.mark_verified("2026-03-03T00:00:00+00:00", good=False)
    assert (archive.verified, archive.standing) == (None, Standing.DAMAGED)
    (archive.folder / "verified.json").write_text("[3]")
    assert (archive.verified, archive.standing) == (None, Standing.WHOLE)


def test_a_damaged_copy_is_told(archive: Archive) -> None:
    """Changed or gone."""
    first, model = archive.manifest.payloads
    (archive.folder / first.file).write_text("services: {x}\n")
    (archive.folder / model.file).unlink()
    told = list(archive.problems())
    assert [line.partition(" ")[0] for line in told] == [first.file, f"{model.file}:"]
    assert len(list(archive.content_problems(bytes))) == 2


def test_half_of_one_is_incomplete(tmp_path: Path) -> None:
    """Its manifest is written last; what is discarded leaves nothing."""
    draft = Draft(tmp_path / ID)
    draft.add_content(Kind.CONFIG, CONFIG, b"{}")
    half = Archive(draft.folder)
    assert half.standing is Standing.INCOMPLETE
    with pytest.raises(RefusedError, match="cut short"):
        half.manifest  # noqa: B018
    draft.discard()
    assert not draft.folder.exists()


def test_an_archive_is_never_made_over_another(archive: Archive) -> None:
    """The folder is there already."""
    with pytest.raises(RefusedError, match="exists already"):
        Draft(archive.folder)


def test_only_what_is_ours_is_listed(archive: Archive, tmp_path: Path) -> None:
    """By its name, a folder, no link; a note or somebody's own folder is none."""
    backups = archive.folder.parent
    (backups / "mine").mkdir()
    (backups / "20260301T120000.000-zzzz").mkdir()
    (backups / "20260302T120000.000-abcd").symlink_to(tmp_path)
    (backups / "held.json").write_text("{}")
    (backups / "20260303T120000.000-abcd").write_text("")
    assert [a.id for a in archives(backups)] == [ID]
    assert archives(tmp_path / "nowhere") == []


def test_one_is_found_by_id_or_folder(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the same name elsewhere is another one."""
    backups = archive.folder.parent
    assert named(backups, ID) == archive
    assert named(tmp_path / "nowhere", str(archive.folder)) == archive
    with pytest.raises(UsageError, match="no backup '2026'"):
        named(backups, "2026")


def test_removing_one_leaves_no_whole_one(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash in the middle: the manifest is gone first."""
    monkeypatch.setattr("cutover.backup.archive.shutil.rmtree", lambda path: None)
    archive.remove()
    assert Archive(archive.folder).standing is Standing.INCOMPLETE
    monkeypatch.undo()
    Archive(archive.folder).remove()
    assert not archive.folder.exists()


def test_what_is_sealed_is_read_back_with_the_key(tmp_path: Path) -> None:
    """As stored without it, the content with it."""
    draft = Draft(tmp_path / ID, lambda content: content[::-1])
    draft.add_content(Kind.CONFIG, CONFIG, b'{"a": 1}')
    sealed = draft.finish(manifest(sealed="age"))
    assert list(sealed.problems()) == []
    assert len(list(sealed.content_problems(bytes))) == 1
    assert list(sealed.content_problems(lambda content: content[::-1])) == []
