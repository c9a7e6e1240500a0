"""A run killed at any record of its journal converges, by `cutover recover`, to one colour and a consistent file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from cutover.flow.lock import holder_of
from tests.scenarios.rig import HERE

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
KILLED = -signal.SIGKILL
SAMPLE = {1, 4, 9, 16}
"""Records after which the dearer checks are made too."""
ALL = bool(os.environ.get("CUTOVER_CRASH_ALL"))
"""Kill after every record, with every check; else after every third one: scripts/faults kills everywhere."""
BACK = range(1, 16) if ALL else (2, 11)


def killed(rig, record, *args):
    """Run cutover, killed after a record; return its exit code."""
    command = [sys.executable, "-m", "tests.scenarios.killed", str(record), *args, "-f", str(rig.file)]
    done = subprocess.run(
        command, cwd=HERE.parent.parent, env=rig.environ(), capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode


@pytest.fixture
def converged(rig):
    """Return a check that everything is either as before the swap or as after it, and who serves."""
    before = rig.state()

    def check(*, dear=True):
        serving = rig.answers()
        assert serving in {"old", "new"}
        idle = "new" if serving == "old" else "old"
        assert rig.publishes(serving) == {rig.zmq, rig.http}
        assert rig.publishes(idle) == set()
        assert (rig.state() == before) is (serving == "old")
        assert rig.leftovers() == []
        assert holder_of(rig.folder / ".cutover", rig.project) is None
        if dear:
            assert rig.nothing_to_do()
        return serving

    return check


@pytest.mark.parametrize("strategy", ["relink", "recreate"])
def test_killed_after_each_record(rig, converged, strategy):
    """SIGKILL after record upon record of a swap, each followed by `recover`, until a swap lives to its end."""
    served, step = [], 1 if ALL else 3
    for record in range(1, 60, step):
        code = killed(rig, record, "swap", "--strategy", strategy, "--observe", "0")
        if code == 0:
            break
        assert code == KILLED
        if record in SAMPLE:
            assert rig.cutover("swap").code == 1, "a swap is refused before the recovery"
        told = rig.cutover("recover", "--json")
        assert told.code == 0, (record, told)
        if record in SAMPLE:
            assert rig.cutover("recover").code == 0, "recover can be called again"
        served.append(converged(dear=ALL or record in SAMPLE or record % 3 == 0))
        if served[-1] == "new":
            assert rig.cutover("rollback").code == 0
    assert code == 0, "the last swap was not killed"
    assert len(served) >= 2 * 7 // step, "every record was tried"
    assert served.count("old") >= len(served) - 2, "only a run that was done stays done"


@pytest.mark.parametrize("record", BACK)
def test_killed_while_going_back(rig, converged, record):
    """SIGKILL in the middle of a rollback; `recover` goes on with it."""
    assert rig.swap("--observe", "0").code == 0
    assert killed(rig, record, "rollback") == KILLED
    told = rig.cutover("recover", "--json")
    assert told.code == 0, told
    assert converged() == "old"


@pytest.mark.parametrize("record", [1, 2])
def test_killed_in_a_commit(rig, record):
    """SIGKILL in the middle of a commit; `recover` finishes it."""
    assert rig.swap("--observe", "0").code == 0
    assert killed(rig, record, "commit") == KILLED
    assert rig.cutover("recover").code == 0
    assert rig.answers() == "new"
    assert rig.container("old") is None
    assert rig.cutover("status", "--json").json["committed"]


def test_half_a_file_goes(rig):
    """What was being written when cutover was killed, beside the compose file and in the state folder."""
    assert killed(rig, 2, "swap") == KILLED
    for path in (rig.file, rig.folder / ".cutover" / rig.project / "x"):
        (path.parent / f".{path.name}.abcdefgh.cutover-tmp").write_text("hal")
    assert rig.cutover("recover").code == 0
    assert list(rig.folder.rglob("*.cutover-tmp")) == []
