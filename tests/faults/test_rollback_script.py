"""`rollback.sh` after SIGKILL at the records of a swap, and drills: three swaps walked back, with and without cutover.

CUTOVER_CRASH_ALL=1 kills after every record instead of every third; -s prints the figures as a table.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from contextlib import contextmanager

import pytest

from cutover.flow.lock import holder_of
from tests.scenarios.conftest import bare_rig
from tests.scenarios.edge_world import EdgeRig, green_up
from tests.scenarios.rig import free_ports
from tests.scenarios.roll_world import RollRig, build, images
from tests.scenarios.script_world import Watched, run_script, script_of
from tests.scenarios.test_crash import KILLED, killed

pytestmark = [pytest.mark.engine, pytest.mark.timeout(3600)]
STEP = 1 if os.environ.get("CUTOVER_CRASH_ALL") else 3
FORTH, BACK = ("--green", "old", "--blue", "new"), ("--green", "new", "--blue", "old")


class Two:
    """Two services, swapped by `relink` or `recreate`."""

    names = ("old", "new", "old", "new")

    def __init__(self, rig, strategy):
        self.rig, self.strategy = rig, strategy
        self.before = rig.state()

    def args(self, number):
        """Return what the n-th swap is told."""
        return ("swap", *(FORTH if number % 2 == 0 else BACK), "--strategy", self.strategy, "--observe", "0")

    def see(self, name):
        """See that this service alone serves, and what there is else."""
        rig = self.rig
        assert rig.answers() == name
        assert rig.publishes(name) == {rig.zmq, rig.http}
        assert rig.leftovers() == []
        if name == "old":
            assert rig.state() == self.before or self.swaps() > 0
        assert rig.nothing_to_do()

    def swaps(self):
        """Return how many swaps stand."""
        return sum(r["result"] == "done" for r in self.rig.cutover("history", "--json").json["runs"])


class ByEdge(Two):
    """Two services behind an edge."""

    def see(self, name):
        """See that this service alone serves, through the edge as long as a swap stands."""
        rig = self.rig
        assert rig.answers() == name
        if self.swaps() == 0:
            assert rig.publishes(name) == {rig.zmq, rig.http}
            assert rig.traces() == []
            assert rig.nothing_to_do()
            assert rig.state() == self.before
        else:
            assert rig.cutover("edge", "status").code == 0


class Rolled(Two):
    """One service, rolled from image to image."""

    names = ("v1", "v2", "v3", "v2")

    def args(self, number):
        """Return what the n-th swap is told."""
        image = self.rig.image(self.names[number + 1])
        return ("swap", "--service", "web", "--strategy", self.strategy, "--image", image, "--observe", "0")

    def see(self, name):
        """See that one container serves, of this image and of its usual name."""
        rig = self.rig
        assert rig.answers() == name
        assert rig.names() == [f"{rig.project}-web-1"]
        assert rig.strays() == []
        assert rig.to_do() == []


@contextmanager
def world(strategy, folder, edge_image):
    """Give a world in which green serves, for a strategy."""
    folder.mkdir(parents=True, exist_ok=True)
    if strategy == "edge":
        with green_up(EdgeRig, edge_image, folder) as rig:
            yield ByEdge(rig, strategy)
        return
    if strategy == "roll":
        with images() as name:
            build(f"{name}:v3", "ENV NAME=v3")
            rig = RollRig(folder, f"ct{secrets.token_hex(4)}", *free_ports(2))
            rig.images = name
            rig.write()
            yield from _up(rig, Rolled(rig, "relink"))
            subprocess.run(["docker", "rmi", "-f", f"{name}:v3"], check=False, capture_output=True)
        return
    rig = bare_rig(folder)
    rig.write()
    yield from _up(rig, Two(rig, strategy))


def _up(rig, made):
    try:
        rig.up()
        made.before = rig.state()
        yield made
    finally:
        rig.down()


@pytest.mark.parametrize(
    ("strategy", "stands"), [("relink", 0), ("recreate", 0), ("roll", 0), ("edge", 0), ("edge", 1)]
)
def test_killed(engine, edge_image, tmp_path, strategy, stands):
    """A swap killed after a record, the first or one that stands on another: the script alone brings green back."""
    worst, walked = 0.0, 0
    with world(strategy, tmp_path / "project", edge_image) as made:
        rig = made.rig
        for number in range(stands):
            swapped(made, number)
        for record in range(2, 80, STEP):
            code = killed(rig, record, *made.args(stands))
            if code == 0:
                break
            assert code == KILLED
            newest = max(p for p in (rig.folder / ".cutover" / rig.project).iterdir() if p.name[:2] == "20")
            if not (newest / "rollback.sh").exists():  # nothing was changed yet
                assert rig.cutover("recover").code == 0
                continue
            said = run_script(rig, tmp_path)
            assert said.code == 0, (record, said)
            worst, walked = max(worst, said.silent_s), walked + 1
            made.see(made.names[stands])
            assert made.swaps() == stands
            assert holder_of(rig.folder / ".cutover", rig.project) is None
            told = rig.cutover("recover")
            assert "nothing to recover" in told.out, (record, told)
            made.see(made.names[stands])
        assert code == 0, "the last swap was not killed"
    print(f"{strategy}, {stands} before: {walked} kills, worst silence {worst:.2f} s")  # noqa: T201
    assert walked >= 12 // STEP


@pytest.mark.parametrize("strategy", ["relink", "recreate", "roll", "edge"])
def test_drill(engine, edge_image, tmp_path, strategy):
    """Three swaps, walked back one by one with cutover; three more, walked back by the scripts alone."""
    rows = []
    with world(strategy, tmp_path / "project", edge_image) as made:
        rig = made.rig
        for way in ("cutover rollback", "rollback.sh"):
            for number in range(3):
                swapped(made, number)
                made.see(made.names[number + 1])
            for number in (2, 1, 0):
                silent_s, failed, took_s = _walked(rig, tmp_path, way)
                assert failed == 0 or strategy != "edge" or (way, number) == ("rollback.sh", 0), failed
                made.see(made.names[number])
                assert made.swaps() == number
                rows.append((strategy, way, number + 1, took_s, silent_s, failed))
        swapped(made, 0)  # it goes on as if nothing had been
    print("strategy  way               run  took s  silent s  failed")  # noqa: T201
    for row in rows:
        print("{:<9} {:<17} {:>3} {:>7.2f} {:>9.2f} {:>7}".format(*row))  # noqa: T201


def swapped(made, number):
    """Swap for the n-th time; once more where a machine out of breath turned it back."""
    told = made.rig.cutover(*made.args(number))
    if told.code == 3:
        print(told)  # noqa: T201
        told = made.rig.cutover(*made.args(number))
    assert told.code == 0, told


def _walked(rig, folder, way):
    """Go back from the newest run that stands; return the longest silence, what failed, and how long it took."""
    began = time.monotonic()
    if way == "rollback.sh":
        standing = [r["run"] for r in rig.cutover("history", "--json").json["runs"] if r["result"] == "done"]
        began = time.monotonic()
        said = run_script(rig, folder, script=script_of(rig, standing[-1]))
        assert said.code == 0, said
        return said.silent_s, said.failed, time.monotonic() - began
    with Watched(rig.http) as watched:
        told = rig.cutover("rollback")
    assert told.code == 0, told
    return watched.longest_s, watched.failed, time.monotonic() - began


def test_an_edge_that_does_not_listen(engine, edge_image, tmp_path):
    """Its control sockets are gone, then its containers: it is started again, or made again, as it was before."""
    with world("edge", tmp_path / "project", edge_image) as made:
        rig = made.rig
        swapped(made, 0)
        for harm in ("sockets", "containers"):
            swapped(made, 1)
            for name in rig.edges():
                if harm == "sockets":
                    sockets = "/run/cutover/haproxy/admin.sock /run/cutover/broker/control.sock"
                    subprocess.run(["docker", "exec", name, "sh", "-c", f"rm -f {sockets}"], check=True)
                else:
                    subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)
            said = run_script(rig, tmp_path)
            assert said.code == 0, (harm, said)
            made.see("new")
            print(f"edge without {harm}: silent for {said.silent_s:.2f} s")  # noqa: T201


def test_after_a_commit_and_a_prune(engine, edge_image, tmp_path):
    """Green's image is gone: refused, with nothing changed. Back again (a backup has it), the script goes on."""
    with world("relink", tmp_path / "project", edge_image) as made:
        rig = made.rig
        own = f"ct-own-{secrets.token_hex(4)}:1"
        subprocess.run(
            ["docker", "build", "-q", "-t", own, "-"], input=b"FROM language-stack:demo\nENV X=1\n", check=True
        )
        rig.file.write_text(rig.file.read_text().replace("language-stack:demo", own, 1))
        rig.compose("up", "-d", "old")
        rig.wait_answer("old")
        made.before = rig.state()
        assert rig.cutover(*made.args(0), "--commit").code == 0
        kept = tmp_path / "image.tar"
        subprocess.run(["docker", "save", "-o", kept, own], check=True)
        subprocess.run(["docker", "rmi", own], check=True, capture_output=True)
        said = run_script(rig, tmp_path)
        assert said.code == 1, said
        assert "is gone" in said.err
        assert rig.answers() == "new"
        subprocess.run(["docker", "load", "-i", kept], check=True, capture_output=True)
        said = run_script(rig, tmp_path)
        assert said.code == 0, said
        made.see("old")
    subprocess.run(["docker", "rmi", own], check=True, capture_output=True)
