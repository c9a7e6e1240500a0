"""The repository that holds the compose file: what is committed, what is not; a tag or a branch on request.

git runs programs that a repository or its user configured: hooks, pagers, a filesystem monitor, external diffs,
filters, signing. None of them runs here: a backup must not start what somebody wrote into `.git/config`.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cutover.backup.manifest import GitState
from cutover.errors import RefusedError

TAG = "refs/tags/cutover/backup/"
LINES = 1000
DIFF_BYTES = 16 * 1024 * 1024
DIFF = (
    "--no-ext-diff", "--no-textconv", "--no-color", "--binary", "--ignore-submodules=dirty", "--submodule=short",
    "--no-relative", "--unified=3", "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip
"""So that `git apply` takes it, whatever is configured."""
_NOTHING = "0" * 40
_HARMLESS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.untrackedCache": "keep",
    "core.quotePath": "true",
    "diff.external": "",
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
    "log.showSignature": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
}
_NO_FILTER = {"clean": "", "smudge": "", "process": "", "required": "false"}
_OWNER = re.compile(r"dubious ownership|safe\.directory")


@dataclass(frozen=True, slots=True)
class Look:
    """What was found: a repository with what is not committed in it as a patch, or why there is nothing to tell.

    `state` and `why` are both None where the folder is in no work tree, which is no fault. `diff_left_out` says that
    the patch would have been larger than 16 MiB.
    """

    state: GitState | None = None
    diff: bytes = b""
    why: str | None = None
    diff_left_out: bool = False


class Git:
    """git in one folder, which runs nothing that somebody configured; `limit_s` is for each of its answers."""

    def __init__(self, folder: Path, limit_s: float = 60.0) -> None:
        self._folder = folder
        self._limit_s = limit_s
        self._off: list[str] = []

    def look(self) -> Look:
        """Return the state of the work tree; whatever keeps git from telling it is told, never raised."""
        try:
            return self._look()
        except FileNotFoundError:
            return Look(why="there is no `git` program, so the commit is not recorded")
        except subprocess.TimeoutExpired:
            return Look(why=f"git did not answer within {self._limit_s:g} s, so the commit is not recorded")
        except (OSError, ValueError) as error:
            return Look(why=f"git could not be asked: {error}")

    def _look(self) -> Look:
        top = self._ask("rev-parse", "--show-toplevel")
        if top.returncode != 0:
            return Look(why=_refusal(top.stderr.decode(errors="replace")))
        filters = self._filters()
        if any("=" in name for name in filters):
            return Look(why="git has a filter whose name cannot be switched off, so the commit is not recorded")
        self._off = [w for n in filters for k, v in _NO_FILTER.items() for w in ("-c", f"{n}.{k}={v}")]
        commit = self._text("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        branch = self._text("symbolic-ref", "--short", "--quiet", "HEAD")
        told = self._ask("status", "--porcelain=v1", "--untracked-files=normal", "--ignore-submodules=dirty")
        if told.returncode != 0:
            return Look(why=_refusal(told.stderr.decode(errors="replace")))
        lines = told.stdout.decode(errors="replace").splitlines()
        state = GitState(
            top=top.stdout.decode(errors="replace").strip(),
            commit=commit,
            branch=branch,
            dirty=tuple(lines[:LINES]),
            dirty_left_out=max(0, len(lines) - LINES),
        )
        changed = [line for line in lines if not line.startswith("??")]
        asked = self._ask("diff", *DIFF, "HEAD") if commit and changed else None
        if asked is not None and asked.returncode != 0:
            said = (asked.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            return Look(state, why=f"git could not tell what is not committed, so it is not saved: {said}")
        diff = asked.stdout if asked else b""
        too_large = len(diff) > DIFF_BYTES
        return Look(state, b"" if too_large else diff, diff_left_out=too_large)

    def mark(self, commit: str, backup_id: str, branch: str | None, *, tag: bool) -> tuple[str | None, str | None]:
        """Give the commit the tag `cutover/backup/ID` and a new branch, as asked for, and return their names.

        Raises:
            RefusedError: git refuses: the branch exists, or its name is none.

        """
        if branch is not None:
            self.see_branch(branch)
            self._point(f"refs/heads/{branch}", commit)
        if tag:
            self._point(f"{TAG}{backup_id}", commit)
        return (f"{TAG.removeprefix('refs/tags/')}{backup_id}" if tag else None), branch

    def unmark(self, commit: str, tag: str | None, branch: str | None) -> None:
        """Take away what `mark` made, as long as it leads to the same commit."""
        if tag is not None:
            self._ask("update-ref", "-d", f"refs/tags/{tag}", commit)
        if branch is not None:
            self._ask("update-ref", "-d", f"refs/heads/{branch}", commit)

    def see_branch(self, branch: str) -> None:
        """See that a branch of this name can be made.

        Raises:
            RefusedError: there is one, or the name is none.

        """
        if branch.startswith("-") or self._ask("check-ref-format", f"refs/heads/{branch}").returncode != 0:
            raise RefusedError("git-branch", f"{branch!r} is no name for a branch.", hint="git check-ref-format")
        if self._ask("show-ref", "--verify", "--quiet", f"refs/heads/{branch}").returncode == 0:
            raise RefusedError("git-branch", f"There is a branch {branch} already.", hint="give another --git-branch")

    def _point(self, ref: str, commit: str) -> None:
        done = self._ask("update-ref", ref, commit, _NOTHING)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
            raise RefusedError("git-refused", f"git could not make {ref}.", evidence=said)

    def _filters(self) -> list[str]:
        """Return the names of the filters that are configured: status and diff would run them."""
        listed = self._ask("config", "--null", "--name-only", "--get-regexp", r"^filter\..*\.(clean|smudge|process)$")
        names = listed.stdout.decode(errors="replace").split("\0")
        return sorted({name.rpartition(".")[0] for name in names if name})

    def _text(self, *words: str) -> str | None:
        done = self._ask(*words)
        return done.stdout.decode(errors="replace").strip() or None if done.returncode == 0 else None

    def _ask(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        harmless = [word for name, value in _HARMLESS.items() for word in ("-c", f"{name}={value}")]
        return subprocess.run(
            ["git", "--no-pager", "--no-optional-locks", *harmless, *self._off, *words],
            cwd=self._folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=self._limit_s,
        )


def _environment() -> dict[str, str]:
    """Return ours without what would lead git elsewhere (a hook of git's own may have started us) or run something."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    offline = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}  # a partial clone would fetch what it lacks
    return {**kept, **offline, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _refusal(said: str) -> str | None:
    if "not a git repository" in said or "must be run in a work tree" in said:
        return None
    last = (said.strip().splitlines() or ["it said nothing"])[0]
    cure = (
        "; git config --global --add safe.directory FOLDER, or run cutover as its owner" if _OWNER.search(said) else ""
    )
    return f"git refuses to tell: {last}{cure}"
