"""A command that is killed while an edge is made, told, replaced or taken away: `cutover recover` leaves one colour.

CUTOVER_CRASH_ALL=1 kills after every record and before every act; without it, at a few of them.
"""

from __future__ import annotations

import itertools
import json
import secrets

import pytest

from tests.scenarios.edge_crash_world import ALL, KILLED, PatientRig, World, asked, files, killed
from tests.scenarios.rig import free_ports

pytestmark = [pytest.mark.engine, pytest.mark.timeout(3600 if ALL else 240)]
ALONE_S = 20.0
"""For so long, at most, a client may wait for an answer while cutover is killed and called again: a process or two."""


@pytest.fixture
def rig(engine, edge_image, tmp_path):
    """Give a project with green up, to be swapped by the edge."""
    zmq, http = free_ports(2)
    made = PatientRig(tmp_path, f"ck{secrets.token_hex(4)}", zmq, http)
    made.edge_image = edge_image
    made.write()
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def adopted(rig):
    """Give a world in which no edge stands, and what the files are after an adoption."""
    before = files(rig)
    assert rig.swap("--observe", "0").code == 0
    after = files(rig)
    assert rig.cutover("rollback").code == 0
    return World(rig, before, after, stood=False)


@pytest.fixture
def standing(rig):
    """Give a world in which an edge stands, `new` serves, and nothing can be rolled back."""
    assert rig.swap("--observe", "0").code == 0
    told = rig.swap("--green", "new", "--blue", "old", "--observe", "0", "--commit")
    assert told.code == 0, told
    assert rig.swap("--observe", "0").code == 0
    now = files(rig)
    return World(rig, now, now, stood=True)


def points(*sample):
    """Return where to kill: everywhere, or at the points of the sample."""
    if not ALL:
        return iter(sample)
    first, _, last = ALL.partition("-")
    return iter(range(int(first), int(last) + 1)) if last else itertools.count(int(first))


def tell(record_property, name, served, silences):
    """Keep what became of the kills, and print it (-s, -rP)."""
    figures = {
        "kills": len(served),
        "served": {n: served.count(n) for n in set(served)},
        "longest silence_s": round(max((s["silence_s"] for s in silences), default=0.0), 2),
        "failed": [s["failed"] for s in silences if s["failed"]],
    }
    record_property(name, json.dumps(figures))
    print(f"{name}: {figures}")  # noqa: T201


def looked_at(world, number, said, silence):
    """Print what was killed where, and, where a request failed, what the recovery said."""
    print(number, said.splitlines()[-1:], silence)  # noqa: T201
    if silence["failed"]:
        print(world.said)  # noqa: T201


def flip(serving):
    """Return the options of a swap from whoever serves to the other one."""
    return ["--green", serving, "--blue", "old" if serving == "new" else "new"]


STARTS = [pytest.param(None, id="record"), pytest.param("-", id="act")]


@pytest.mark.parametrize("start", STARTS)
def test_adopting(adopted, start, record_property):
    """The first swap of an untouched stack."""
    world, served, silences = adopted, [], []
    for number in points(*((6, 9, 15) if start is None else (30,))):
        with asked(world.rig, ALONE_S, silences):
            code, said = killed(world.rig, number, "swap", "--observe", "0", start=start)
            if code == KILLED:
                served.append(world.recovered())
        looked_at(world, number, said, silences[-1])
        if code == 0:
            break
        assert code == KILLED, said
        if served[-1] == "new":
            assert world.rig.cutover("rollback").code == 0
    tell(record_property, f"adopting {start}", served, silences)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("kind", ["warm", "exclusive"])
def test_on_a_standing_edge(standing, kind, start, record_property):
    """A swap behind an edge that stands, and one that holds requests while nobody can answer."""
    world, served, silences = standing, ["new"], []
    more = ["--exclusive"] if kind == "exclusive" else []
    for number in points(*((8, 11, 15) if start is None else (14,))):
        with asked(world.rig, ALONE_S, silences):
            code, said = killed(world.rig, number, "swap", "--observe", "0", *more, *flip(served[-1]), start=start)
            if code == KILLED:
                served.append(world.recovered())
        looked_at(world, number, said, silences[-1])
        if code == 0:
            break
        assert code == KILLED, said
    tell(record_property, f"{kind} {start}", served[1:], silences)


@pytest.mark.parametrize("start", STARTS)
def test_rollback_of_an_adoption(adopted, start, record_property):
    """The way back from the first swap: the edge goes."""
    world, served, silences = adopted, ["old"], []
    for number in points(*((4, 8) if start is None else (25,))):
        if served[-1] == "old":
            assert world.rig.swap("--observe", "0").code == 0
        with asked(world.rig, ALONE_S, silences):
            code, said = killed(world.rig, number, "rollback", start=start)
            if code == KILLED:
                served.append(world.recovered())
        looked_at(world, number, said, silences[-1])
        if code == 0:
            break
        assert code == KILLED, said
        assert served[-1] == "old" or number == 1 or start == "-"
    tell(record_property, f"rollback {start}", served[1:], silences)


@pytest.mark.parametrize("start", STARTS)
def test_commit(standing, start, record_property):
    """A commit is finished: blue serves, green is gone."""
    world, served, silences, serving = standing, [], [], "new"
    for number in points(*((1,) if start is None else (3,))):
        told = world.rig.swap("--observe", "0", *flip(serving))
        assert told.code == 0, told
        serving = "old" if serving == "new" else "new"
        with asked(world.rig, ALONE_S, silences):
            code, said = killed(world.rig, number, "commit", start=start)
            if code == KILLED:
                served.append(world.recovered())
        looked_at(world, number, said, silences[-1])
        if code == 0:
            break
        assert code == KILLED, said
        assert served[-1] == serving
        if not world.rig.cutover("status", "--json").json["committed"]:
            assert world.rig.cutover("commit").code == 0
    tell(record_property, f"commit {start}", served, silences)


@pytest.mark.parametrize("start", STARTS)
def test_canary(standing, start, record_property):
    """A canary is begun, and promoted: it goes back, or is done."""
    world, served, silences, serving = standing, [], [], "new"
    for number in points(*((10,) if start is None else (12,))):
        with asked(world.rig, ALONE_S, silences):
            code, said = killed(world.rig, number, "canary", "50", *flip(serving), start=start)
            if code == KILLED:
                told = world.rig.cutover("recover", "--json")
                assert told.code == 0, told
                if not canary_runs(world.rig):
                    served.append(world.recovered())
                    assert served[-1] == serving
        looked_at(world, number, said, silences[-1])
        if canary_runs(world.rig):
            assert world.rig.cutover("rollback").code == 0
        if code == 0:
            break
        assert code == KILLED, said
    tell(record_property, f"canary {start}", served, silences)


@pytest.mark.parametrize("start", STARTS)
def test_promote(standing, start, record_property):
    """A promotion that is killed goes back to green, or is done."""
    world, served, silences = standing, ["new"], []
    for number in points(*((2,) if start is None else (3,))):
        if not canary_runs(world.rig):
            told = world.rig.cutover("canary", "50", *flip(served[-1]))
            assert told.code == 0, told
        with asked(world.rig, ALONE_S, silences):
            code, said = killed(world.rig, number, "promote", start=start)
            if code == KILLED:
                told = world.rig.cutover("recover", "--json")
                assert told.code == 0, told
                if not canary_runs(world.rig):
                    served.append(world.recovered())
        looked_at(world, number, said, silences[-1])
        if code == 0:
            break
        assert code == KILLED, said
    tell(record_property, f"promote {start}", served[1:], silences)


def canary_runs(rig):
    """Say whether a share goes to the other colour."""
    ports = rig.cutover("edge", "status", "--json").json["ports"]
    return any(p["canary_percent"] for p in ports)


def test_upgrade(standing, record_property):
    """The edge itself is replaced, which no journal tells: whatever was left of one generation goes."""
    world, served, silences = standing, [], []
    for number in points(12, 30, 45):
        with asked(world.rig, ALONE_S, silences):
            code, said = killed(world.rig, number, "edge", "upgrade", "--force", start="-")
            if code == KILLED:
                served.append(world.recovered())
        looked_at(world, number, said, silences[-1])
        if code == 0:
            break
        assert code == KILLED, said
        assert served[-1] == "new"
    tell(record_property, "upgrade", served, silences)
