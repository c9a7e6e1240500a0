"""What a swap by the edge shows of a project's secrets, and which rights its containers have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.scenarios.edge_world import made
from tests.scenarios.secrets_world import SecretRig, Watcher, see_nothing_leaked

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]
DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
NOT_SEEN = {"look", "backup"}  # where /proc is open to us nobody needs it; no volume is saved here, see test_volumes
ROOT = {"0:0": "root", "": "root"}
CALLER = f"{os.getuid()}:{os.getgid()}"


class Row(NamedTuple):
    """A row of the document's table, column by column."""

    what: str
    user: str
    capabilities: str
    network: str
    processes: str
    root: str
    mounts: str
    lives: str


@pytest.fixture(scope="module")
def lived(engine, edge_image, tmp_path_factory):
    """Give a project full of secrets after a swap that failed, one that worked, and the way back; and who saw it."""
    rig = made(SecretRig, edge_image, tmp_path_factory.mktemp("secrets"), strategy="edge")
    try:
        rig.up()
        with Watcher(rig.project) as watcher:
            failed = rig.say("swap", code=3, NEW_FAIL="exit", NEW_SHOUT="1")
            assert "***" in failed.out  # blue's log is the evidence: it did shout
            rig.say("swap", "--json", code=0, NEW_SHOUT="1")
            for verb in ("status", "doctor"):
                rig.say(verb, "--json")
            rig.say("rollback", "--json", code=0)
        yield rig, watcher
    finally:
        rig.down()


def test_no_secret_leaves_the_project(lived):
    """Not to output, command lines, files, other containers, events; and the copies are for their owner alone."""
    see_nothing_leaked(*lived)


def test_containers_have_the_rights_that_the_document_says(lived):
    """Each row of the table, but for those that a swap does not start; and no container without a row."""
    rig, watcher = lived
    rows = {row.what: row for row in documented()}
    seen = {role_of(one): one for one in watcher.inspected.values()}
    assert set(seen) == set(rows) - NOT_SEEN
    for role, inspected in seen.items():
        found = facts(inspected, str(rig.folder))
        assert found == rows[role]._replace(lives=""), role
        assert inspected["HostConfig"]["SecurityOpt"] in (["no-new-privileges"], ["no-new-privileges:true"]), role
        assert inspected["HostConfig"]["CapDrop"] == ["ALL"], role
        assert not inspected["HostConfig"]["Privileged"], role


def test_no_error_repeats_a_secret(engine, edge_image, tmp_path):
    """What cannot be read is named by file and line; Compose would show it."""
    rig = made(SecretRig, edge_image, tmp_path)
    rig.see_errors(
        (rig.file, rig.secret["literal"], rig.secret["literal"] + "${", "interpolation"),
        (rig.folder / ".env", "API_TOKEN=", "API_TOKEN='", "unterminated"),
        (rig.folder / "cutover.yaml", "&header=X-Api-Key:", "&header=X-Api-Key:a&", "%26"),
        (rig.folder / "cutover.yaml", "{Authorization: ", "{Auth orization: ", "Auth orization"),
    )
    assert rig.hits_in_output() == []


def documented():
    """Yield the rows of the document's table of rights."""
    head = False
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if len(cells) == len(Row._fields) and set(line) != set("| -"):
            if head:
                yield Row(*cells)
            head = True


def role_of(inspected):
    """Return the row that a container belongs to."""
    labels = inspected["Config"]["Labels"]
    return labels.get("io.cutover.helper") or labels["com.docker.compose.service"].rpartition("-")[0]


def facts(inspected, folder):
    """Return what `docker inspect` says, in the words of the document."""
    host, config = inspected["HostConfig"], inspected["Config"]
    is_edge = "io.cutover.edge" in config["Labels"]
    network = "the container's" if host["NetworkMode"].startswith("container:") else host["NetworkMode"]
    mounts = [(m["Source"], m["Destination"]) for m in inspected["Mounts"]]
    state = [source.startswith(f"{folder}/.cutover/") and target == "/run/cutover" for source, target in mounts]
    return Row(
        what=role_of(inspected),
        user="the caller" if is_edge and config["User"] == CALLER else ROOT.get(config["User"], config["User"]),
        capabilities=" ".join(c.removeprefix("CAP_") for c in host["CapAdd"] or ()) or "none",
        network=network if network in {"host", "the container's"} else "the project's",
        processes="the container's" if (host["PidMode"] or "").startswith("container:") else host["PidMode"] or "own",
        root="read-only" if host["ReadonlyRootfs"] else "writable",
        mounts="its generation's folder" if state == [True] else str(mounts) if mounts else "none",
        lives="",
    )
