"""A backup gives back the same bytes, mode and owner, or nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.backup.files import MANIFEST, load, restore, save
from cutover.errors import ExitCode, NeedsHandsError
from cutover.files import read_state

COMPOSE = b"\xef\xbb\xbfservices:\r\n  a: {image: x}  # \xfc\r\n"


@pytest.fixture
def compose(tmp_path: Path) -> Path:
    """Give a file with BOM, CRLF, a byte that is no UTF-8, and an unusual mode."""
    path = tmp_path / "compose.yaml"
    path.write_bytes(COMPOSE)
    path.chmod(0o640)
    return path


def test_a_file_comes_back_as_it_was(tmp_path: Path, compose: Path) -> None:
    """Bytes and mode, after both were changed."""
    before = read_state(compose)
    save([compose], tmp_path / "run" / "files")
    compose.write_bytes(b"changed")
    compose.chmod(0o600)
    (saved,) = load(tmp_path / "run" / "files")
    restore(saved)
    assert read_state(compose) == before
    assert before[0] == COMPOSE


def test_a_file_that_was_removed_comes_back(tmp_path: Path, compose: Path) -> None:
    """With its mode."""
    before = read_state(compose)
    (saved,) = save([compose], tmp_path / "files")
    compose.unlink()
    restore(saved)
    assert read_state(compose) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_comes_back_too(tmp_path: Path, compose: Path) -> None:
    """A restore by root does not leave root's files in a user's project."""
    os.chown(compose, 4242, 4343)
    (saved,) = save([compose], tmp_path / "files")
    compose.unlink()
    restore(saved)
    assert (compose.stat().st_uid, compose.stat().st_gid, stat.S_IMODE(compose.stat().st_mode)) == (4242, 4343, 0o640)


def test_what_is_as_it_was_is_not_written(tmp_path: Path, compose: Path) -> None:
    """The file keeps its inode and its time."""
    (saved,) = save([compose], tmp_path / "files")
    before = compose.stat()
    restore(saved)
    assert (compose.stat().st_ino, compose.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@settings(max_examples=25, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_survive(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """The copy is no text."""
    folder = tmp_path_factory.mktemp("any")
    (folder / "f").write_bytes(content)
    save([folder / "f"], folder / "files")
    (folder / "f").write_bytes(b"changed" + content)
    restore(load(folder / "files")[0])
    assert (folder / "f").read_bytes() == content


def test_files_of_the_same_name_do_not_meet(tmp_path: Path) -> None:
    """Two folders, two `compose.yaml`."""
    paths = [tmp_path / name / "compose.yaml" for name in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(path.parent.name)
    save(paths, tmp_path / "files")
    assert [(s.path, s.content()) for s in load(tmp_path / "files")] == [(paths[0], b"a"), (paths[1], b"b")]


def test_a_backup_is_for_its_owner_only(tmp_path: Path, compose: Path) -> None:
    """Compose files and `.env` may hold secrets, whatever mode they have."""
    compose.chmod(0o644)
    folder = tmp_path / "files"
    save([compose], folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}


def test_no_manifest_means_no_backup(tmp_path: Path, compose: Path) -> None:
    """It is written last: a crash before it leaves copies that nobody believes."""
    save([compose], tmp_path / "files")
    (tmp_path / "files" / MANIFEST).unlink()
    assert load(tmp_path / "files") == []
    assert load(tmp_path / "never") == []


@pytest.mark.parametrize("damage", [b"", COMPOSE[:-1], COMPOSE + b" ", None])
def test_a_damaged_copy_is_not_restored(tmp_path: Path, compose: Path, damage: bytes | None) -> None:
    """The file is left as it is, and a person is asked."""
    save([compose], tmp_path / "files")
    (saved,) = load(tmp_path / "files")
    if damage is None:
        saved.copy.unlink()
    else:
        saved.copy.write_bytes(damage)
    compose.write_bytes(b"changed")
    with pytest.raises(NeedsHandsError) as caught:
        restore(saved)
    assert (caught.value.reference, caught.value.exit_code) == ("backup-damaged", ExitCode.NEEDS_HANDS)
    assert compose.read_bytes() == b"changed"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"files": [{"path": "/x"}]}', '{"files": 7}', "\udcff"])
def test_a_damaged_manifest_is_told(tmp_path: Path, content: str) -> None:
    """In our words, with where the copies are."""
    (tmp_path / MANIFEST).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(NeedsHandsError) as caught:
        load(tmp_path)
    assert caught.value.reference == "backup-damaged"
    assert str(tmp_path) in (caught.value.hint or "")
