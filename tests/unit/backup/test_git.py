"""What git tells of the compose file's folder, without running anything that the repository or its user configured."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cutover.backup.git import Git
from cutover.errors import RefusedError

ID = "20260301T120000.000-abcd"


def git(folder: Path, *words: str) -> str:
    """Run git as a user would, with an identity."""
    named = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgSign=false"]
    done = subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Give a repository with a commit, the compose file in a folder of it."""
    folder = tmp_path / "repo" / "stack"
    folder.mkdir(parents=True)
    git(folder.parent, "init", "-q", "-b", "main")
    (folder / "compose.yaml").write_text("services: {}\n")
    git(folder.parent, "add", "-A")
    git(folder.parent, "commit", "-q", "-m", "first")
    return folder


def test_a_clean_tree(work: Path) -> None:
    """Commit and branch; nothing is dirty."""
    found = Git(work).look()
    assert found.state is not None
    assert (found.state.commit, found.state.branch) == (git(work, "rev-parse", "HEAD"), "main")
    assert (found.state.dirty, found.diff, found.why) == ((), b"", None)
    assert found.state.top == str(work.parent.resolve())


def test_dirt_is_recorded(work: Path) -> None:
    """What is changed as a patch that gives it back, what is untracked by name."""
    (work / "compose.yaml").write_text("services: {a: {image: x}}\n")
    (work / "new").write_text("")
    found = Git(work).look()
    assert found.state is not None
    assert found.state.dirty == (" M stack/compose.yaml", "?? stack/new")
    git(work, "checkout", "-q", "compose.yaml")
    patch = work / "patch"
    patch.write_bytes(found.diff)
    git(work.parent, "apply", str(patch))
    assert (work / "compose.yaml").read_text() == "services: {a: {image: x}}\n"


@pytest.mark.parametrize("setting", ["diff.noprefix", "diff.mnemonicPrefix"])
def test_the_patch_fits_whatever_is_configured(work: Path, setting: str) -> None:
    """`git apply` takes it as it is."""
    git(work, "config", setting, "true")
    (work / "compose.yaml").write_text("services: {a: {image: x}}\n")
    patch = Git(work).look().diff
    git(work, "checkout", "-q", "compose.yaml")
    (work / "patch").write_bytes(patch)
    git(work, "config", "--unset", setting)
    git(work.parent, "apply", str(work / "patch"))
    assert (work / "compose.yaml").read_text() == "services: {a: {image: x}}\n"


def test_a_partial_clone_fetches_nothing(work: Path, tmp_path: Path) -> None:
    """What is not there is not asked for; it is told that the patch is not saved."""
    git(work, "config", "uploadpack.allowFilter", "true")
    half = tmp_path / "half"
    git(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{work.parent}", str(half))
    git(half, "read-tree", "HEAD")
    (half / "stack").mkdir()
    (half / "stack" / "compose.yaml").write_text("services: {b: {}}\n")
    found = Git(half / "stack").look()
    assert found.state is not None
    assert found.state.dirty == (" M stack/compose.yaml",)
    assert found.diff == b""
    assert "not saved" in (found.why or "")
    missing = git(half, "rev-list", "--objects", "--missing=print", "HEAD")
    assert "?" in missing, "nothing was fetched"


def test_no_repository_is_no_fault(tmp_path: Path) -> None:
    """Nothing is told."""
    found = Git(tmp_path).look()
    assert (found.state, found.why) == (None, None)


def test_no_commit_yet(tmp_path: Path) -> None:
    """The files are untracked, and there is nothing to tag."""
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("")
    found = Git(tmp_path).look()
    assert found.state is not None
    assert (found.state.commit, found.state.dirty) == (None, ("?? a",))


def test_no_git_is_told(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a warning."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert "no `git` program" in (Git(work).look().why or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_somebody_elses_repository_is_told(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git refuses it, and names the cure."""
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.delenv("SUDO_UID", raising=False)
    for path in (work.parent, work.parent / ".git"):
        os.chown(path, 4242, 4242)
    why = Git(work).look().why or ""
    assert "dubious ownership" in why
    assert "safe.directory" in why


def test_nothing_that_is_configured_runs(work: Path, tmp_path: Path) -> None:
    """Hooks, filters, diff programs, a filesystem monitor, a pager: each would leave a trace."""
    trace = tmp_path / "trace"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $0 $* >> {trace}\ncat\n")
    program.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("reference-transaction", "post-index-change", "pre-commit"):
        (hooks / hook).symlink_to(program)
    for name, value in {
        "core.fsmonitor": str(program),
        "core.hooksPath": str(hooks),
        "core.pager": str(program),
        "diff.external": str(program),
        "diff.mine.textconv": str(program),
        "diff.mine.command": str(program),
        "filter.mine.clean": str(program),
        "filter.mine.process": str(program),
        "filter.mine.required": "true",
        "gpg.program": str(program),
        "tag.gpgSign": "true",
    }.items():
        git(work, "config", name, value)
    (work.parent / ".gitattributes").write_text("*.yaml filter=mine diff=mine\n")
    (work / "compose.yaml").write_text("services: {a: {image: x}}\n")
    found = Git(work).look()
    assert found.state is not None
    assert found.state.commit is not None
    assert b"+services: {a: {image: x}}" in found.diff
    Git(work).mark(found.state.commit, ID, "saved", tag=True)
    assert not trace.exists(), trace.read_text()


def test_a_tag_and_a_branch(work: Path) -> None:
    """They lead to the commit; what is there is not moved."""
    commit = git(work, "rev-parse", "HEAD")
    assert Git(work).mark(commit, ID, "saved", tag=True) == (f"cutover/backup/{ID}", "saved")
    assert git(work, "rev-parse", f"cutover/backup/{ID}", "saved").split() == [commit, commit]
    for again in ("saved", "-x", "a..b", ""):
        with pytest.raises(RefusedError):
            Git(work).mark(commit, "other", again, tag=True)
    with pytest.raises(RefusedError, match="could not make refs/tags"):
        Git(work).mark(commit, ID, None, tag=True)


def test_what_a_backup_that_failed_had_marked_goes(work: Path) -> None:
    """But nothing that leads elsewhere by now."""
    commit = git(work, "rev-parse", "HEAD")
    tag, branch = Git(work).mark(commit, ID, "saved", tag=True)
    git(work, "-c", "user.name=n", "-c", "user.email=e@x", "commit", "--allow-empty", "-qm", "second")
    git(work, "update-ref", "refs/heads/saved", "HEAD")
    Git(work).unmark(commit, tag, branch)
    assert git(work, "tag", "--list").strip() == ""
    assert git(work, "rev-parse", "saved") == git(work, "rev-parse", "HEAD")
    Git(work).unmark(commit, None, None)
