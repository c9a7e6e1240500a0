"""`rollback.sh` after every kind of swap, and drills: the last three runs rolled back, with cutover and without."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import time

import pytest

from tests.scenarios.conftest import bare_rig
from tests.scenarios.edge_world import EdgeRig, green_up
from tests.scenarios.rig import free_ports
from tests.scenarios.roll_world import RollRig, images
from tests.scenarios.script_world import Asking, by_hand, runs_of
from tests.scenarios.test_crash import KILLED, killed

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


@contextlib.contextmanager
def plain(folder, strategy):
    """Give a stack without an edge, swapped by this strategy if nothing else is said."""
    rig = bare_rig(folder)
    rig.write()
    settings = rig.folder / "cutover.yaml"
    settings.write_text(settings.read_text().replace("strategy: relink", f"strategy: {strategy}"))
    try:
        rig.up()
        yield rig
    finally:
        rig.down()


@contextlib.contextmanager
def standing(folder, edge_image):
    """Give a stack behind an edge, both colours up."""
    with green_up(EdgeRig, edge_image, folder) as rig:
        for more in ([], ["--green", "new", "--blue", "old", "--commit"]):
            told = rig.swap("--observe", "0", *more)
            assert told.code == 0, told
        yield rig


def went_back(rig, *, to="old", run=None):
    """Run a script under load, and say what was seen."""
    began = time.monotonic()
    with Asking(rig) as client:
        told = by_hand(rig, run=run)
        took = time.monotonic() - began
        assert told.code == 0, told
        rig.wait_answer(to)
    again = by_hand(rig, run=run)
    assert (again.code, "already" in again.out) == (0, True), again
    print(f"rollback.sh: {took:.1f} s, silence {client.silence_s:.2f} s")  # noqa: T201
    return client


def test_recreate(engine, tmp_path):
    """Green stops and starts."""
    with plain(tmp_path, "recreate") as rig:
        before = rig.state()
        assert rig.swap("--observe", "0").code == 0
        went_back(rig)
        assert (rig.state(), rig.publishes("old"), rig.nothing_to_do()) == (before, {rig.zmq, rig.http}, True)


def test_after_a_commit(engine, tmp_path):
    """Green's container is gone: Compose makes it again from the file."""
    with plain(tmp_path, "relink") as rig:
        before = rig.state()
        assert rig.swap("--observe", "0", "--commit").code == 0
        assert rig.container("old") is None
        went_back(rig)
        assert (rig.state(), rig.publishes("old"), rig.nothing_to_do()) == (before, {rig.zmq, rig.http}, True)


@pytest.mark.parametrize("record", range(3, 23, 2))
@pytest.mark.parametrize("strategy", ["relink", "recreate"])
def test_cutover_died(engine, tmp_path, strategy, record):
    """After a record of the journal; cutover finds nothing left to do afterwards."""
    with plain(tmp_path, strategy) as rig:
        before = rig.state()
        if killed(rig, record, "swap", "--observe", "0") != KILLED:
            return
        if not runs_of(rig):
            assert rig.answers() == "old"
            return
        told = by_hand(rig)
        assert told.code == 0, told
        rig.wait_answer("old")
        assert (rig.state(), rig.publishes("old"), rig.publishes("new")) == (before, {rig.zmq, rig.http}, set())
        assert rig.leftovers() == []
        assert rig.cutover("recover", "--json").json["recovered"] == []
        assert rig.swap("--observe", "0").code == 0


@pytest.mark.parametrize("kind", ["warm", "exclusive", "committed", "canary"])
def test_on_a_standing_edge(engine, edge_image, tmp_path, kind):
    """The edge is told what it was told before, and started again with that."""
    with standing(tmp_path, edge_image) as rig:
        before = rig.state()
        more = {"exclusive": ["--exclusive"], "committed": ["--commit"]}.get(kind, [])
        told = rig.cutover("canary", "50") if kind == "canary" else rig.swap("--observe", "0", *more)
        assert told.code == 0, told
        went_back(rig)
        assert rig.state() == before
        assert {rig.answers() for _ in range(20)} == {"old"}
        ports = rig.cutover("edge", "status", "--json").json["ports"]
        assert not any(p["canary_percent"] for p in ports)
        assert rig.swap("--observe", "0").code == 0
        assert rig.answers() == "new"


@pytest.mark.parametrize("strategy", ["relink", "recreate"])
@pytest.mark.parametrize("commit", [False, True])
def test_a_service_that_was_replaced_by_itself(engine, tmp_path, strategy, commit):
    """The old image again, though its container may be gone, and the one line of the file."""
    with images() as built:
        rig = RollRig(tmp_path, f"ct{secrets.token_hex(4)}", *free_ports(2))
        rig.images = built
        rig.write()
        try:
            rig.up()
            rig.settle(strategy)
            before, name = rig.state(), rig.answers()
            more = ["--commit"] if commit else []
            told = rig.swap("--service", "web", "--image", rig.image("v2"), "--observe", "0", *more)
            assert told.code == 0, told
            went_back(rig, to=name)
            assert rig.state() == before
            assert rig.publishes("web") == {rig.zmq, rig.http}
            assert rig.to_do() == []
        finally:
            rig.down()


@pytest.mark.parametrize("way", ["cutover rollback", "rollback.sh"])
@pytest.mark.parametrize("kind", ["relink", "edge"])
def test_drill(engine, edge_image, tmp_path, kind, way):
    """Three swaps there and back again, and each of them undone, newest first."""
    world = plain(tmp_path, "relink") if kind == "relink" else green_up(EdgeRig, edge_image, tmp_path)
    with world as rig:
        states, colours = [rig.state()], ["old", "new", "old", "new"]
        for green, blue in itertools.pairwise(colours):
            told = rig.swap(
                "--green", green, "--blue", blue, "--observe", "0", *(["--commit"] if blue == "old" else [])
            )
            assert told.code == 0, told
            states.append(rig.state())
        runs = runs_of(rig)
        assert len(runs) == 3
        older = by_hand(rig, run=runs[0])
        assert (older.code, "came later" in older.err) == (1, True), older
        for number in (2, 1, 0):
            began = time.monotonic()
            with Asking(rig) as client:
                run = runs[number]
                told = by_hand(rig, run=run) if way == "rollback.sh" else rig.cutover("rollback", run.name)
                took = time.monotonic() - began
                assert told.code == 0, told
                rig.wait_answer(colours[number])
            assert rig.state() == states[number]
            shown = f"{kind}, run {number + 1} by {way}: {took:.1f} s, silence {client.silence_s:.2f} s, file equal"
            print(shown)  # noqa: T201


def test_cutover_died_while_it_watched(engine, rig):
    """Killed while blue is watched: the script is there already, and a recovery finds nothing left to do."""
    before = rig.state()
    process = rig.start("swap", "--observe", "30")
    rig.wait_record("intent", "watch")
    held = by_hand(rig)
    assert (held.code, "at work" in held.err) == (1, True), held
    process.kill()
    process.communicate()
    assert by_hand(rig).code == 0
    rig.wait_answer("old")
    assert (rig.state(), rig.publishes("old"), rig.nothing_to_do()) == (before, {rig.zmq, rig.http}, True)
