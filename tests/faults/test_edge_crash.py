"""A command that is killed while an edge is made, told, replaced or taken away: `cutover recover` leaves one colour.

CUTOVER_CRASH_ALL=1 kills after every record, or before every act; without it, at a few of them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time

import pytest

from tests.scenarios.edge_crash_world import ALL, KILLED, PatientRig, World, asked, files, killed
from tests.scenarios.edge_world import green_up

pytestmark = [pytest.mark.engine, pytest.mark.timeout(3600 if ALL else 240)]
ALONE_S = 30.0
"""For so long, at most, a client may wait for an answer while cutover is killed and called again: a process or two."""


@pytest.fixture(scope="module")
def up(engine, edge_image, tmp_path_factory):
    """Return how a project is made, with green up; it is taken away at the end."""
    with contextlib.ExitStack() as opened:
        yield lambda: opened.enter_context(green_up(PatientRig, edge_image, tmp_path_factory.mktemp("crash")))


@pytest.fixture(scope="module")
def untouched(up):
    """Give a world in which no edge stands, and what the files are after an adoption."""
    rig = up()
    before = files(rig)
    done(rig.swap("--observe", "0"))
    after = files(rig)
    done(rig.cutover("rollback"))
    return World(rig, before, after, stood=False, serving="old")


@pytest.fixture(scope="module")
def standing(up):
    """Give a world in which an edge stands, and every container is behind it."""
    rig = up()
    done(rig.swap("--observe", "0"))
    done(rig.swap("--green", "new", "--blue", "old", "--observe", "0", "--commit"))
    now = files(rig)
    return World(rig, now, now, stood=True, serving="old")


def done(told):
    """See that a command did what it was told."""
    assert told.code == 0, told


def points(sample):
    """Return where to kill: at the points of the sample, or at all that CUTOVER_CRASH_ALL names."""
    if not ALL:
        return iter(sample)
    first, _, last = ALL.partition("-")
    return iter(range(int(first), int(last) + 1)) if last else itertools.count(int(first))


def nothing():
    """Do nothing."""


@pytest.fixture
def crash(record_property):
    """Return what kills a command at each point and recovers, until it lives; figures are kept, and printed (-s)."""

    def each(world, sample, command, *, start=None, linger_s=0.0, ready=nothing, first=nothing, last=nothing):
        told, served = [], []
        for number in points(sample):
            ready()
            with asked(world.rig, ALONE_S, told):
                code, said = killed(world.rig, number, *command(), start=start)
                if code == KILLED:
                    time.sleep(linger_s)
                    served.append(world.recovered(closely=bool(ALL) or not served, first=first))
            print(number, said.splitlines()[-1:], told[-1], world.said if told[-1]["failed"] else "")  # noqa: T201
            if code == 0:
                first()
                world.check(closely=False)
                last()
                break
            assert code == KILLED, said
        figures = {
            "kills": len(served),
            "served": {n: served.count(n) for n in sorted(set(served))},
            "longest silence_s": round(max(t["silence_s"] for t in told), 2),
            "failed": [t["failed"] for t in told if t["failed"]],
        }
        record_property("crashes", json.dumps(figures))
        print(figures)  # noqa: T201

    return each


@pytest.mark.parametrize("start", [None, "adopt"], ids=["record", "redirected"])
def test_adopting(untouched, crash, start):
    """The first swap of an untouched stack, after records, and in the middle of the move of the ports."""

    def back():
        if untouched.serving == "new":
            done(untouched.rig.cutover("rollback"))
            untouched.check(closely=False)

    sample = (15, 19) if start is None else (24, 32)
    crash(
        untouched,
        sample,
        lambda: ["swap", "--observe", "0"],
        start=start,
        linger_s=2.0 if start else 0.0,
        ready=back,
    )
    back()


@pytest.mark.parametrize("start", [None, "-"], ids=["record", "act"])
def test_rollback_of_an_adoption(untouched, crash, start):
    """The way back from the first swap: the edge goes."""

    def forth():
        if untouched.serving == "old":
            done(untouched.rig.swap("--observe", "0"))
            untouched.check(closely=False)

    crash(untouched, (7,) if start is None else (30,), lambda: ["rollback"], start=start, ready=forth)
    if untouched.serving == "new":
        done(untouched.rig.cutover("rollback"))


@pytest.mark.parametrize("start", [None, "-"], ids=["record", "act"])
@pytest.mark.parametrize("kind", ["warm", "exclusive"])
def test_on_a_standing_edge(standing, crash, kind, start):
    """A swap behind an edge that stands, and one that holds requests while nobody can answer."""
    more = ["--exclusive"] if kind == "exclusive" else []
    sample = {"warm": (11,), "exclusive": (9, 17)}[kind] if start is None else {"warm": (8,), "exclusive": (12,)}[kind]
    crash(standing, sample, lambda: ["swap", "--observe", "0", *more, *flip(standing)], start=start)


@pytest.mark.parametrize("start", [None, "-"], ids=["record", "act"])
def test_commit(standing, crash, start):
    """A commit is finished: blue serves, green is gone."""

    def to_commit():
        newest = standing.rig.cutover("status", "--json").json
        if newest["committed"] is not False:
            done(standing.rig.swap("--observe", "0", *flip(standing)))
            standing.check(closely=False)

    def see_committed():
        if start is None:
            assert standing.rig.cutover("status", "--json").json["committed"]

    crash(
        standing, (1,) if start is None else (3,), lambda: ["commit"], start=start, ready=to_commit, last=see_committed
    )


@pytest.mark.parametrize("start", [None, "-"], ids=["record", "act"])
def test_canary(standing, crash, start):
    """A canary that is cut short while it begins goes back."""

    def whole():
        if shares(standing.rig):
            done(standing.rig.cutover("rollback"))

    command = lambda: ["canary", "50", *flip(standing)]  # noqa: E731
    crash(standing, (10,) if start is None else (7,), command, start=start, first=whole)
    whole()


@pytest.mark.parametrize("start", [None, "-"], ids=["record", "act"])
def test_promote(standing, crash, start):
    """A promotion that is killed goes back to green, or is done."""

    def shared():
        if not shares(standing.rig):
            done(standing.rig.cutover("canary", "50", *flip(standing)))

    crash(standing, (1,), lambda: ["promote"], start=start, ready=shared)


def test_upgrade(standing, crash):
    """The edge itself is replaced, which no journal tells: whatever was left of one generation goes."""
    serving = standing.serving
    crash(standing, (32, 41), lambda: ["edge", "upgrade", "--force"], start="-")
    assert standing.serving == serving


def flip(world):
    """Return the options of a swap from whoever serves to the other one."""
    return ["--green", world.serving, "--blue", "old" if world.serving == "new" else "new"]


def shares(rig):
    """Say whether a share goes to the other colour."""
    ports = rig.cutover("edge", "status", "--json").json["ports"]
    return any(p["canary_percent"] for p in ports)
