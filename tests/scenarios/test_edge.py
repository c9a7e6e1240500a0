"""The swap by the edge, on a real Engine, under clients that ask all the time."""

from __future__ import annotations

import subprocess

import pytest

from tests.scenarios.edge_world import Clients, EdgeRig, green_up

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]


@pytest.fixture
def rig(engine, edge_image, tmp_path):
    """Give a project with green up, to be swapped by the edge."""
    with green_up(EdgeRig, edge_image, tmp_path) as up:
        yield up


OUTSIDE = """
import socket
s = socket.socket(type=socket.SOCK_DGRAM)
s.connect(("203.0.113.9", 9))  # nothing is sent
print(s.getsockname()[0])
"""


def reaches_outside(rig, service):
    """Say whether a service would ask somebody outside from its address on the project's network."""
    asks_from = rig.compose("exec", "-T", service, "python3", "-c", OUTSIDE).stdout.strip()
    networks = rig.container(service)["NetworkSettings"]["Networks"]
    return asks_from == networks[f"{rig.project}_default"]["IPAddress"]


def kinds(told, state="done"):
    """Return the kinds of the steps in a state."""
    return [s["kind"] for s in told.json["steps"] if s["state"] == state]


def test_adopt_and_go_back(rig):
    """The first swap of an untouched stack; afterwards a rollback leaves it as it was, to the byte, without a trace."""
    before = rig.state()
    with Clients(rig.http, rig.zmq) as clients:
        told = rig.swap()
        assert told.code == 0, told
        assert rig.answers() == "new"
        assert len(rig.edges()) == 2
        assert rig.publishes("old") == rig.publishes("new") == set()
        assert "ports:" not in rig.file.read_text()
        assert rig.tables() == []
        shown = rig.cutover("status")
        assert f"{rig.http}/tcp  new (behind the edge)" in shown.out, shown
        assert reaches_outside(rig, "old")
        back = rig.cutover("rollback", "--json")
        assert back.code == 0, back
        assert rig.answers() == "old"
    clients.see_none_lost_unseen(told, back)
    assert {name for _, name in clients.answered} == {"old", "new"}
    assert rig.state() == before
    assert rig.publishes("old") == {rig.zmq, rig.http}
    assert rig.traces() == []
    assert rig.nothing_to_do()
    again = rig.swap("--observe", "0")  # the container of green is the same as before
    assert again.code == 0, again


def test_a_standing_edge_flips(rig):
    """Forth and back and forth; the files stay, Compose finds nothing to do, and green goes when it is committed."""
    assert rig.swap("--observe", "0").code == 0
    text = rig.file.read_text()
    with Clients(rig.http, rig.zmq) as clients:
        told = rig.swap("--green", "new", "--blue", "old", "--observe", "0")
        assert told.code == 0, told
        assert kinds(told)[-2:] == ["switch-edge", "prove-outside"]
        assert rig.answers() == "old"
        assert rig.cutover("rollback").code == 0
        assert rig.answers() == "new"
        assert rig.swap("--green", "new", "--blue", "old", "--observe", "0", "--commit").code == 0
        assert rig.answers() == "old"
    assert clients.failed == [], (clients.failed[:3], clients.failed[-3:])
    assert clients.reopened == 0
    assert rig.file.read_text() == text
    assert rig.container("new") is None
    assert rig.nothing_to_do()
    assert rig.leftovers() == []


def test_exclusive_holds(rig):
    """Green is stopped before blue loads, and who asks meanwhile waits instead of failing."""
    rig.env["NEW_LOAD_S"] = "3"
    assert rig.swap("--observe", "0").code == 0
    assert rig.swap("--green", "new", "--blue", "old", "--observe", "0").code == 0
    rig.compose("stop", "new")
    with Clients(rig.http, rig.zmq) as clients:
        told = rig.swap("--exclusive", "--observe", "0")
        assert told.code == 0, told
        assert rig.answers() == "new"
        assert not rig.container("old")["State"]["Running"]
        assert rig.cutover("rollback").code == 0
        assert rig.answers() == "old"
    assert clients.failed == [], (clients.failed[:3], clients.failed[-3:])
    assert 3 < clients.longest_s < 20


def test_the_edge_goes_back_by_itself(rig):
    """Blue is killed after the swap: green, still warm, answers within a second; a rollback makes it so for good."""
    assert rig.swap("--observe", "0").code == 0
    subprocess.run(["docker", "kill", f"{rig.project}-new-1"], check=True, capture_output=True)
    rig.wait_answer("old", 2.0)
    assert "the edge went back by itself" in rig.cutover("status").out
    assert rig.cutover("rollback").code == 0
    assert rig.traces() == []
    assert rig.answers() == "old"


def test_canary(rig):
    """A share first, another, then all of it; or back."""
    assert rig.swap("--observe", "0").code == 0
    told = rig.cutover("canary", "50", "--green", "new", "--blue", "old", "--json")
    assert told.code == 0, told
    with Clients(rig.http, rig.zmq, pause_s=0.002) as clients:
        assert rig.swap("--green", "new", "--blue", "old").json["error"]["reference"] == "canary-runs"
        assert rig.cutover("commit").code == 1
    assert clients.failed == [], (clients.failed[:3], clients.failed[-3:])
    assert {name for _, name in clients.answered} == {"old", "new"}
    assert rig.cutover("canary", "10", "--json").code == 0
    assert rig.cutover("promote", "--json").code == 0
    assert {rig.answers() for _ in range(10)} == {"old"}
    assert rig.cutover("rollback").code == 0
    assert {rig.answers() for _ in range(10)} == {"new"}


def test_the_doctor_knows_a_green_that_cutover_keeps(rig):
    """Whatever became of it since, it is no fault; nor is blue behind the edge, without a port of its own."""
    told = rig.swap("--observe", "0")
    assert told.code == 0, told
    subprocess.run(["docker", "kill", f"{rig.project}-old-1"], check=True, capture_output=True)
    said = rig.cutover("doctor", "--json")
    assert said.code == 0, said
    found = {one["service"]: [f["code"] for f in one["findings"]] for one in said.json["services"]}
    assert found["old"] == ["kept-by-cutover"]
    assert set(found["new"]) <= {"listened-not-published"}
    answered = {one["service"]: one["answered"] for one in said.json["services"]}
    assert answered["new"] == 2, "each probe is put to blue at its own address"
    assert any("edge status" in line for line in said.json["unknown"]), said
