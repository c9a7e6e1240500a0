"""Files that a crash, a full disk or another writer leaves old or new, never half."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from pathlib import Path
from typing import Any

import pytest

from cutover.errors import FileChangedError, RefusedError
from cutover.files import (
    private_folder,
    read_state,
    replace_if_unchanged,
    sha256,
    sweep,
    temporary_file,
    write_atomic,
)

NOBODY = 0xFFFFFFFF


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file with an unusual mode."""
    path = tmp_path / "compose.yaml"
    path.write_bytes(b"old")
    path.chmod(0o664)
    return path


def mode(path: Path) -> int:
    """Return permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_content_is_replaced_and_the_mode_kept(file: Path) -> None:
    """And nothing else is left in the folder."""
    write_atomic(file, b"new")
    assert (file.read_bytes(), mode(file)) == (b"new", 0o664)
    assert list(file.parent.iterdir()) == [file]


def test_a_new_file_is_for_its_owner_only_unless_said_otherwise(tmp_path: Path) -> None:
    """What it holds may be secret."""
    write_atomic(tmp_path / "a", b"")
    write_atomic(tmp_path / "b", b"", mode=0o644)
    assert (mode(tmp_path / "a"), mode(tmp_path / "b")) == (0o600, 0o644)


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    """What it leads to is replaced, in its own folder."""
    (tmp_path / "sub").mkdir()
    link = tmp_path / "sub" / "link.yaml"
    link.symlink_to("../compose.yaml")
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert (file.read_bytes(), mode(file)) == (b"new", 0o664)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_is_kept(file: Path) -> None:
    """Root's cutover does not take a user's file from them."""
    os.chown(file, 4242, 4343)
    write_atomic(file, b"new")
    assert (file.stat().st_uid, file.stat().st_gid, mode(file)) == (4242, 4343, 0o664)


def test_attributes_are_kept(file: Path) -> None:
    """A rename would lose them: ACLs, SELinux labels, and what programs write beside a file."""
    try:
        os.setxattr(file, "user.origin", b"here")
    except OSError:
        pytest.skip("no extended attributes on this file system")
    write_atomic(file, b"new")
    assert (os.getxattr(file, "user.origin"), file.read_bytes()) == (b"here", b"new")


def test_an_access_list_is_kept(file: Path) -> None:
    """Who may read the file besides its owner and group is a part of it: user 4242 may."""
    entries = ((0x01, 6, NOBODY), (0x02, 4, 4242), (0x04, 4, NOBODY), (0x10, 6, NOBODY), (0x20, 4, NOBODY))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(file, "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("no access lists on this file system")
    before = (os.getxattr(file, "system.posix_acl_access"), mode(file))
    write_atomic(file, b"new")
    assert (os.getxattr(file, "system.posix_acl_access"), mode(file)) == before


def test_another_name_of_the_file_keeps_the_old_content(file: Path) -> None:
    """What is replaced whole is replaced under one name."""
    other = file.with_name("other")
    other.hardlink_to(file)
    write_atomic(file, b"new")
    assert (file.read_bytes(), other.read_bytes()) == (b"new", b"old")


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    """Root's cutover would put a file in the place of a device."""
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(OSError, match=f"it is a {kind}, not a file"):
        write_atomic(path, b"new")
    assert not Path("/dev/null").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_nobody_elses_link_is_written_through(tmp_path: Path) -> None:
    """A file that is not there yet, in a folder that is open to all: the kernel guards `open`, and not our rename."""
    tmp_path.chmod(0o1777)
    (tmp_path / "overrides").mkdir()
    (tmp_path / "overrides").chmod(0o1777)
    link = tmp_path / "overrides" / "edge.yml"
    link.symlink_to(tmp_path / "cron")
    os.chown(link, 4242, 4242, follow_symlinks=False)
    with pytest.raises(OSError, match="another user"):
        write_atomic(link, b"* * * * * root rm -rf /")
    assert not (tmp_path / "cron").exists()


@pytest.mark.parametrize("where", ["fsync", "fchmod", "replace"])
def test_a_write_that_fails_leaves_the_old_content(file: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it fails, with no temporary file behind it."""

    def full(*_args: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path if where == "replace" else os, where, full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


def test_content_and_folder_reach_the_disk_in_order(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content, rename, folder: else a power cut may leave an empty file under the name."""
    order: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "content")
        real_fsync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        order.append("rename")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    write_atomic(file, b"new")
    assert order == ["content", "rename", "folder"]


def test_only_known_bytes_are_written_over(file: Path) -> None:
    """What somebody else wrote meanwhile stays."""
    replace_if_unchanged(file, b"new", expected_sha256=sha256(b"old"))
    assert file.read_bytes() == b"new"
    with pytest.raises(FileChangedError) as caught:
        replace_if_unchanged(file, b"newer", expected_sha256=sha256(b"old"))
    assert file.read_bytes() == b"new"
    assert caught.value.reference == "file-changed"
    assert caught.value.evidence == (f"expected SHA-256 {sha256(b'old')}", f"found SHA-256    {sha256(b'new')}")


def test_an_edit_while_the_new_bytes_go_to_the_disk_is_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk takes a second for that; the temporary file is gone."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        file.write_bytes(b"by hand")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(FileChangedError):
        replace_if_unchanged(file, b"new", expected_sha256=sha256(b"old"))
    assert [p.read_bytes() for p in file.parent.iterdir()] == [b"by hand"]


def test_a_state_is_what_the_file_is(file: Path) -> None:
    """Bytes, mode and owner in one go."""
    content, state = read_state(file)
    assert content == b"old"
    assert state.as_dict() == {"sha256": sha256(b"old"), "mode": 0o664, "uid": os.getuid(), "gid": os.getgid()}


def test_a_private_folder_is_its_owners_own(tmp_path: Path) -> None:
    """Made once, and found again."""
    for _ in range(2):
        assert mode(private_folder(tmp_path / "a" / "b")) == 0o700


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_a_private_folder_is_private_whatever_the_umask_is(tmp_path: Path, umask: int) -> None:
    """With the folders above that it lacked; one that was made wider before is made private again."""
    wide = tmp_path / "wide"
    wide.mkdir()
    wide.chmod(0o777)
    before = os.umask(umask)
    try:
        private_folder(tmp_path / "a" / "b" / "c")
        private_folder(wide)
        write_atomic(wide / "file", b"")
    finally:
        os.umask(before)
    assert {mode(p) for p in (tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c", wide)} == {0o700}
    assert mode(wide / "file") == 0o600


def test_a_folder_that_cannot_be_made_is_refused(file: Path) -> None:
    """With what it is for, and what to do."""
    with pytest.raises(RefusedError, match="keeps its journal and backups") as caught:
        private_folder(file / "state")
    assert caught.value.reference == "state-not-writable"
    assert str(file) in (caught.value.hint or "")


def test_what_a_dead_process_left_half_written_is_swept_away(file: Path) -> None:
    """And nothing else: not what somebody writes just now, not what only looks like it."""
    folder = file.parent
    child = os.fork()
    if child == 0:
        temporary_file(file)
        os._exit(0)
    os.waitpid(child, 0)
    dead = set(folder.glob(".*.cutover-tmp"))
    descriptor, alive = temporary_file(file)
    (folder / "notes.cutover-tmp").write_text("mine")
    (folder / ".link.cutover-tmp").symlink_to(file)
    try:
        assert set(sweep(folder)) == dead
        assert len(dead) == 1
        assert alive.exists()
        assert {p.name for p in folder.iterdir()} >= {"notes.cutover-tmp", ".link.cutover-tmp", file.name}
    finally:
        os.close(descriptor)


def test_a_new_file_that_was_swept_away_is_made_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweeper comes between its making and its lock."""
    real, taken = fcntl.flock, []

    def late(descriptor: int, how: int) -> None:
        if not taken:
            taken.extend(file.parent.glob(".*.cutover-tmp"))
            taken[0].unlink()
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    write_atomic(file, b"new")
    assert file.read_bytes() == b"new"
    assert len(taken) == 1
