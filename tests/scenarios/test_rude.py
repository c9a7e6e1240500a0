"""What a reviewer broke: a world that changes under cutover's feet, and users who do not wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.scenarios.rig import IMAGE, ended

pytestmark = pytest.mark.engine


@pytest.fixture
def before(rig):
    """Give what the compose file was."""
    return rig.state()


def back_on_green(rig, before):
    """See that all is as before the swap."""
    assert rig.answers() == "old"
    assert rig.publishes("old") == {rig.zmq, rig.http}
    assert rig.state() == before
    assert rig.leftovers() == []
    assert rig.nothing_to_do()


@pytest.mark.parametrize("strategy", ["relink", "recreate"])
def test_green_is_removed_while_blue_is_watched(rig, before, strategy):
    """Going back makes green again from the backup, while blue serves."""
    process = rig.start("swap", "--json", "--observe", "30", "--strategy", strategy)
    rig.wait_record("intent", "watch")
    subprocess.run(["docker", "rm", "-f", rig.container("old")["Id"]], check=True, capture_output=True)
    process.send_signal(signal.SIGINT)
    told = ended(process)
    assert told.code == 130, told
    back_on_green(rig, before)


def test_the_user_helps_before_recover(rig, before):
    """Killed while watching, green removed, `docker compose up -d` by hand: recover still ends with green."""
    process = rig.start("swap", "--observe", "30")
    rig.wait_record("intent", "watch")
    process.kill()
    ended(process)
    subprocess.run(["docker", "rm", "-f", rig.container("old")["Id"]], check=True, capture_output=True)
    rig.compose("up", "-d")
    told = rig.cutover("recover", "--json")
    assert told.code == 0, told
    back_on_green(rig, before)


def test_project_taken_down_before_recover(rig, before):
    """Killed while watching, then `docker compose down`: recover starts green from the backup."""
    process = rig.start("swap", "--observe", "30")
    rig.wait_record("intent", "watch")
    process.kill()
    ended(process)
    rig.compose("down", "-t", "1")
    told = rig.cutover("recover", "--json")
    assert told.code == 0, told
    rig.wait_answer("old")
    back_on_green(rig, before)


def test_green_removed_before_it_is_settled(rig):
    """A green that is gone when its turn comes is simply made by Compose; blue serves on."""
    process = rig.start("swap", "--json", "--observe", "4")
    rig.wait_record("intent", "watch")
    subprocess.run(["docker", "rm", "-f", rig.container("old")["Id"]], check=True, capture_output=True)
    told = ended(process)
    assert told.code == 0, told
    assert rig.answers() == "new"
    assert rig.nothing_to_do()


def test_stderr_is_gone(rig, before):
    """A terminal that is closed does not stop the way back."""
    reader, writer = os.pipe()
    environ = rig.environ()
    command = [sys.executable, "-m", "cutover", "swap", "--observe", "30"]
    with subprocess.Popen(command, cwd=rig.folder, env=environ, stdout=writer, stderr=writer) as process:
        os.close(writer)
        rig.wait_record("intent", "watch")
        os.close(reader)
        process.send_signal(signal.SIGHUP)
        process.wait(timeout=60)
    assert process.returncode in {130, 1}
    back_on_green(rig, before)


@pytest.mark.parametrize("times", [2, 10])
def test_more_than_one_signal(rig, before, times):
    """An impatient user, or a supervisor that signals twice, still gets the whole way back; so does the group."""
    process = rig.start("swap", "--json", "--observe", "30")
    rig.wait_record("intent", "watch")
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)
    told = ended(process)
    assert told.code == 130, told
    back_on_green(rig, before)


def test_signals_at_the_group_on_the_way_back(rig, before):
    """Ctrl-C in a terminal reaches the whole group; Compose's work on the way back is not cut short."""
    assert rig.swap("--observe", "0").code == 0
    process = rig.start("rollback", "--json")
    rig.wait_record("undo", None, step="s09")
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
    told = ended(process)
    assert told.code == 0, told
    back_on_green(rig, before)


def test_commit_of_a_dead_blue_is_refused(rig, before):
    """Green is not given up for a blue that does not serve, and the way back stays open."""
    assert rig.swap("--observe", "0").code == 0
    subprocess.run(["docker", "stop", "-t", "1", rig.container("new")["Id"]], check=True, capture_output=True)
    told = rig.cutover("commit", "--json")
    assert told.code == 1, told
    assert told.json["error"]["reference"] == "blue-not-serving"
    assert rig.container("old")["State"]["Running"]
    assert rig.cutover("rollback").code == 0
    back_on_green(rig, before)


def test_a_probe_that_green_fails(rig, before):
    """It is told beforehand, turns blue back where blue fails it too, and does not make the way back fail."""
    told = rig.swap("--probe", f"http://:{rig.http}/?expect=status:perfect", "--ready-timeout", "3")
    assert told.code == 3, told
    assert any("old itself fails" in w for w in told.json["warnings"])
    back_on_green(rig, before)


def test_a_rollback_reads_what_the_swap_read(rig, tmp_path_factory):
    """The environment file of the swap counts for the rollback too, and the command that was printed works."""
    settings = tmp_path_factory.mktemp("elsewhere") / "prod.env"
    settings.write_text("SETTING=prod\n")
    text = rig.file.read_text().replace("      NAME: old\n", '      NAME: old\n      SETTING: "${SETTING:-default}"\n')
    rig.file.write_text(text)
    rig.compose("--env-file", str(settings), "up", "-d", "old")
    rig.wait_answer("old")
    before = rig.state()
    told = rig.swap("--env-file", str(settings), "-f", str(rig.file), "-p", rig.project, "--observe", "0")
    assert told.code == 0, told
    words = told.json["rollback_command"].split()
    assert words[:2] == ["cutover", "rollback"]
    back = rig.cutover(*words[1:])
    assert back.code == 0, back
    assert "SETTING=prod" in rig.container("old")["Config"]["Env"]
    assert rig.state() == before


def test_a_damaged_journal_of_an_old_run(rig):
    """One old journal that cannot be read keeps nothing else from working."""
    assert rig.swap("--observe", "0").code == 0
    assert rig.cutover("rollback").code == 0
    journal = next(rig.folder.glob(".cutover/*/*/journal.jsonl"))
    assert rig.swap("--observe", "0").code == 0
    journal.write_text("garbage\n" + journal.read_text())
    assert rig.cutover("status").code == 0
    assert "damaged" in rig.cutover("history").out
    assert rig.cutover("rollback").code == 0
    assert rig.answers() == "old"


def test_no_secret_in_the_plan(rig):
    """The diff that a plan shows has the lines that move and nothing from around them."""
    for args in (["plan"], ["plan", "--json"], ["swap", "--dry-run"], ["swap", "--dry-run", "--json"]):
        told = rig.cutover(*args)
        assert told.code == 0, told
        assert "hunter2-canary" not in told.out + told.err
        assert str(rig.http) in told.out


def test_helpers_that_were_never_started(rig):
    """Their cutover was killed between making and starting them; `recover` takes them away, and no one else's."""
    ours, gpu, other = (f"{rig.project}-{name}" for name in ("ours", "gpu", "other"))
    labels = {
        ours: (f"io.cutover.project={rig.project}", "io.cutover.helper=ask"),
        gpu: ("cutover.gpu-check=try",),
        other: (f"io.cutover.project={rig.project}x", "io.cutover.helper=ask"),
    }
    for name, words in labels.items():
        given = [f"--label={word}" for word in words]
        subprocess.run(["docker", "create", "--name", name, *given, IMAGE], check=True, capture_output=True)
    try:
        told = rig.cutover("recover")
        ask = ["docker", "ps", "-a", "--format={{.Names}}"]
        asked = subprocess.run(ask, capture_output=True, text=True, check=True)
        assert told.code == 0, told
        assert [name for name in labels if name in asked.stdout.split()] == [other]
        assert ours in told.err
    finally:
        subprocess.run(["docker", "rm", "-f", *labels], check=False, capture_output=True)
