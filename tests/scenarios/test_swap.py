"""The main path: swap, go back, commit, for both strategies, on a real Engine."""

from __future__ import annotations

import difflib
import os

import pytest

pytestmark = pytest.mark.engine
STRATEGIES = ["relink", "recreate"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_swap_and_rollback(rig, strategy):
    """Blue answers after the swap, green after the rollback, and Compose finds nothing to do after either."""
    rig.file.chmod(0o640)
    os.chown(rig.file, 12345, 54321)
    before, text = rig.state(), rig.file.read_text()

    told = rig.swap("--strategy", strategy)

    assert told.code == 0, told
    report = told.json
    assert (report["result"], report["strategy"]) == ("done", strategy)
    assert report["ports"] == sorted([rig.zmq, rig.http])
    assert {s["state"] for s in report["steps"]} == {"done"}
    assert report["stall_measured_s"] > 0
    assert rig.answers() == "new"
    assert rig.publishes("new") == {rig.zmq, rig.http}
    assert rig.publishes("old") == set()
    assert rig.container("old")["State"]["Running"], "green is warm"
    assert moved_lines_only(text, rig.file.read_text())
    assert rig.state()[1:] == before[1:]
    assert rig.nothing_to_do()
    assert rig.leftovers() == []

    back = rig.cutover("rollback", "--json", report["run"])

    assert back.code == 0, back
    assert back.json["result"] == "rolled_back"
    assert rig.state() == before
    assert rig.answers() == "old"
    assert rig.publishes("old") == {rig.zmq, rig.http}
    assert rig.container("new") is None, "blue had no container before"
    assert rig.nothing_to_do()
    assert rig.leftovers() == []


def moved_lines_only(before: str, after: str) -> bool:
    """Say whether the lines that went are the lines that came, but for a `ports:` key."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    gone = sorted(x[2:].strip() for x in lines if x.startswith("- "))
    came = sorted(x[2:].strip() for x in lines if x.startswith("+ "))
    return gone == came and len(gone) == 3


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rollback_after_commit(rig, strategy):
    """Green is gone after `--commit`, and still comes back, from the backup."""
    before = rig.state()
    told = rig.swap("--strategy", strategy, "--commit")
    assert told.code == 0, told
    assert rig.container("old") is None
    assert rig.answers() == "new"

    back = rig.cutover("rollback")

    assert back.code == 0, back
    assert rig.state() == before
    assert rig.answers() == "old"
    assert rig.nothing_to_do()


def test_commit_later_then_rollback(rig):
    """`commit` removes green; `status` still offers the way back; `rollback` takes it."""
    before = rig.state()
    run = rig.swap().json["run"]
    done = rig.cutover("commit", "--json")
    assert done.code == 0, done
    assert rig.container("old") is None
    assert f"cutover rollback {run}" in rig.cutover("status").out
    assert rig.cutover("commit").code == 1, "a second commit is refused"

    assert rig.cutover("rollback", run).code == 0
    assert rig.state() == before
    assert rig.answers() == "old"


def test_blue_that_ran_before_runs_again_after_the_rollback(rig):
    """Blue on its own, portless, before the swap is found so again after it."""
    rig.compose("up", "-d", "new")
    assert rig.swap().code == 0
    assert rig.cutover("rollback").code == 0
    assert rig.container("new")["State"]["Running"]
    assert rig.publishes("new") == set()
    assert rig.nothing_to_do()


def test_swap_swap_back_and_forth(rig):
    """A swap, a rollback and a swap end with blue, and history tells all of it."""
    assert rig.swap().code == 0
    assert rig.cutover("rollback").code == 0
    assert rig.swap().code == 0
    assert rig.answers() == "new"
    runs = rig.cutover("history", "--json").json["runs"]
    assert [r["result"] for r in runs] == ["rolled_back", "done"]


def test_dry_run_changes_nothing(rig, engine):
    """The Engine and the disk are the same before and after `--dry-run` and `plan`."""

    def everything():
        files = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(rig.folder.rglob("*")) if p.is_file()}
        ours = [c for c in engine.containers.list(all=True, ignore_removed=True) if mine(c)]
        containers = {c.id: c.attrs["State"]["StartedAt"] for c in ours}
        networks = {n.name for n in engine.networks.list() if rig.project in n.name}
        return files, containers, networks

    def mine(container):
        return container.labels.get("com.docker.compose.project") == rig.project

    before = everything()
    for told in (rig.swap("--dry-run"), rig.cutover("plan"), rig.cutover("status"), rig.cutover("ports")):
        assert told.code == 0, told
    assert everything() == before


def test_no_secret_is_written_or_told(rig):
    """The value of an environment variable is in no journal, manifest, report or output, only in what is backed up."""
    told = rig.swap()
    outputs = [told.out, told.err, rig.cutover("history", "--json").out, rig.cutover("ports", "--json").out]
    journals = [p.read_text() for p in rig.folder.glob(".cutover/**/*.json*") if p.name != "config.json"]
    assert journals
    assert not any("hunter2-canary" in text for text in outputs + journals)
    assert (rig.folder / ".cutover").stat().st_mode & 0o077 == 0


IPV6 = """
networks:
  default:
    enable_ipv6: true
    ipam: {{config: [{{subnet: "fd00:c7:{number}::/64"}}]}}
"""
LOWER_NAME = """
networks:
  default:
    name: 0-a-{number}
"""


@pytest.mark.parametrize("networks", [IPV6, LOWER_NAME], ids=["ipv6", "a-name-that-sorts-first"])
def test_networks_that_docker_prefers(cold_rig, networks):
    """A network with IPv6, or one whose name sorts before the park network's, does not hinder parking."""
    rig = cold_rig
    rig.template += networks.replace("{number}", rig.project[-4:])
    rig.write()
    rig.up()
    before = rig.state()
    told = rig.swap()
    assert told.code == 0, told
    assert rig.answers() == "new"
    assert rig.nothing_to_do()
    assert rig.cutover("rollback").code == 0
    assert rig.answers() == "old"
    assert rig.state() == before
    assert rig.leftovers() == []


def test_one_port_of_two_to_another_port_inside(cold_rig):
    """`recreate` moves one port, to another target inside blue; green keeps the other one."""
    rig = cold_rig
    rig.template = rig.template.replace(", FAIL:", ', HTTP_PORT: "6571", FAIL:')
    rig.template = rig.template.replace("127.0.0.1:6570/", "127.0.0.1:6571/")
    rig.write()
    rig.up()
    before = rig.state()
    told = rig.swap("--strategy", "recreate", "--port", f"{rig.http}:6571")
    assert told.code == 0, told
    assert rig.answers() == "new"
    assert f"- '{rig.http}:6571'" in rig.file.read_text()
    assert (rig.publishes("old"), rig.publishes("new")) == ({rig.zmq}, {rig.http})
    assert rig.nothing_to_do()
    back = rig.cutover("rollback")
    assert back.code == 0, back
    assert rig.answers() == "old"
    assert rig.state() == before


GPU = """\
    deploy:
      resources:
        reservations:
          devices:
            - driver: nvidia
              count: 1
              capabilities: [gpu]
"""


def test_a_blue_that_reserves_a_gpu(rig):
    """The reservation goes along; the plan says that both run at once. Needs a GPU or `scripts/engine --gpu-stub`."""
    head, _, tail = rig.file.read_text().rpartition("    healthcheck:")
    rig.file.write_text(f"{head}{GPU}    healthcheck:{tail}")
    tried = rig.compose("up", "-d", "new", check=False)
    if "could not select device driver" in tried.stderr:
        pytest.skip(
            "this Engine has no NVIDIA runtime: scripts/engine --gpu-stub gives one to an Engine that it starts"
        )
    rig.compose("rm", "-sf", "new")
    told = rig.swap()
    assert told.code == 0, told
    assert any("the GPU must hold both" in warning for warning in told.json["warnings"])
    requests = rig.container("new")["HostConfig"]["DeviceRequests"]
    assert [(r["Driver"], r["Count"]) for r in requests] == [("nvidia", 1)]
    assert rig.nothing_to_do()
