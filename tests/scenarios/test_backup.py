"""Backups of a real project: what is lost comes back as it was, nothing newer is lost, and the writers go on."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile

import docker.errors
import pytest
from click.testing import CliRunner

from cutover.cli.main import cli
from cutover.files import read_state
from cutover.flow import backup_make, backup_restore
from tests.scenarios.rig import Told, ended

STACK = """\
services:
  old:
    image: {image}
    command: ["python3", "/srv/server.py"]
    volumes: ["./server.py:/srv/server.py:ro", "./app.conf:/etc/app.conf:ro", "data:/data"]
    env_file: [app.env]
    environment: {{NAME: old}}
    ports: ["{zmq}:5570", "{http}:6570"]
    stop_grace_period: 1s
  new:
    image: {blue_image}
    command: ["python3", "/srv/server.py"]
    volumes: ["./server.py:/srv/server.py:ro"]
    environment: {{NAME: new}}
    stop_grace_period: 1s
volumes: {{data: {{}}}}
"""
FILL = (
    "cd /data && echo eins > one && chmod 640 one && chown 1234:5678 one && mkdir -p sub && ln -sf ../one sub/link"
    " && truncate -s 5M sparse && printf x >> sparse"
)
LOOK = "cd /data && find . -printf '%p %m %U:%G %s %l\\n' | sort && find . -type f -exec sha256sum {} + | sort"


@pytest.fixture
def stack(cold_rig, edge_image):
    """Give a project with a volume that holds something, up."""
    cold_rig.template = STACK
    cold_rig.write()
    (cold_rig.folder / "app.conf").write_text("timeout = 3\n")
    (cold_rig.folder / "app.conf").chmod(0o604)
    (cold_rig.folder / "app.env").write_text("PASSWORD=hunter2-canary\n")
    cold_rig.up()
    inside(cold_rig, FILL)
    return cold_rig


def inside(rig, script):
    """Run a script in green and return what it printed."""
    return rig.compose("exec", "-T", "-u", "0", "old", "sh", "-c", script).stdout


def call(rig, *args):
    """Call cutover in this very process: starting another takes longer than most of what it does here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(rig.folder)
        patch.setenv("COMPOSE_PROJECT_NAME", rig.project)
        told = CliRunner().invoke(cli, args, prog_name="cutover")
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    return Told(told.exit_code, told.stdout, told.stderr)


def backup(rig, *args):
    """Make a backup and return what `--json` told of it."""
    told = call(rig, "backup", "--json", *args)
    assert told.code == 0, told
    return told.json


def state_of(rig):
    """Return what every file of the project is: SHA-256, mode, owner."""
    return {p.name: read_state(p)[1] for p in sorted(rig.folder.iterdir()) if p.is_file()}


def killed(rig, moment, *args):
    """Run cutover and have it killed at a moment."""
    command = [sys.executable, "-m", "tests.scenarios.backup_killed", moment, *args]
    done = subprocess.run(command, cwd=rig.folder, env=rig.environ(), capture_output=True, check=False, timeout=60)
    assert done.returncode == -9, done


def helpers(engine, rig):
    """Return the helper containers of the project that are left."""
    return engine.containers.list(all=True, filters={"label": [f"io.cutover.project={rig.project}"]})


def test_what_is_lost_comes_back_as_it_was(stack, engine):
    """Nothing newer is overwritten unasked; after `down -v` and `rm` files and volume are what they were."""
    subprocess.run("git init -q . && git add -A && git -c user.name=n -c user.email=e@x commit -qm first", shell=True,
                   cwd=stack.folder, check=True)  # fmt: skip
    files, data = state_of(stack), inside(stack, LOOK)
    made = backup(stack, "--volume", "data", "--pause", "--git-tag", "--why", "before the big change")
    assert made["holds"][:2] == ["5 files", "volume data"]
    assert made["warnings"] == []
    assert stack.container("old")["State"]["Status"] == "running"
    tag = ["git", "rev-parse", f"cutover/backup/{made['id']}"]
    assert (
        subprocess.run(tag, cwd=stack.folder, capture_output=True, check=True).stdout.decode().strip() == made["commit"]
    )

    stack.file.write_text(stack.file.read_text() + "# mine\n")
    inside(stack, "echo zwei > /data/two")
    edited = stack.state()
    refused = call(stack, "restore", "--apply", "--json")
    assert refused.code == 1, refused
    evidence = "\n".join(refused.json["error"]["evidence"])
    assert all(word in evidence for word in ("is in use by", "was changed since", "has something newer"))
    assert (stack.state(), inside(stack, "cat /data/two")) == (edited, "zwei\n")

    stack.compose("down", "-v", "-t", "1")
    for name in files:
        (stack.folder / name).unlink()
    restored = call(stack, "restore", "--apply", "--json")
    assert restored.code == 0, restored
    assert state_of(stack) == files
    up = stack.compose("up", "-d", "old")
    assert "already exists but was not created" not in up.stderr
    stack.wait_answer("old")
    assert inside(stack, LOOK) == data
    assert helpers(engine, stack) == []
    assert "hunter2-canary" not in "".join(str(t) for t in (refused, restored, made))


def test_a_backup_is_no_swap_and_waits_for_none(stack):
    """While a swap runs it is refused; the swap has taken its own, under its own ID, which reads back good."""
    running = stack.start("swap", "--json", "--observe", "1")
    stack.wait_record("intent", "watch")
    refused = call(stack, "backup")
    assert refused.code == 1
    assert "lock-held" in refused.err
    swapped = ended(running)
    assert swapped.code == 0, swapped
    (listed,) = call(stack, "backups", "--json").json["backups"]
    assert (listed["id"], listed["why"]) == (swapped.json["run"], f"swap {swapped.json['run']}")
    assert [r["run"] for r in call(stack, "history", "--json").json["runs"]] == [swapped.json["run"]]
    folder = stack.folder / ".cutover" / stack.project / "backups" / listed["id"]
    model = folder / "config.json"
    assert model.stat().st_mode & 0o777 == 0o600
    assert "hunter2-canary" in model.read_text()
    assert "hunter2-canary" not in (folder / "manifest.json").read_text()
    good = call(stack, "backups", "--verify", "--json")
    assert good.json["verified"][0]["good"], good
    content = bytearray(model.read_bytes())
    content[10] ^= 1
    model.write_bytes(content)
    bad = call(stack, "backups", "--verify", listed["id"])
    assert bad.code == 1
    assert "config.json is damaged" in bad.out


def test_killed_while_the_writers_are_held_or_in_the_middle_of_a_restore(stack, engine):
    """Whoever was paused goes on after `recover`, half a backup is no backup; the same restore goes on by itself."""
    before = inside(stack, LOOK)
    killed(stack, "copy", "backup", "--volume", "data", "--pause")
    assert stack.container("old")["State"]["Status"] == "paused"
    assert [b["standing"] for b in call(stack, "backups", "--json").json["backups"]] == ["incomplete"]
    assert "goes on" in call(stack, "recover").err
    assert stack.answers() == "old"
    made = backup(stack, "--volume", "data", "--stop")
    assert [b["id"] for b in call(stack, "backups", "--json").json["backups"]] == [made["id"]]
    stack.wait_answer("old")

    inside(stack, "rm /data/one")
    stack.compose("stop", "old")
    (stack.folder / "app.conf").unlink()
    killed(stack, "filled", "restore", "--apply", "--overwrite")
    told = call(stack, "backups")
    assert "was cut short" in told.err
    again = call(stack, "restore", "--apply", "--json")
    assert again.code == 0, again
    assert again.json["backup"] == made["id"]
    assert [v["act"] for v in again.json["volumes"]] == ["same"]
    assert (stack.folder / "app.conf").stat().st_mode & 0o777 == 0o604
    stack.up()
    assert inside(stack, LOOK) == before
    assert helpers(engine, stack) == []
    rescued = call(stack, "backups", "--json").json["backups"][-1]
    assert rescued["why"] == f"before restore of {made['id']}"


def test_what_came_after_a_restore_that_was_cut_short_is_newer(stack, engine):
    """Files and volumes that lived on are not written over unasked, and a second backup keeps them where they are."""
    before = inside(stack, LOOK)
    backup(stack, "--volume", "data", "--stop")
    stack.wait_answer("old")
    inside(stack, "rm /data/one")
    stack.compose("stop", "old")
    (stack.folder / "app.conf").write_text("timeout = 5\n")
    killed(stack, "filled", "restore", "--apply", "--overwrite")
    stack.up()
    inside(stack, "echo later > /data/later && touch -d '5 minutes' /data/later")
    stack.compose("stop", "old")
    (stack.folder / "app.conf").write_text("timeout = 9\n")
    refused = call(stack, "restore", "--apply")
    assert refused.code == 1, refused
    assert "_data has something newer" in refused.err
    assert "app.conf was changed since the backup" in refused.err
    told = call(stack, "restore", "--apply", "--overwrite", "--json")
    assert told.code == 0, told
    _, second = told.json["overwritten_is_in"]
    stack.up()
    assert inside(stack, LOOK) == before
    stack.compose("stop", "old")
    told = call(stack, "restore", second, "--apply", "--overwrite")
    assert told.code == 0, told
    stack.up()
    assert inside(stack, "cat /data/later") == "later\n"
    assert (stack.folder / "app.conf").read_text() == "timeout = 9\n"
    assert helpers(engine, stack) == []


def test_a_volume_that_somebody_uses_by_now_is_not_emptied(stack, monkeypatch):
    """Minutes lie between the plan and the deed, with a backup of what is overwritten."""
    backup(stack, "--volume", "data", "--stop")
    stack.wait_answer("old")
    inside(stack, "echo new > /data/new")
    before = inside(stack, LOOK)
    stack.compose("stop", "old")
    began = backup_restore._begin

    def begin(*given):
        stack.up()
        return began(*given)

    monkeypatch.setattr(backup_restore, "_begin", begin)
    told = call(stack, "restore", "--volumes", "--apply", "--overwrite")
    assert told.code == 4, told
    assert "in use by" in told.err
    assert inside(stack, LOOK) == before


def test_a_writer_that_comes_while_a_volume_is_copied(stack, monkeypatch):
    """The copy may be torn: that stays written in the manifest, though everybody who was there had been stopped."""
    save = backup_make.save_volume
    name = f"{stack.project}-late"
    late = ["docker", "run", "-d", "--rm", "--name", name, "-v", f"{stack.project}_data:/data", "language-stack:demo"]

    def saving(*args, **kwargs):
        subprocess.run([*late, "sleep", "60"], capture_output=True, check=True)
        return save(*args, **kwargs)

    monkeypatch.setattr(backup_make, "save_volume", saving)
    try:
        made = backup(stack, "--volume", "data", "--stop")
    finally:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)
    assert made["warnings"] == [f"data may be torn: {name} could write to it while it was copied"]


def test_a_damaged_backup_empties_no_volume(stack, engine):
    """What it would go into is as it was, though it may be overwritten; a new volume is empty again."""
    before = inside(stack, LOOK)
    made = backup(stack, "--volume", "data", "--stop")
    stack.wait_answer("old")
    (file,) = (stack.folder / ".cutover" / stack.project / "backups" / made["id"]).rglob("*_data.tar.zst")
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)
    stack.compose("stop", "old")
    refused = call(stack, "restore", "--apply", "--overwrite", "--json")
    assert refused.json["error"]["reference"] == "backup-damaged", refused
    assert call(stack, "backups", "--json").json["backups"][-1]["id"] == made["id"], "nothing was begun"
    stack.up()
    assert inside(stack, LOOK) == before

    other = f"{stack.project}_other"
    refused = call(stack, "restore", "--apply", "--json", "--volumes", "--volume-as", f"data={other}")
    assert refused.json["error"]["reference"] == "backup-damaged", refused
    asked = ["docker", "run", "--rm", "-v", f"{other}:/data", "language-stack:demo", "ls", "-A", "/data"]
    assert subprocess.run(asked, capture_output=True, check=True).stdout == b""
    subprocess.run(["docker", "volume", "rm", other], capture_output=True, check=True)
    assert helpers(engine, stack) == []


def test_images_survive_a_prune(cold_rig, engine, edge_image):
    """The image is gone from the Engine, and comes back with its name and ID; the volume goes into another one."""
    name = f"{cold_rig.project}:1"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("marker"))
    engine.api.import_image(content.getvalue(), repository=name.partition(":")[0], tag="1", changes=['CMD ["/x"]'])
    cold_rig.folder.joinpath("docker-compose.yml").write_text(f"services: {{a: {{image: '{name}', command: /x}}}}\n")
    try:
        image_id = engine.images.get(name).id
        cold_rig.compose("up", "--no-start")
        made = backup(cold_rig, "--images", "--to", str(cold_rig.folder / "elsewhere"))
        assert made["folder"].startswith(str(cold_rig.folder / "elsewhere"))
        cold_rig.compose("down")
        engine.images.remove(name)
        with pytest.raises(docker.errors.ImageNotFound):
            engine.images.get(name)
        told = call(cold_rig, "restore", made["folder"], "--images", "--apply")
        assert told.code == 0, told
        assert engine.images.get(name).id == image_id
        cold_rig.compose("up", "--no-start")
        assert call(cold_rig, "restore", made["folder"], "--images", "--apply", "--json").json["images"] == [
            {"reference": name, "act": "same", "moves": False}
        ]
    finally:
        cold_rig.compose("down", check=False)
        engine.images.remove(name, force=True)


def test_a_disk_that_is_full_or_read_only_leaves_no_half(stack):
    """The error is told, the half is gone, and the writers go on."""
    folder = stack.folder / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=True)
    try:
        (folder / "filler").write_bytes(b"x" * 60_000)
        told = call(stack, "backup", "--volume", "data", "--pause", "--to", str(folder))
        assert told.code == 1
        assert "no-room" in told.err
        told = call(stack, "backup", "--to", str(folder))
        assert told.code == 1
        assert "No space left" in told.err
        assert [p.name for p in folder.iterdir()] == ["filler"]
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        told = call(stack, "backup", "--to", str(folder))
        assert told.code == 1
        assert "Traceback" not in told.err
        assert stack.answers() == "old"
    finally:
        subprocess.run(["umount", folder], check=True)
        shutil.rmtree(folder)
