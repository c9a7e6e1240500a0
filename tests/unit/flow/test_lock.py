"""One cutover at a time: tried with real processes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutover.errors import ExitCode, LockHeldError, RefusedError
from cutover.flow.lock import COMPOSE_S, compose_lock, holder_of, locked
from tests.unit.flow.world import FakeClock

HOLD = """
import sys
from pathlib import Path
from cutover.clock import SystemClock
from cutover.flow.lock import locked
state, sys.argv = Path(sys.argv[1]), ["cutover", "swap", "--blue", "secret"]
with locked(state, "shop", SystemClock()):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Give another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_second_one_is_refused_and_told_who_is_at_work(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """The verb and the process, and since when; the other options of its command line stay out of it."""
    with pytest.raises(LockHeldError) as caught, locked(tmp_path, "shop", FakeClock()):
        pytest.fail("two at a time")
    error = caught.value
    assert f"works on project shop: `cutover swap`, process {other.pid}, since 20" in error.message
    assert (error.reference, error.exit_code) == ("lock-held", ExitCode.REFUSED)
    assert "secret" not in f"{error.message} {error.evidence}"


def test_looking_tells_who_is_at_work_and_takes_nothing(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """`status` may ask as often as it likes."""
    for _ in range(2):
        assert f"process {other.pid}" in (holder_of(tmp_path, "shop") or "")


def test_the_lock_dies_with_its_process(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """Nobody has to clean up after a SIGKILL; the note that it left means nothing."""
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (tmp_path / "shop.lock.json").exists()
    assert holder_of(tmp_path, "shop") is None
    with locked(tmp_path, "shop", FakeClock()):
        assert f"process {os.getpid()}" in (holder_of(tmp_path, "shop") or "")


def test_another_project_is_not_locked_out(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """The lock is a project's own."""
    with locked(tmp_path, "library", FakeClock()):
        assert other.poll() is None


def test_the_lock_is_given_back_when_the_work_fails(tmp_path: Path) -> None:
    """With the note that said who."""
    with pytest.raises(ZeroDivisionError), locked(tmp_path, "shop", FakeClock()):
        raise ZeroDivisionError
    assert holder_of(tmp_path, "shop") is None
    assert not (tmp_path / "shop.lock.json").exists()
    with locked(tmp_path, "shop", FakeClock()):
        assert holder_of(tmp_path, "shop")


def test_a_holder_that_has_not_said_who_it_is(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """Between the lock and the note, or with a note that is damaged, the lock counts all the same."""
    note = tmp_path / "shop.lock.json"
    for content in ("", "{}", "[]", '{"pid": 1}'):
        note.write_text(content)
        assert holder_of(tmp_path, "shop") == "a process that has not said who it is yet", content
    note.unlink()
    assert holder_of(tmp_path, "shop") == "a process that has not said who it is yet"


def test_looking_where_nobody_ever_worked_makes_nothing(tmp_path: Path) -> None:
    """No lock file, no folder."""
    assert holder_of(tmp_path / ".cutover", "shop") is None
    assert list(tmp_path.iterdir()) == []


def test_a_lock_alone_stays_out_of_git_too(tmp_path: Path) -> None:
    """A swap that is refused leaves the lock file, and must not change what `git status` says."""
    with locked(tmp_path / ".cutover", "shop", FakeClock()):
        assert (tmp_path / ".cutover" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_lock_and_note_are_for_their_owner_alone(tmp_path: Path, umask: int) -> None:
    """Whatever the umask is."""
    before = os.umask(umask)
    try:
        with locked(tmp_path / ".cutover", "shop", FakeClock()):
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / ".cutover").glob("shop*")}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("shop.lock", "shop.lock.json", "shop.compose.lock"), 0o600)
    assert stat.S_IMODE((tmp_path / ".cutover").stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_nothing_is_locked_in_somebody_elses_folder(tmp_path: Path) -> None:
    """What it holds would be believed by the next command."""
    tmp_path.chmod(0o1777)
    (tmp_path / ".cutover").mkdir()
    os.chown(tmp_path / ".cutover", 4242, 4242)
    with pytest.raises(RefusedError) as caught, locked(tmp_path / ".cutover", "shop", FakeClock()):
        pytest.fail("locked")
    assert caught.value.reference == "state-not-ours"


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that holds the lock of Compose, as one does whose cutover was killed."""
    path = compose_lock(tmp_path, "shop")
    path.touch()
    process = subprocess.Popen(["flock", "-s", path, "sh", "-c", "echo held; exec cat"], stdin=-1, stdout=-1)
    assert process.stdin
    assert process.stdout
    try:
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def test_a_compose_that_outlived_its_cutover_ends_first(tmp_path: Path, compose: subprocess.Popen[bytes]) -> None:
    """What it still makes and removes would be missing in the middle of a recovery."""

    class Ending(FakeClock):
        looks = 0

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            self.looks += 1
            if self.looks == 3:
                compose.stdin.close()  # type: ignore[union-attr]
                compose.wait()

    clock = Ending()
    with locked(tmp_path, "shop", clock):
        assert compose.returncode == 0
        assert clock.looks == 3


def test_a_compose_that_does_not_end_is_told(tmp_path: Path, compose: subprocess.Popen[bytes]) -> None:
    """After a minute somebody else has to look; the project's lock is free again."""
    clock = FakeClock()
    with pytest.raises(LockHeldError) as caught, locked(tmp_path, "shop", clock):
        pytest.fail("beside a Compose")
    assert compose.poll() is None
    assert caught.value.reference == "compose-works"
    assert "cutover recover" in (caught.value.hint or "")
    assert clock.monotonic() >= 100 + COMPOSE_S
    assert holder_of(tmp_path, "shop") is None


def test_the_lock_of_compose_is_private(tmp_path: Path) -> None:
    """It is made before Compose could make it, for its owner only."""
    with locked(tmp_path, "shop", FakeClock()):
        assert stat.S_IMODE(compose_lock(tmp_path, "shop").stat().st_mode) == 0o600
