"""Whose folders and links are believed, with real files; what takes another user is tried as root only."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cutover.errors import RefusedError
from cutover.trust import followed, may_replace, open_file, read_file, see_state_ours

OTHER = 4242
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def open_to_all(tmp_path: Path) -> Path:
    """Give a folder like /tmp."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "socket"])
def test_what_is_no_file_is_not_read(tmp_path: Path, kind: str) -> None:
    """At once: reading a pipe would wait for ever, and a device may have no end."""
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        os.mknod(path, 0o140600)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(OSError) as caught:  # noqa: PT011  (its words are compared below)
        read_file(path)
    assert f"a {kind}" in (caught.value.strerror or "") or caught.value.errno == errno.ENXIO


def test_a_file_is_read(tmp_path: Path) -> None:
    """Through a link as well."""
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "b").symlink_to("a")
    assert read_file(tmp_path / "b") == b"text"
    with open_file(tmp_path / "a") as file:
        assert file.read() == b"text"


def test_where_a_path_leads(tmp_path: Path) -> None:
    """As the system itself has it: links of folders and files, absolute and relative, `..`, and what is not there."""
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "real" / "file").touch()
    (tmp_path / "folder").symlink_to("real/deep")
    (tmp_path / "up").symlink_to("folder/../file")
    (tmp_path / "away").symlink_to(tmp_path / "real" / "file")
    (tmp_path / "dangling").symlink_to("real/new")
    for name in ("up", "away", "dangling", "folder/x", "folder/../file", "nowhere/x", "real/deep/../file"):
        assert followed(tmp_path / name) == Path(os.path.realpath(tmp_path / name)), name


def test_links_that_go_round_come_to_an_end(tmp_path: Path) -> None:
    """As an error of the system, which every verb tells."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        followed(tmp_path / "a")


@root_only
@pytest.mark.parametrize("what", ["x", "x/inside"])
def test_somebody_elses_link_in_an_open_folder_is_not_followed(open_to_all: Path, tmp_path: Path, what: str) -> None:
    """Else anybody could have root write into /etc/cron.d, by a link where a file is about to be made."""
    (tmp_path / "target").mkdir()
    (open_to_all / "x").symlink_to(tmp_path / "target")
    assert followed(open_to_all / what).parts[-1] in {"target", "inside"}
    os.chown(open_to_all / "x", OTHER, OTHER, follow_symlinks=False)
    with pytest.raises(OSError, match="another user"):
        followed(open_to_all / what)
    os.chown(open_to_all, OTHER, OTHER)  # the folder's own owner may do there as he likes
    assert followed(open_to_all / what)


@root_only
def test_a_state_folder_of_somebody_else_is_not_believed(open_to_all: Path) -> None:
    """Its journals say what to undo, and its saved files are written back: whoever plants one writes any file."""
    state = open_to_all / ".cutover"
    see_state_ours(state)
    state.mkdir()
    see_state_ours(state)
    os.chown(state, OTHER, OTHER)
    with pytest.raises(RefusedError, match="it belongs to user 4242") as caught:
        see_state_ours(state)
    assert caught.value.reference == "state-not-ours"
    os.chown(open_to_all, OTHER, OTHER)  # the project's own owner: he writes the compose file, too
    see_state_ours(state)


@root_only
def test_a_link_to_a_state_folder_has_to_be_ours_as_well(open_to_all: Path, tmp_path: Path) -> None:
    """On another disk it may lie; where somebody else's link leads to, or ours into his folder, it may not."""
    (tmp_path / "elsewhere").mkdir()
    state = open_to_all / ".cutover"
    state.symlink_to(tmp_path / "elsewhere")
    see_state_ours(state)
    os.chown(state, OTHER, OTHER, follow_symlinks=False)
    with pytest.raises(RefusedError):
        see_state_ours(state)
    os.chown(state, 0, 0, follow_symlinks=False)
    os.chown(tmp_path / "elsewhere", OTHER, OTHER)
    with pytest.raises(RefusedError):
        see_state_ours(state)


@root_only
def test_what_others_put_into_a_folder_that_was_open_for_a_while(tmp_path: Path) -> None:
    """A umask of 0 is mended in silence, but not what came of it."""
    state = tmp_path / ".cutover"
    run = state / "shop" / "run"
    run.mkdir(parents=True)
    state.chmod(0o777)
    see_state_ours(state)
    os.chown(run, OTHER, OTHER)
    with pytest.raises(RefusedError, match="others could write into it, and did") as caught:
        see_state_ours(state)
    assert caught.value.evidence == (f"{run} belongs to user {OTHER}",)


@pytest.mark.parametrize("what", ["file", "dangling", "loop", "pipe"])
def test_what_stands_in_the_place_of_the_state_folder(tmp_path: Path, what: str) -> None:
    """Is named."""
    state = tmp_path / ".cutover"
    if what == "file":
        state.touch()
    elif what == "pipe":
        os.mkfifo(state)
    else:
        state.symlink_to(state if what == "loop" else "nowhere")
    with pytest.raises(RefusedError) as caught:
        see_state_ours(state)
    assert caught.value.reference == "state-not-ours"


@root_only
def test_whose_file_may_be_replaced_in_a_sticky_folder(open_to_all: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told beforehand: `access` says yes, and the rename is refused in the middle of the swap."""
    file = open_to_all / "compose.yaml"
    file.touch()
    assert may_replace(file)
    monkeypatch.setattr(os, "geteuid", lambda: OTHER)
    assert not may_replace(file)
    os.chown(file, OTHER, OTHER)
    assert may_replace(file)
    os.chown(file, 0, 0)
    os.chown(open_to_all, OTHER, OTHER)
    assert may_replace(file)
    open_to_all.chmod(0o777)
    os.chown(open_to_all, 0, 0)
    assert may_replace(file)
