"""Volumes saved and restored through the real Engine: what is equal, what is refused, and what is left when killed."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import docker.errors
import pytest

from cutover.backup.images import load_images, save_images
from cutover.backup.stream import store
from cutover.backup.volumes import check_stored, empty_volume, restore_volume, save_volume, volume_facts
from cutover.engine.address import resolve
from cutover.engine.carry import PLACE, Carrier, Errand
from cutover.engine.daemon import Daemon
from cutover.engine.helpers import helpers
from cutover.errors import EngineError, RefusedError
from tests.scenarios.rig import IMAGE

ROOT = Path(__file__).parents[2]
FILL = r"""
set -e; cd /data
mkdir -p a/b; chmod 2770 a/b; chown 1234:4321 a
head -c 300000 /dev/urandom > a/random; chmod 4751 a/random; chown 33:44 a/random
ln a/random a/b/again; ln -s /etc/passwd outside; ln -s a/random inside
mkfifo fifo; touch -d '2001-02-03 04:05:06.123456789' a/random
printf odd > "$(printf 'line\nfeed \377')"
truncate -s 50M sparse; printf end >> sparse
python3 -c "import os; os.setxattr('a/random', 'user.note', b'\0\xff')"
chmod 1777 .; touch -d '2002-02-03 04:05:06.5' a/b a .
"""
LOOK = r"""
import hashlib, os
def facts(path):
    s = os.lstat(path)
    content = os.readlink(path) if os.path.islink(path) else b''
    if os.path.isfile(path) and not content:
        content = hashlib.sha256(open(path, 'rb').read()).digest()
    x = [(n, os.getxattr(path, n, follow_symlinks=False)) for n in os.listxattr(path, follow_symlinks=False)]
    return path, s.st_mode, s.st_uid, s.st_gid, s.st_mtime_ns, s.st_nlink, content, x, s.st_blocks // 64
walked = [os.path.join(folder, n) for folder, names, files in os.walk(b'/data') for n in [b'.', *names, *files]]
print(*(facts(path) for path in sorted(walked)), sep='\n')
"""


@pytest.fixture(scope="module")
def daemon(engine):
    """Give the Engine."""
    found = Daemon(resolve())
    yield found
    found.close()


@pytest.fixture
def project():
    """Give a name that no other test has."""
    return f"vol{secrets.token_hex(4)}"


@pytest.fixture
def volume(engine, project):
    """Give a way to make volumes, which are taken away."""
    made = []

    def make(name: str = "data") -> str:
        made.append(engine.volumes.create(f"{project}_{name}"))
        return made[-1].name

    yield make
    for one in made:
        one.remove(force=True)


def inside(engine, volume: str, *argv: str) -> bytes:
    """Run something in a container that has the volume at /data."""
    return engine.containers.run(
        IMAGE, list(argv), volumes=[f"{volume}:/data"], remove=True, network_mode="none", user="0"
    )


@pytest.mark.parametrize("direct", [True, False], ids=["fifo", "attached"])
def test_a_volume_comes_back_as_it_was(engine, daemon, volume, project, tmp_path, monkeypatch, direct) -> None:  # noqa: PLR0917
    """Bytes, owners, modes, times, xattrs, holes, links, FIFOs and odd names; over either way that bytes may take."""
    monkeypatch.setattr("cutover.engine.carry.can_share", lambda _: direct)
    source, target = volume(), volume("other")
    inside(engine, source, "sh", "-c", FILL)
    told: list = []
    stored = save_volume(daemon, source, tmp_path, project=project, image=IMAGE, tell=lambda *a: told.append(a))
    assert check_stored(stored, tmp_path) == 10
    restore_volume(daemon, stored, tmp_path, target, project=project, image=IMAGE)
    assert inside(engine, target, "python3", "-c", LOOK) == inside(engine, source, "python3", "-c", LOOK)
    assert told[-1] == (stored.content_bytes, None)
    assert stored.content_bytes < 2 << 20  # holes are not read
    again = save_volume(daemon, target, tmp_path, project=project, image=IMAGE)
    facts = volume_facts(daemon, source, project=project, image=IMAGE)
    assert (facts.entries, facts.users, facts.exists, facts.driver) == (9, (), True, "local")
    assert facts.apparent_bytes > 50 << 20 > 10 << 20 > facts.used_bytes > 300_000
    assert again.content_bytes == stored.content_bytes
    assert helpers(daemon, project) == {}


def test_nothing_is_unpacked_over_what_is_there(engine, daemon, volume, project, tmp_path) -> None:
    """Nor into a volume that is not there; emptied it can be restored into."""
    source = volume()
    inside(engine, source, "sh", "-c", "echo old > /data/file; mkdir -m 700 /data/.hidden")
    stored = save_volume(daemon, source, tmp_path, project=project, image=IMAGE)
    with pytest.raises(RefusedError, match="is not empty"):
        restore_volume(daemon, stored, tmp_path, source, project=project, image=IMAGE)
    with pytest.raises(RefusedError, match="no volume"):
        restore_volume(daemon, stored, tmp_path, f"{project}_none", project=project, image=IMAGE)
    with pytest.raises(RefusedError, match="no volume"):
        save_volume(daemon, f"{project}_none", tmp_path, project=project, image=IMAGE)
    with pytest.raises(docker.errors.NotFound):
        engine.volumes.get(f"{project}_none")
    empty_volume(daemon, source, project=project, image=IMAGE)
    assert volume_facts(daemon, source, project=project, image=IMAGE).empty
    restore_volume(daemon, stored, tmp_path, source, project=project, image=IMAGE)
    assert inside(engine, source, "cat", "/data/file") == b"old\n"


def test_an_archive_that_leads_outside_unpacks_nothing(engine, daemon, volume, project, tmp_path) -> None:
    """The first member is fine, the second is not: neither is written."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("fine"))
        tar.addfile(tarfile.TarInfo("../../outside"))
    stored = store(iter([out.getvalue()]), tmp_path, "volumes/data.tar")
    target = volume()
    with pytest.raises(RefusedError, match="outside"):
        restore_volume(daemon, stored, tmp_path, target, project=project, image=IMAGE)
    assert inside(engine, target, "ls", "-A", "/data") == b""


def test_a_project_without_gnu_tar_is_told_what_to_build(daemon, volume, project, tmp_path) -> None:
    """It has no containers whose image could be taken."""
    with pytest.raises(RefusedError) as caught:
        save_volume(daemon, volume(), tmp_path, project=project, image="no-such-image:1")
    assert caught.value.hint == "cutover edge build"


def test_a_killed_save_leaves_no_helper_and_no_half_file(engine, daemon, volume, project, tmp_path) -> None:
    """SIGKILL in the middle: the helper goes by itself, the file never had its name."""
    source = volume()
    inside(engine, source, "sh", "-c", "head -c 60000000 /dev/urandom > /data/random")
    script = (
        "import sys, os, time; from pathlib import Path; from cutover.backup.volumes import save_volume\n"
        "from cutover.engine.address import resolve; from cutover.engine.daemon import Daemon\n"
        "def tell(done, _):\n    print('some', flush=True); time.sleep(60)\n"
        f"save_volume(Daemon(resolve()), {source!r}, Path({str(tmp_path)!r}), project={project!r}, image={IMAGE!r},"
        " tell=tell)"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as child:
        assert child.stdout.readline() == b"some\n"
        assert len(helpers(daemon, project)) == 1
        child.send_signal(signal.SIGKILL)
    wait_gone(daemon, project)
    assert not (tmp_path / "volumes" / f"{source}.tar.zst").exists()


def wait_gone(daemon, project: str) -> None:
    """Wait until no helper is left."""
    end = time.monotonic() + 10
    while helpers(daemon, project):
        assert time.monotonic() < end, "a helper is left"
        time.sleep(0.05)


@pytest.mark.parametrize("direct", [True, False], ids=["fifo", "attached"])
def test_a_command_that_ends_early_is_told_with_its_last_words(daemon, volume, project, direct) -> None:
    """And whoever feeds it does not wait."""
    argv = ("sh", "-c", "head -c 10 >/dev/null; echo full >&2; exit 7")
    errand = Errand(project, IMAGE, argv, volume=volume(), fed=True)
    with pytest.raises(EngineError) as caught, Carrier(daemon, errand, direct=direct) as carrier:
        carrier.feed(os.urandom(1 << 20) for _ in range(100))
    assert "full" in caught.value.evidence
    assert helpers(daemon, project) == {}


def test_a_helper_is_locked_up(engine, daemon, volume, project) -> None:
    """No network, no way to write but the volume where it is to, no right that it was not given."""
    errand = Errand(project, IMAGE, ("sleep", "60"), volume=volume(), capabilities=("DAC_READ_SEARCH",))
    with Carrier(daemon, errand):
        (found,) = helpers(daemon, project)
        host = engine.containers.get(found).attrs["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    assert host["CapAdd"] == ["DAC_READ_SEARCH"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Binds"][0].endswith(f":{PLACE}:ro,nocopy")


def test_an_image_comes_back_with_its_name(engine, daemon, project, tmp_path) -> None:
    """As `docker save` and `docker load` do it, without a registry."""
    name = f"{project}:1"
    small = io.BytesIO()
    with tarfile.open(fileobj=small, mode="w") as tar:
        info = tarfile.TarInfo("hello")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    daemon.api.import_image_from_data(small.getvalue(), repository=project, tag="1")
    before = engine.images.get(name).id
    try:
        stored = save_images(daemon, [name], tmp_path)
        assert hashlib.sha256((tmp_path / stored.file).read_bytes()).hexdigest() == stored.sha256
        engine.images.remove(name)
        assert load_images(daemon, stored, tmp_path) == [name]
        assert engine.images.get(name).id == before
    finally:
        engine.images.remove(name, force=True)
    with pytest.raises(EngineError):
        save_images(daemon, [name], tmp_path)


def test_the_projects_own_image_does_where_the_edge_is_not_built(engine, daemon, volume, project, tmp_path) -> None:
    """And who mounts the volume is told."""
    source = volume()
    key = "com.docker.compose"
    labels = {f"{key}.project": project, f"{key}.service": "db", f"{key}.oneoff": "False"}
    made = engine.containers.run(
        IMAGE, ["sleep", "60"], name=f"{project}-db-1", labels=labels, volumes=[f"{source}:/data"], detach=True
    )
    try:
        stored = save_volume(daemon, source, tmp_path, project=project, image="no-such-image:1")
        facts = volume_facts(daemon, source, project=project)
    finally:
        made.remove(force=True)
    assert check_stored(stored, tmp_path) == 1
    assert facts.empty
    assert [(u.name, u.service, u.running) for u in facts.users] == [(f"{project}-db-1", "db", True)]
