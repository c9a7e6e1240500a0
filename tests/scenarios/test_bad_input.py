"""Bad input: one clear message with the next command, exit code 1 or 2, and nothing changed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest

from tests.scenarios.rig import IMAGE

os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"  # read at import; Ryuk is an image that is not here
from testcontainers.core.container import DockerContainer

pytestmark = pytest.mark.engine


@pytest.fixture
def unchanged(rig):
    """After the test the project is as it was before it, file by file and container by container."""
    before = snapshot(rig)
    yield
    assert snapshot(rig) == before
    assert rig.answers() == "old"


def snapshot(rig):
    """Return every file's bytes and every container's ID and start."""
    files = {p: p.read_bytes() for p in sorted(rig.folder.rglob("*")) if p.is_file() and ".cutover" not in p.parts}
    green, blue = rig.container("old"), rig.container("new")
    return files, green and (green["Id"], green["State"]["StartedAt"]), blue


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("args", "code", "reference", "words"),
    [
        (["--green", "odl"], 2, "unknown-service", "did you mean 'old'?"),
        (["--blue", "nobody"], 2, "unknown-service", "services: new, old"),
        (["--blue", "old"], 2, "same-service", "same service"),
        (["--port", "9"], 1, "port-not-published", "it publishes"),
        (["--port", "many"], 2, "bad-port", "--port 5570"),
        (["--probe", "zqm://:5570"], 2, None, "zmq"),
        (["--probe", "http://:6570/?expct=code:200"], 2, None, "expect"),
        (["-f", "missing.yml"], 2, "no-compose-file", "missing.yml"),
        (["--context", "nowhere"], 2, "unknown-context", "docker context ls"),
    ],
)
def test_refused(rig, args, code, reference, words):
    """What the user named does not exist or makes no sense; the message names what does."""
    told = rig.cutover("swap", "--json", *args)
    assert told.code == code, told
    error = told.json["error"]
    assert reference in {None, error["reference"]}
    assert words in f"{error['message']} {error['evidence']} {error['hint']}"
    text = rig.cutover("swap", *args)
    assert text.code == code
    assert words in text.err
    assert "Traceback" not in text.err


@pytest.mark.usefixtures("unchanged")
def test_only_one_port_of_two_cannot_be_relinked(rig):
    """`relink` moves all of green's ports; the way out is named."""
    told = rig.swap("--port", str(rig.http))
    assert told.code == 1, told
    assert told.json["error"]["reference"] == "ports-left-behind"
    assert "recreate" in told.json["error"]["hint"]


@pytest.mark.usefixtures("unchanged")
def test_no_engine(rig):
    """An Engine that does not answer is said at once."""
    rig.env["DOCKER_HOST"] = "unix:///run/no-such-engine.sock"
    told = rig.swap()
    del rig.env["DOCKER_HOST"]
    assert told.code == 1, told
    assert told.json["error"]["reference"] == "engine-gone"
    assert "docker info" in told.json["error"]["hint"]


def edited(rig, old, new):
    """Change the compose file."""
    text = rig.file.read_text()
    assert old in text
    rig.file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("services:", "services: [", 1, "docker-compose.yml"),
        ("    ports:\n", "    ports: &shared\n", 1, "docker-compose.yml:"),
        ("  new:\n", "  new:\n    networks: 7\n", 1, "rejects"),
    ],
    ids=["invalid-yaml", "shared-anchor", "invalid-compose"],
)
def test_bad_file(rig, old, new, code, words):
    """A file that Compose or the editor cannot accept is refused with the place, and left alone."""
    edited(rig, old, new)
    if "&shared" in new:
        edited(rig, "  new:\n", "  other:\n    image: x\n    profiles: [never]\n    ports: *shared\n\n  new:\n")
    before = rig.file.read_bytes()
    told = rig.swap()
    assert told.code == code, told
    error = told.json["error"]
    assert words in f"{error['message']} {error['evidence']}", told
    assert rig.file.read_bytes() == before
    assert rig.answers() == "old"
    assert rig.container("new") is None


def test_image_missing(rig):
    """A blue whose image is not there is refused before anything is done."""
    text = rig.file.read_text()
    head, _, tail = text.rpartition("image: ")
    rig.file.write_text(f"{head}image: no-such-image:7\n{tail.partition(chr(10))[2]}")
    told = rig.swap()
    assert told.code == 1, told
    assert told.json["error"]["reference"] == "image-missing"
    assert told.json["error"]["hint"] == "docker compose pull new"
    assert rig.container("new") is None
    assert rig.answers() == "old"


def test_green_not_running(rig):
    """Nothing is taken over from a green that does not run."""
    rig.compose("stop", "old")
    told = rig.swap()
    assert told.code == 1, told
    assert told.json["error"]["reference"] == "green-not-running"


@contextlib.contextmanager
def process_on(port):
    """Have a process hold a port; give its number."""
    code = f"import socket,time; s=socket.create_server(('0.0.0.0',{port})); print('up',flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


@contextlib.contextmanager
def container_on(port, name):
    """Have a container of nobody's project hold a port; give its name."""
    holder = DockerContainer(IMAGE).with_name(name).with_bind_ports(7000, port).with_command("sleep 60")
    with holder:
        yield name


@pytest.mark.parametrize(("holder", "words"), [("process", "process"), ("container", "container")])
def test_blues_own_port_is_held(rig, holder, words):
    """A further port of blue's own that a process or a container holds is refused, with who holds it."""
    port = rig.http + 500
    edited(rig, "  new:\n", f"  new:\n    ports: ['{port}:7000']\n")
    held = process_on(port) if holder == "process" else container_on(port, f"holder-{rig.project}")
    with held as known_as:
        told = rig.swap()
    assert told.code == 1, told
    error = told.json["error"]
    assert error["reference"] == "port-held"
    assert str(port) in str(error["evidence"])
    assert f"{words} {known_as}" in str(error["evidence"])
    assert rig.answers() == "old"


def test_file_not_writable(rig):
    """A compose file on a read-only mount is refused, by the plan and by the swap."""
    folder = str(rig.folder)
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        plan, swap = rig.swap("--dry-run"), rig.swap()
    finally:
        subprocess.run(["umount", folder], check=True)
    assert (plan.code, swap.code) == (1, 1), (plan, swap)
    assert plan.json["error"]["reference"] == "file-not-writable"
    assert swap.json["error"]["reference"] == "state-not-writable"
    assert rig.answers() == "old"
    assert rig.container("new") is None


def test_settings_with_a_typo(rig):
    """An unknown key in cutover.yaml is refused with its line and the nearest valid key."""
    settings = rig.folder / "cutover.yaml"
    settings.write_text(settings.read_text().replace("observe_s", "obsrve_s"))
    told = rig.swap()
    assert told.code == 2, told
    assert "cutover.yaml:4" in told.json["error"]["message"]
    assert "did you mean `observe_s`?" in told.json["error"]["message"]
