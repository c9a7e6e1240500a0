"""The way back without cutover: `rollback.sh` of a run, by plain sh and docker, with no Python to be found."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.scenarios.edge_world import EdgeRig, green_up
from tests.scenarios.script_world import BARE, by_hand, runs_of, went_back

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]


def see_green(rig, before):
    """See that all is as before the swap, and that cutover knows it."""
    assert rig.answers() == "old"
    assert rig.publishes("old") == {rig.zmq, rig.http}
    assert rig.state() == before
    assert rig.leftovers() == []
    assert rig.nothing_to_do()
    assert rig.cutover("status", "--json").json["last_run"]["result"] == "rolled_back"
    assert rig.cutover("recover", "--json").json["recovered"] == []
    assert rig.cutover("rollback").code == 1, "it is rolled back already"


def test_after_a_swap_by_relink(rig, record_property):
    """It looks first, refuses what would lose an edit, goes back, and knows that it did; the next swap works."""
    before = rig.state()
    assert rig.swap("--observe", "0").code == 0
    (run,) = runs_of(rig)
    assert (run.stat().st_mode & 0o777, (run / "rollback.sh").stat().st_mode & 0o777) == (0o700, 0o700)
    looked = by_hand(rig, "--dry-run")
    assert (looked.code, rig.answers()) == (0, "new"), looked
    swapped = rig.file.read_bytes()
    rig.file.write_bytes(swapped + b"# mine\n")
    refused = by_hand(rig)
    assert (refused.code, rig.answers(), rig.file.read_bytes()) == (1, "new", swapped + b"# mine\n"), refused
    assert "--overwrite" in refused.err
    client = went_back(rig, "--overwrite")
    record_property("silence_s", client.silence_s)
    assert (run / "before-rollback" / rig.file.name).read_bytes() == swapped + b"# mine\n"
    see_green(rig, before)
    again = by_hand(rig)
    assert (again.code, "already" in again.out) == (0, True), again
    assert rig.swap("--observe", "0").code == 0
    assert rig.answers() == "new"


def test_after_an_adoption(engine, edge_image, tmp_path, record_property):
    """The edge goes, with all that it left; by scripts/rollback, which finds the run."""
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    with green_up(EdgeRig, edge_image, folder) as rig:
        before = rig.state()
        assert rig.swap("--observe", "0").code == 0
        script = shutil.which("rollback", path="scripts")
        told = subprocess.run([*BARE, script, folder, "--dry-run"], capture_output=True, text=True, check=True)
        assert "nothing was done" in told.stdout
        client = went_back(rig)
        record_property("silence_s", client.silence_s)
        see_green(rig, before)
        assert rig.traces() == []
