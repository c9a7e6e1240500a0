"""Every step's failure: green answers, the files are byte-identical, nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from tests.scenarios.rig import ended

pytestmark = pytest.mark.engine
STRATEGIES = ["relink", "recreate"]


@pytest.fixture
def untouched(rig):
    """After the test green answers, the file is as it was, and nothing is left behind."""
    before = rig.state()
    yield
    assert rig.answers() == "old"
    assert rig.publishes("old") == {rig.zmq, rig.http}
    assert rig.state() == before
    assert rig.leftovers() == []
    assert rig.nothing_to_do()


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("fail", "reference", "evidence"),
    [
        ("exit", "not-ready", "cannot read the weights"),
        ("unhealthy", "not-ready", "unhealthy"),
        ("wrong", "not-ready", "wrong"),
    ],
)
def test_broken_blue(rig, strategy, fail, reference, evidence):
    """A blue that exits, is never healthy, or answers wrongly is turned back, and the reason is told."""
    rig.env["NEW_FAIL"] = fail
    told = rig.swap("--strategy", strategy, "--ready-timeout", "6")
    assert told.code == 3, told
    assert told.json["result"] == "rolled_back"
    error = told.json["error"]
    assert error["reference"] == reference
    assert evidence in error["message"] + " ".join(error["evidence"])
    assert rig.container("new") is None


@pytest.mark.usefixtures("untouched")
def test_silent_blue(rig):
    """A blue that logs "successfully bound" and answers nobody is turned back before green is touched."""
    rig.env["NEW_FAIL"] = "silent"
    started = rig.container("old")["State"]["StartedAt"]
    told = rig.swap("--ready-timeout", "5")
    assert told.code == 3, told
    evidence = told.json["error"]["evidence"]
    assert any("successfully bound" in line for line in evidence)
    assert evidence[0].startswith("doctor: not-reading (likely): "), evidence
    assert rig.container("old")["State"]["StartedAt"] == started


@pytest.mark.usefixtures("untouched")
def test_blue_that_dies_while_it_is_watched(rig):
    """A blue that works, takes the ports and then dies is turned back by the watch."""
    rig.env.update(NEW_FAIL="crash-later", NEW_CRASH="6")
    told = rig.swap("--observe", "20")
    assert told.code == 3, told
    assert told.json["error"]["reference"] == "watch-failed"


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", ["start-parked", "relink", "watch"])
def test_interrupted(rig, number, step):
    """SIGINT or SIGTERM at any step gives green its ports back."""
    process = rig.start("swap", "--json", "--observe", "20")
    rig.wait_record("intent", step)
    process.send_signal(number)
    told = ended(process)
    assert told.code == 130, told
    assert told.json["result"] == "interrupted"


@pytest.mark.usefixtures("untouched")
def test_second_swap_is_refused(rig):
    """While one swap runs, another is told who holds the lock, and since when."""
    first = rig.start("swap", "--json", "--observe", "20")
    rig.wait_record("intent", "create-blue")
    second = rig.swap()
    assert second.code == 1, second
    assert second.json["error"]["reference"] == "lock-held"
    assert str(first.pid) in second.json["error"]["message"]
    assert "since 20" in second.json["error"]["message"]
    first.send_signal(signal.SIGINT)
    assert ended(first).code == 130


def test_file_changed_meanwhile(rig):
    """A compose file edited by hand while blue loads is not overwritten."""
    rig.env.update(NEW_LOAD_S="3", NEW_START="30s")
    process = rig.start("swap", "--json")
    rig.wait_record("intent", "prove-inside")
    edited = rig.file.read_text() + "# by hand\n"
    rig.file.write_text(edited)
    told = ended(process)
    assert told.code == 3, told
    assert told.json["error"]["reference"] == "file-changed"
    assert rig.file.read_text() == edited
    assert rig.answers() == "old"
    assert rig.leftovers() == []


def test_file_edited_after_the_swap(rig):
    """A rollback of a file that was edited since moves the ports back and keeps the rest."""
    before = rig.file.read_text()
    assert rig.swap().code == 0
    rig.file.write_text(rig.file.read_text() + "# by hand\n")
    told = rig.cutover("rollback", "--json")
    assert told.code == 0, told
    assert rig.file.read_text() == before + "# by hand\n"
    assert rig.answers() == "old"
    assert rig.nothing_to_do()


def test_port_caught_in_the_gap(rig):
    """A foreign process that grabs the port between the colours is named; once it is gone `recover` gives it back."""
    before = rig.state()
    stop, caught = threading.Event(), threading.Event()

    def grab():
        while not stop.is_set():
            with socket.socket() as trap:
                trap.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    trap.bind(("0.0.0.0", rig.http))
                    trap.listen()
                except OSError:
                    time.sleep(0.001)  # a tight race is the point
                    continue
                caught.set()
                stop.wait()

    thread = threading.Thread(target=grab)
    thread.start()
    try:
        told = rig.swap()
    finally:
        stop.set()
        thread.join()
    assert caught.is_set(), told
    assert told.code == 4, told
    assert told.json["result"] == "needs_hands"
    assert str(os.getpid()) in str(told.json["error"]["evidence"]), "the culprit is named"

    recovered = rig.cutover("recover")

    assert recovered.code == 0, recovered
    rig.wait_answer("old")
    assert rig.state() == before
    assert rig.leftovers() == []
    assert rig.nothing_to_do()


def test_disk_full_at_the_write(cold_rig):
    """A disk that fills up while blue loads: green keeps the ports, the file keeps its bytes."""
    rig = cold_rig
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(rig.folder)], check=True)
    try:
        rig.write()
        rig.env.update(NEW_LOAD_S="3", NEW_START="30s")
        rig.up()
        before = rig.state()
        process = rig.start("swap", "--json")
        rig.wait_record("intent", "prove-inside")
        fill(rig.folder / "filler")
        told = ended(process)
        assert told.code == 3, told
        assert told.json["error"]["reference"] == "disk"
        assert rig.answers() == "old"
        assert rig.state() == before
        (rig.folder / "filler").unlink()
        assert rig.cutover("recover").code == 0
        assert rig.swap("--dry-run").code == 0
        assert rig.leftovers() == []
    finally:
        rig.down()
        subprocess.run(["umount", str(rig.folder)], check=True)


def fill(path):
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


def test_disk_full_before(cold_rig):
    """A disk that is full already is a refusal, and nothing is changed."""
    rig = cold_rig
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(rig.folder)], check=True)
    try:
        rig.write()
        rig.up()
        told = rig.swap()
        assert told.code == 1, told
        assert told.json["error"]["reference"] == "disk-full"
        assert not list(rig.folder.glob(".cutover/*/*"))
    finally:
        rig.down()
        subprocess.run(["umount", str(rig.folder)], check=True)
