"""What rollback.sh sees before it changes anything; a docker of ours answers that it is there, and knows nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cutover.engine.stack import ProjectFiles
from cutover.files import FileState, sha256
from cutover.flow.journal import Journal, Kind
from cutover.flow.rollback_script.facts import Kept
from cutover.flow.rollback_script.render import render
from tests.unit.flow.rollback_script.facts import facts
from tests.unit.flow.world import FakeClock

BEFORE, AFTER = b"ports: green's\n", b"ports: blue's\n"


class Site:
    """A run's folder with its script, a compose file as the swap left it, and a Docker that has green's image."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a b's"
        self.state = self.folder / ".cutover"
        self.run = self.state / "shop" / "20260301T120000.000-ab12"
        self.file, self.copy = self.folder / "compose.yaml", self.run / "files" / "00-compose.yaml"
        self.copy.parent.mkdir(parents=True)
        self.copy.write_bytes(BEFORE)
        self.file.write_bytes(AFTER)
        self.file.chmod(0o640)
        state = FileState(sha256(BEFORE), 0o640, os.getuid(), os.getgid())
        kept = Kept(self.file, self.copy, state, sha256(AFTER))
        known = facts(
            folder=self.run,
            state=self.state,
            source=ProjectFiles((self.file,), "shop"),
            files=(kept,),
            copies=(kept,),
        )
        (self.run / "rollback.sh").write_bytes(render(known))
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.log = folder / "log"
        self.answer(f"echo {known.green.image_id}")

    def answer(self, image: str) -> None:
        """Have the Docker answer questions for an image, and refuse to make a container."""
        docker = self.bin / "docker"
        docker.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$*" >>{self.log}\ncase "$*" in *"image inspect"*) {image} ;; '
            '*" up "*) exit 9 ;; *"network inspect"*) exit 1 ;; esac\n'
        )
        docker.chmod(0o755)

    def later(self, *results: str) -> Path:
        """Make a run that came later, which ended so."""
        folder = self.run.parent / "20260302T120000.000-cd34"
        folder.mkdir()
        (folder / "rollback.sh").touch()
        journal = Journal(folder, FakeClock())
        journal.write(Kind.PLAN)
        for result in results:
            journal.write(Kind.RESULT, result=result)
        return folder

    def call(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        environment = {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        command = ["sh", self.run / "rollback.sh", *options]
        return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Give such a run."""
    return Site(tmp_path)


def refused(done: subprocess.CompletedProcess[str], site: Site, words: str) -> None:
    """See that it refused with these words, and left the file alone."""
    assert done.returncode == 1, done
    assert words in done.stderr
    assert "nothing was changed" in done.stderr
    assert site.file.read_bytes() != BEFORE
    assert not (site.run / "rolled-back-by-hand").exists()


def test_a_cutover_at_work(site: Site) -> None:
    """The project's lock is respected, as long as it is held."""
    with (site.state / "shop.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(site.call(), site, "a cutover works on project shop now")
    assert site.call("--dry-run").returncode == 0


@pytest.mark.parametrize("results", [("done",), (), ("needs_hands",), ("rolled_back", "done")])
def test_a_later_run_stands_on_it(site: Site, results: tuple[str, ...]) -> None:
    """One that is done, or that nobody knows the end of, goes back first."""
    folder = site.later(*results)
    refused(site.call(), site, f"run {folder.name} came after this one")
    (folder / "rolled-back-by-hand").touch()
    assert site.call("--dry-run").returncode == 0


@pytest.mark.parametrize("result", ["rolled_back", "interrupted", "refused"])
def test_a_later_run_that_went_back(site: Site, result: str) -> None:
    """One that changed nothing in the end does not stand in the way."""
    site.later("done", result)
    assert site.call("--dry-run").returncode == 0


def test_a_run_that_went_back_already(site: Site) -> None:
    """By its journal; then whoever serves now is none of its business."""
    Journal(site.run, FakeClock()).write(Kind.RESULT, result="rolled_back")
    done = site.call()
    assert (done.returncode, site.file.read_bytes()) == (0, AFTER), done
    assert "went back already" in done.stdout


def test_a_damaged_copy(site: Site) -> None:
    """A copy that is not what was saved is not put back."""
    site.copy.write_bytes(b"half")
    refused(site.call(), site, "is not what was saved")


def test_a_file_that_was_edited(site: Site) -> None:
    """It is left alone, unless told; then the edit is kept, and mode and owner are as they were."""
    site.file.write_bytes(b"mine\n")
    refused(site.call(), site, "was edited since the swap")
    done = site.call("--overwrite")
    assert done.returncode == 4, "the Docker of this test makes nothing"
    assert site.file.read_bytes() == BEFORE
    assert site.file.stat().st_mode & 0o777 == 0o640
    assert (site.run / "before-rollback" / "compose.yaml").read_bytes() == b"mine\n"


def test_a_link_stays_one(site: Site) -> None:
    """The file behind it is replaced."""
    real = site.folder / "real.yaml"
    site.file.rename(real)
    site.file.symlink_to(real)
    site.call()
    assert site.file.is_symlink()
    assert real.read_bytes() == BEFORE


def test_the_image_is_gone(site: Site) -> None:
    """Nothing is begun, and where it may be had is told."""
    site.answer("exit 1")
    done = site.call()
    refused(done, site, "the image that old ran is gone")
    assert f"{site.run.parent}/backups/" in done.stderr


def test_no_engine(site: Site) -> None:
    """Without an Engine nothing is begun."""
    (site.bin / "docker").write_text("#!/bin/sh\nexit 1\n")
    refused(site.call(), site, "no Docker Engine answers")


def test_it_broke_off(site: Site) -> None:
    """Where Compose fails after the files are back: exit 4, what to do by hand, and it can be called again."""
    for _ in range(2):
        done = site.call()
        assert done.returncode == 4
        assert site.file.read_bytes() == BEFORE
    assert "call it again" in done.stderr
    assert not (site.run / "rolled-back-by-hand").exists()


def test_dry_run_changes_nothing(site: Site) -> None:
    """It says what it would do; the Docker is only asked."""
    before = sorted(site.folder.rglob("*"))
    done = site.call("--dry-run")
    assert done.returncode == 0, done
    assert "+ docker compose -p shop up --no-start" in done.stdout
    assert "dry run: nothing was changed" in done.stdout
    assert sorted(site.folder.rglob("*")) == before
    assert site.file.read_bytes() == AFTER
    acts = (" up ", " stop ", " start ", " rm ", " tag ", " update ", " connect ")
    assert not [line for line in site.log.read_text().splitlines() if any(act in f"{line} " for act in acts)]


@pytest.mark.parametrize(("option", "code"), [("--help", 0), ("-h", 0), ("--force", 2), ("now", 2)])
def test_options(site: Site, option: str, code: int) -> None:
    """The head is the help; what it does not know it refuses."""
    done = site.call(option)
    assert done.returncode == code
    assert "--dry-run" in done.stdout + done.stderr
    assert site.file.read_bytes() == AFTER


def test_another_folder(site: Site) -> None:
    """All of its paths are absolute: where it is called from does not matter."""
    assert replace(facts(), folder=site.run).folder.is_absolute()
    assert site.call("--dry-run").returncode == 0


def test_a_copy_of_the_project(site: Site) -> None:
    """It is not the project: its script would roll back the original."""
    copy = site.folder.parent / "copy"
    shutil.copytree(site.folder, copy)
    done = subprocess.run(
        ["sh", copy / site.run.relative_to(site.folder) / "rollback.sh"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "this is a copy" in done.stderr
    from_within = ["sh", "rollback.sh", "--dry-run"]
    environment = {"PATH": f"{site.bin}:{os.environ['PATH']}"}
    assert subprocess.run(from_within, cwd=site.run, env=environment, capture_output=True, check=False).returncode == 0


def test_a_folder_in_the_place_of_the_file(site: Site) -> None:
    """Nothing is moved into it."""
    site.file.unlink()
    site.file.mkdir()
    done = site.call()
    assert done.returncode == 1
    assert "is a folder now" in done.stderr


def test_a_flock_that_cannot_wait(site: Site) -> None:
    """BusyBox's knows no -w."""
    (site.state / "shop.lock").touch()
    (site.state / "shop.compose.lock").touch()
    flock = site.bin / "flock"
    flock.write_text('#!/bin/sh\ncase "$*" in *w*) exit 1 ;; esac\n')
    flock.chmod(0o755)
    assert site.call("--dry-run").returncode == 0
