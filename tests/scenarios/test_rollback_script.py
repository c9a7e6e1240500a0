"""`rollback.sh` on a real Engine, where there is no cutover and no Python, while a client asks."""

from __future__ import annotations

import secrets
import shlex
import stat

import pytest

from tests.scenarios.conftest import bare_rig
from tests.scenarios.edge_world import Clients, EdgeRig, green_up
from tests.scenarios.rig import free_ports
from tests.scenarios.roll_world import RollRig, images
from tests.scenarios.script_world import run_script, script_of

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


def see_told(rig, run):
    """See that cutover knows afterwards, without hands, and that nothing is left to recover."""
    shown = rig.cutover("history", "--json").json["runs"]
    assert [(r["result"], r["by_hand"]) for r in shown if r["run"] == run] == [("rolled_back", True)]
    assert rig.cutover("recover").out == "nothing to recover: every run came to an end\n"
    assert rig.cutover("rollback", run).code == 1


def test_two_services(engine, tmp_path):
    """By `relink`, in a folder with an ugly name, with variables that only the shell of the swap had; then again."""
    folder = tmp_path / 'it\'s a "stack" $(here)'
    folder.mkdir()
    rig = bare_rig(folder)
    rig.env = {"NEW_START": "1s"}
    rig.write()
    text = rig.file.read_text().replace("NAME: old\n", 'NAME: "${WHO}"\n      HOSTILE: "${HOSTILE}"\n')
    rig.env |= {"WHO": "old", "HOSTILE": "a'b\n$(touch pwned)"}
    rig.file.write_text(text)
    rig.file.chmod(0o640)
    try:
        rig.up()
        before = rig.state()
        told = rig.swap("--observe", "0")
        assert told.code == 0, told
        script = script_of(rig)
        assert told.json["rollback_script"] == str(script)
        assert stat.S_IMODE(script.stat().st_mode) == 0o700
        assert f"without cutover: sh {shlex.quote(str(script))}" in rig.cutover("status").out
        tried = run_script(rig, tmp_path, "--dry-run")
        assert tried.code == 0, tried
        assert rig.answers() == "new"

        said = run_script(rig, tmp_path)
        assert said.code == 0, said
        assert rig.answers() == "old"
        assert rig.state() == before
        assert rig.publishes("old") == {rig.zmq, rig.http}
        assert "HOSTILE=a'b\n$(touch pwned)" in rig.container("old")["Config"]["Env"]
        assert rig.container("new") is None
        assert rig.leftovers() == []
        assert rig.nothing_to_do()
        see_told(rig, told.json["run"])
        container = rig.container("old")["Id"]
        again = run_script(rig, tmp_path)
        assert again.code == 0, again
        assert "nothing was to be done" in again.out
        assert rig.container("old")["Id"] == container
    finally:
        rig.down()


def test_one_service(engine, tmp_path):
    """A roll: the old container is gone, and its image's name means another one by now; then cutover rolls on."""
    with images() as name:
        rig = RollRig(tmp_path, f"ct{secrets.token_hex(4)}", *free_ports(2))
        rig.images = name
        rig.write()
        try:
            rig.up()
            before = rig.state()
            told = rig.swap("--service", "web", "--image", rig.image("v2"))
            assert told.code == 0, told
            rig.docker("tag", rig.image("unhealthy"), rig.image("v1"))
            said = run_script(rig, tmp_path)
            assert said.code == 0, said
            assert f"{rig.image('v1')} names another image by now" in said.out
            assert rig.answers() == "v1"
            assert rig.state() == before
            assert rig.names() == [f"{rig.project}-web-1"]
            assert rig.strays() == []
            assert rig.to_do() == []
            see_told(rig, told.json["run"])
        finally:
            rig.down()


def test_by_the_edge(engine, edge_image, tmp_path):
    """One swap made the edge, the next found it: the second goes back unseen, the first takes the edge away."""
    with green_up(EdgeRig, edge_image, tmp_path) as rig:
        before = rig.state()
        first = rig.swap("--observe", "0")
        assert first.code == 0, first
        second = rig.swap("--green", "new", "--blue", "old", "--observe", "0", "--commit")
        assert second.code == 0, second
        assert rig.container("new") is None
        refused = run_script(rig, tmp_path, script=script_of(rig, first.json["run"]))
        assert refused.code == 1, refused
        assert f"run {second.json['run']} came after this one" in refused.err

        with Clients(rig.http, rig.zmq) as clients:
            said = run_script(rig, tmp_path)
        assert said.code == 0, said
        assert rig.answers() == "new"
        assert clients.failed == []
        see_told(rig, second.json["run"])
        shown = rig.cutover("edge", "status")
        assert shown.code == 0, shown
        assert f"{rig.http}  http  -> new" in shown.out

        away = run_script(rig, tmp_path, script=script_of(rig, first.json["run"]))
        assert away.code == 0, away
        assert rig.answers() == "old"
        assert rig.state() == before
        assert rig.publishes("old") == {rig.zmq, rig.http}
        assert rig.traces() == []
        assert rig.nothing_to_do()
        see_told(rig, first.json["run"])
