"""Somebody dies in the middle of a swap by the edge, or afterwards: green serves, and nobody waits without end."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import time

import pytest

from tests.scenarios.edge_crash_world import Alone, PatientRig, one
from tests.scenarios.edge_world import green_up
from tests.scenarios.rig import ended

pytestmark = [pytest.mark.engine, pytest.mark.timeout(3600 if os.environ.get("CUTOVER_DEATHS_ALL") else 240)]
ALL = bool(os.environ.get("CUTOVER_DEATHS_ALL"))
ALONE_S = 25.0
"""How long nobody may have been served, at most, by kind of client: a green that is started again loads first."""
CLIENTS = 3
"""How many ask at a time: so many requests, at most, are in flight when somebody dies."""


@pytest.fixture
def rig(engine, edge_image, tmp_path):
    """Give a project with green up, to be swapped by the edge."""
    with green_up(PatientRig, edge_image, tmp_path) as up:
        yield up


@pytest.fixture
def standing(rig):
    """Give a project behind a standing edge; `new` serves, and `old` has no container."""
    assert rig.swap("--observe", "0").code == 0
    told = rig.swap("--green", "new", "--blue", "old", "--observe", "0", "--commit")
    assert told.code == 0, told
    told = rig.swap("--observe", "0", "--commit")
    assert told.code == 0, told
    return rig


class Patient(Alone):
    """Clients that tell two kinds of request from one that failed, both in flight with a colour that died.

    `lost` were answered by the edge in its place; of the answer to a `begun` one the client has the first bytes, so
    that nobody else can give it.
    """

    def __enter__(self):
        """Begin to ask."""
        self.lost = self.begun = 0
        return super().__enter__()

    def _each(self, kind, ask):
        def told(number):
            try:
                return ask(number)
            except KeyError:  # an error reply has no name
                self.lost += 1
                return "lost", number
            except http.client.IncompleteRead:
                self.begun += 1
                return "begun", number

        super()._each(kind, told)


def docker(*args):
    """Run docker, whatever comes of it."""
    return subprocess.run(["docker", *args], capture_output=True, text=True, check=False)


def killed_at(rig, victim, kind, *args):
    """Swap, kill a container when the step of this kind is begun; return what was told, and what clients saw."""
    with Patient(rig.http, rig.zmq, pause_s=0.02) as clients:
        runs = len(list((rig.folder / ".cutover" / rig.project).glob("*/journal.jsonl")))
        swap = rig.start("swap", "--json", *args)
        try:
            while len(list((rig.folder / ".cutover" / rig.project).glob("*/journal.jsonl"))) == runs:
                assert swap.poll() is None, ended(swap)
                time.sleep(0.02)
            with contextlib.suppress(AssertionError):
                rig.wait_record("intent", kind, timeout=60)
            docker("kill", f"{rig.project}-{victim}-1")
        finally:
            told = ended(swap, 180)
    return told, clients


def seen(record_property, what, told, clients, serving):
    """Keep what a death did, and print it."""
    figures = {
        "exit": told.code,
        "serves": sorted(serving),
        "failed": dict(clients.kinds()),
        "lost": clients.lost,
        "begun": clients.begun,
        "silence_s": {k: round(v, 2) for k, v in clients.silence_s.items()},
    }
    record_property(what, json.dumps(figures))
    print(f"{what}: {figures}")  # noqa: T201


def see_back(rig, told, clients, *, serves="new"):
    """See that green serves, that the run went back, and that no request failed but those that blue took with it."""
    serving = one(rig)
    assert told.code in {3, 0}, told
    assert serving == {serves}
    assert max(clients.lost, clients.begun) <= CLIENTS
    assert max(clients.silence_s.values()) < ALONE_S


WARM = ["create-blue", "start-blue", "prove-inside", "aim-edge", "switch-edge", "prove-outside", "watch"]
SAMPLE = WARM if ALL else ["aim-edge", "switch-edge", "watch"]


def test_blue_dies_on_a_standing_edge(standing, record_property):
    """Blue is killed at each step: the swap goes back, nothing fails."""
    for kind in SAMPLE:
        told, clients = killed_at(standing, "old", kind, "--green", "new", "--blue", "old", "--observe", "2")
        serving = one(standing)
        seen(record_property, f"blue dies at {kind}", told, clients, serving)
        if told.code == 0:  # it was killed before it ran: then it runs
            assert kind in {"create-blue", "start-blue"}
            assert standing.cutover("rollback").code == 0
            continue
        see_back(standing, told, clients)
        assert told.code == 3, told
        assert clients.failed == []


EXCLUSIVE = ["create-blue", "hold", "stop-green", "start-blue", "prove-inside", "aim-edge", "switch-edge", "release"]


def test_blue_dies_in_an_exclusive_swap(standing, record_property):
    """Blue is killed while it alone could answer: green is fetched back, and whoever waits is answered."""
    for kind in [*EXCLUSIVE, "prove-outside", "watch"] if ALL else ["aim-edge", "release"]:
        told, clients = killed_at(
            standing, "old", kind, "--green", "new", "--blue", "old", "--observe", "2", "--exclusive"
        )
        serving = one(standing)
        seen(record_property, f"exclusive: blue dies at {kind}", told, clients, serving)
        if told.code == 0:
            assert kind in {"create-blue", "hold", "stop-green", "start-blue"}
            assert standing.cutover("rollback").code == 0
            continue
        see_back(standing, told, clients)
        assert clients.failed == []


def test_blue_dies_in_an_adoption(rig, record_property):
    """Blue is killed at each step of the first swap: the edge goes again, and green has its ports."""
    everything = ["start-blue", "make-edge", "edit-files", "adopt", "aim-edge", "switch-edge", "prove-outside", "watch"]
    for kind in everything if ALL else ["adopt", "switch-edge"]:
        told, clients = killed_at(rig, "new", kind, "--observe", "2")
        serving = one(rig)
        seen(record_property, f"adoption: blue dies at {kind}", told, clients, serving)
        if told.code == 0:
            assert rig.cutover("rollback").code == 0
            continue
        see_back(rig, told, clients, serves="old")
        assert rig.traces() == []


@pytest.mark.parametrize("kind", ["aim-edge", "prove-outside"] if ALL else ["prove-outside"])
def test_green_dies(standing, kind, record_property):
    """Green is killed in the middle: the swap is done, or green is fetched back; somebody serves."""
    told, clients = killed_at(standing, "new", kind, "--green", "new", "--blue", "old", "--observe", "1")
    serving = one(standing)
    seen(record_property, f"green dies at {kind}", told, clients, serving)
    assert len(serving) == 1
    assert told.code in {0, 3}, told
    assert max(clients.silence_s.values()) < ALONE_S


def edge_of(rig, which):
    """Return the name of the edge's container for HTTP or ZeroMQ."""
    return next(e for e in rig.edges() if which in e)


@pytest.mark.parametrize("which", ["http", "zmq"])
def test_the_edge_crashes(standing, which, record_property):
    """The process of an edge's container dies: Docker starts it again, and it serves whom it served."""
    told = standing.swap("--green", "new", "--blue", "old", "--observe", "0")
    assert told.code == 0, told
    with Patient(standing.http, standing.zmq, pause_s=0.02) as clients:
        name = edge_of(standing, which)
        pid = docker("inspect", "-f", "{{.State.Pid}}", name).stdout
        os.kill(int(pid), signal.SIGKILL)
        time.sleep(3)
    serving = one(standing)
    seen(record_property, f"edge {which} crashes", told, clients, serving)
    assert serving == {"old"}
    assert standing.cutover("rollback").code == 0
    assert one(standing) == {"new"}


@pytest.mark.parametrize("which", ["http", "zmq"])
@pytest.mark.parametrize("how", ["kill", "restart", "pause"])
def test_the_edge_is_killed_in_a_swap(standing, how, which, record_property):
    """Somebody kills, restarts or pauses a container of the edge in the middle: the swap goes back or is done."""
    name = edge_of(standing, which)
    with Patient(standing.http, standing.zmq, pause_s=0.02) as clients:
        swap = standing.start("swap", "--json", "--green", "new", "--blue", "old", "--observe", "4")
        standing.wait_record("intent", "watch", timeout=60)
        docker(*(["restart", "-t", "1"] if how == "restart" else [how]), name)
        if how == "pause":
            time.sleep(2)
            docker("unpause", name)
        told = ended(swap, 180)
    serving = one(standing)
    seen(record_property, f"edge {which}: {how}", told, clients, serving)
    assert told.code in {0, 3}, told
    assert len(serving) == 1
    assert serving == ({"old"} if told.code == 0 else {"new"})
    assert max(clients.silence_s.values()) < ALONE_S


def test_the_edge_is_gone(standing, record_property):
    """Somebody removed the edge's containers: recover makes them again, and they serve whom they served."""
    for name in standing.edges():
        docker("rm", "-f", name)
    told = standing.cutover("recover", "--json")
    assert told.code == 0, told
    assert one(standing) == {"new"}


def test_the_edge_is_gone_in_an_adoption(rig, record_property):
    """Somebody removed the edge's containers after a first swap that was cut short: green gets its ports back."""
    swap = rig.start("swap", "--json", "--observe", "60")
    rig.wait_record("intent", "watch", timeout=60)
    os.kill(swap.pid, signal.SIGKILL)
    ended(swap)
    for name in rig.edges():
        docker("rm", "-f", name)
    told = rig.cutover("recover", "--json")
    assert told.code == 0, told
    assert one(rig) == {"old"}
    assert rig.traces() == []
