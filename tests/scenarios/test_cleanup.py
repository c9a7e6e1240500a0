"""`cleanup`: what old swaps left goes on request; what is somebody else's, or needed to go back, stays."""

from __future__ import annotations

import contextlib
import json
import os
import secrets

import docker
import docker.errors
import pytest

from cutover.model import COPY_OF_LABEL
from tests.scenarios.rig import IMAGE, free_ports
from tests.scenarios.roll_world import RollRig, build

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
TAGS = ("v1", "v2", "v3")
STACK = """\
services:
  web:
    image: "{image}"
    command: ["python3", "/srv/server.py"]
    ports: ["{zmq}:5570", "{http}:6570"]
    volumes: ["./server.py:/srv/server.py:ro"]
    stop_grace_period: 1s
"""


class OneService(RollRig):
    """A project of one service and nothing else, which is rolled twice."""

    strategy = "recreate"

    def write(self) -> None:
        """Write the project's files."""
        super().write()
        self.file.write_text(STACK.format(image=self.image("v1"), zmq=self.zmq, http=self.http))


@pytest.fixture
def rig(engine, tmp_path):
    """Give a project whose service was rolled twice, v1 to v2 to v3, and what strangers made beside it."""
    made = OneService(tmp_path, f"ct{secrets.token_hex(4)}", *free_ports(2))
    made.images = f"ct-clean-{made.project}"
    try:
        for tag in TAGS:
            # A label of its own: the Engine's build cache would give another test's project the same image.
            build(made.image(tag), f"ENV NAME={tag}", f"LABEL test={made.project}")
        engine.images.get(IMAGE).tag(made.images, "v1-mine")
        made.write()
        made.up()
        for tag in ("v2", "v3"):
            told = made.swap("--service", "web", "--image", made.image(tag), "--commit")
            assert told.code == 0, told
        yield made
    finally:
        for container in engine.containers.list(all=True, filters={"name": made.project}):
            container.remove(force=True)
        for network in engine.networks.list(names=[made.project]):
            network.remove()
        made.down()
        for tag in (*TAGS, "v1-mine"):
            with contextlib.suppress(docker.errors.ImageNotFound):
                engine.images.remove(made.image(tag))


def left_behind(engine, rig, old):
    """Make what crashes leave, and what looks like it and is somebody else's; return the names of both."""
    name, mine = rig.project, {"io.cutover.project": rig.project}
    of_web = {"com.docker.compose.project": name, "com.docker.compose.service": "web"}
    containers = {
        f"{name}-web-1-back": {**of_web, COPY_OF_LABEL: old},
        f"cutover-helper-{name}": {**mine, "io.cutover.helper": "redirect"},
        f"{name}-web-1-mine": {**of_web, COPY_OF_LABEL: "0" * 64},
        f"{name}-helper": {"io.cutover.project": f"{name}-x", "io.cutover.helper": "redirect"},
    }
    for container, labels in containers.items():
        engine.containers.create(IMAGE, name=container, labels=labels)
    for network, labels in ((f"0-cutover-{name}", mine), (f"0-cutover-{name}-x", {}), (f"{name}-mine", mine)):
        engine.networks.create(network, labels=labels)
    stale = rig.folder / ".cutover" / ".x.lock.json.abcdefgh.cutover-tmp"
    stale.write_text("{")
    os.utime(stale, (0, 0))
    (rig.folder / ".mine.cutover-tmp").write_text("mine")
    ours = {f"{name}-web-1-back", f"cutover-helper-{name}", f"0-cutover-{name}", str(stale)}
    return ours, {f"{name}-web-1-mine", f"{name}-helper", f"0-cutover-{name}-x", f"{name}-mine"}


def green_of(run):
    """Return the ID of the container that a run retired."""
    records = map(json.loads, (run / "journal.jsonl").read_text().splitlines())
    return next(r["data"]["rolls"] for r in records if r["kind"] == "plan")


def there(engine, rig):
    """Return what there is of the project and its neighbours, by name."""
    containers = engine.containers.list(all=True, ignore_removed=True)
    names = [*(c.name for c in containers), *(n.name for n in engine.networks.list())]
    files = [str(p) for p in (rig.folder / ".cutover").rglob("*") if p.is_file() and not p.name.endswith(".lock")]
    tags = [tag for image in engine.images.list(rig.images) for tag in image.tags]
    return {name for name in [*names, *files, *tags] if rig.project in name}


def test_looked_at_then_removed_then_rolled_back(engine, rig):
    """A dry run removes nothing, `--apply --yes` what is ours and not needed; the newest swap can be rolled back."""
    first, last = sorted((rig.folder / ".cutover" / rig.project).glob("2*/"))
    old = green_of(first)
    ours, theirs = left_behind(engine, rig, old)
    before = there(engine, rig)

    told = rig.cutover("cleanup", "--json")
    assert told.code == 0, told
    assert {item["name"] for item in told.json["remove"]} == ours, "the old run is one of the ten newest"
    assert [item["name"] for item in told.json["stay"]] == [rig.image("v1"), rig.image("v2")]
    told = rig.cutover("cleanup", "--keep-runs", "1")
    assert told.code == 0, told
    assert "run" in told.out
    assert f"run {last.name} can be rolled back to it" in told.out
    assert there(engine, rig) == before

    told = rig.cutover("cleanup", "--keep-runs", "1", "--apply", "--yes", "--json")
    assert told.code == 0, told
    gone = {item["name"] for item in told.json["removed"]}
    assert gone == ours | {first.name, rig.image("v1")}, told
    assert told.json["left"] == told.json["failed"] == []
    after = there(engine, rig)
    assert theirs | {rig.image("v2"), rig.image("v3"), rig.image("v1-mine")} <= after
    assert not {name for name in after if name in gone or (first.name in name and "/backups/" not in name)}
    assert (rig.folder / ".mine.cutover-tmp").exists()

    assert rig.answers() == "v3"
    engine.containers.get(f"{rig.project}-web-1-mine").remove()  # Compose would take it for one of the service's own
    told = rig.cutover("rollback", "--json")
    assert told.code == 0, told
    assert rig.answers() == "v2"
