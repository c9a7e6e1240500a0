"""`cutover override` as a user calls it: Compose accepts what it writes, the test stack runs, green never notices."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from cutover.clock import SystemClock
from cutover.config import Settings
from cutover.engine.address import resolve
from cutover.engine.stack import ProjectFiles, Stack
from cutover.errors import RefusedError
from cutover.events import Silence
from cutover.flow.override import OverrideRequest, derive, write
from cutover.flow.request import Options
from cutover.flow.session import Session
from tests.scenarios.rig import free_ports

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("CUTOVER_CORPUS") or ROOT.parent / "shared" / "corpus") / "files"
SAMPLE = 1 if os.environ.get("CUTOVER_CORPUS_ALL") else 12


@pytest.fixture
def unstarted(cold_rig):
    """Give a project whose files are there and of which nothing runs."""
    cold_rig.write()
    return cold_rig


def uncontested(rig):
    """Return test ports that nobody takes who chooses some at this moment, as options."""
    one, two = free_ports(2)
    return ("--map", f"{rig.zmq}:{one}", "--map", f"{rig.http}:{two}")


def test_blue_is_tried_beside_green(rig):
    """No secret in the file, the test stack answers, green is not touched, and the same bytes come again."""
    before = rig.container("old")["Id"]
    told = rig.cutover("override", "--json", *uncontested(rig))
    assert told.code == 0, told
    file = rig.folder / "overrides" / "new_test.yml"
    text = file.read_text()
    assert "hunter2" not in text + told.out + told.err
    ports = {row["legacy"]: row["published"] for row in told.json["ports"]}
    assert set(ports) == {rig.zmq, rig.http}
    files = ("-f", "docker-compose.yml", "-f", "overrides/new_test.yml")
    rig.compose(*files, "up", "-d", "--wait", "new_test")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[rig.http]}/", timeout=5) as reply:
            assert json.load(reply)["name"] == "new"
        again = rig.cutover("override", "--json")
        assert (again.json["changed"], file.read_text()) == (False, text)
        assert rig.answers() == "old"
        assert rig.container("old")["Id"] == before
        found = rig.container("new_test")
        bindings = [h["HostIp"] for hosts in found["NetworkSettings"]["Ports"].values() for h in hosts or ()]
        assert set(bindings) == {"127.0.0.1"}
    finally:
        rig.compose(*files, "rm", "-sf", "new_test")


@pytest.mark.parametrize(
    ("args", "code", "reference", "words"),
    [
        (["nwe"], 2, "unknown-service", "did you mean 'new'?"),
        (["--name", "old"], 1, "service-exists", "--name"),
        (["--map", "9:10"], 2, "port-does-not-occur", "there is no port 9"),
        (["--map", "9"], 2, "bad-port", "pair of ports"),
        (["--also", "environment.NAME"], 2, "unknown-place", "environment.NAME"),
        (["--share", "/srv/server.pi"], 2, "unknown-mount", "did you mean /srv/server.py?"),
        (["--avoid", "none.yml"], 2, "no-compose-file", "none.yml"),
        (["--env", "=x"], 2, "bad-variable", "NAME=VALUE"),
        (["--command", "a 'b"], 2, "bad-command", "quot"),
        (["--gpu", "1", "--no-gpu"], 2, "gpu-twice", "exclude"),
        (["--from-image"], 2, "no-image", "--image"),
        (["-o", "."], 1, "override-not-writable", "directory"),
        (["-f", "broken.yml", "x"], 1, "invalid-yaml", "broken.yml:3"),
        (["-f", "shared.yml", "x"], 1, "network-shared", "service:y"),
        (["-f", "bare.yml", "x"], 1, "no-ports", "--map OLD:NEW"),
        (["-f", "lost.yml", "w"], 1, "override-differs", "w_test.environment.V"),
    ],
)
def test_bad_input(unstarted, args, code, reference, words):
    """Each is named, and nothing is written."""
    (unstarted.folder / "broken.yml").write_text("services:\n  x: [\n")
    (unstarted.folder / "shared.yml").write_text(
        "services: {x: {image: i, network_mode: 'service:y'}, y: {image: i}}\n"
    )
    (unstarted.folder / "bare.yml").write_text("services: {x: {image: i}}\n")
    (unstarted.folder / "lost.yml").write_text("include: [{path: in.yml, env_file: in.env}]\n")
    (unstarted.folder / "in.yml").write_text("services: {w: {image: i, environment: {V: '${V}'}, ports: ['1:1']}}\n")
    (unstarted.folder / "in.env").write_text("V=hunter2\n")
    if "-f" in args:
        (unstarted.folder / "cutover.yaml").unlink()
    told = unstarted.cutover("override", "--json", *args)
    assert told.code == code, told
    error = told.json["error"]
    assert error["reference"] == reference
    assert words in f"{error['message']} {error['evidence']} {error['hint']}"
    assert "hunter2" not in told.out + told.err
    assert not (unstarted.folder / "overrides").exists()


def test_a_file_of_somebody_else_is_left_alone(unstarted):
    """One written by hand, and one of ours that was edited; --force writes over this one."""
    file = unstarted.folder / "overrides" / "new_test.yml"
    maps = uncontested(unstarted)
    assert unstarted.cutover("override", *maps).code == 0
    ours = file.read_text()
    for content, args in (("services: {}\n", ("--force",)), (ours.replace('restart: "no"', "restart: always"), ())):
        file.write_text(content)
        told = unstarted.cutover("override", "--json", *maps, *args)
        assert (told.code, told.json["error"]["reference"]) == (1, "override-not-ours")
        assert file.read_text() == content
    assert unstarted.cutover("override", "--force", *maps).code == 0
    assert file.read_text() == ours


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("name", ["docker-compose.yml", "cutover.yaml", "server.py"])
def test_a_file_of_the_project_is_never_written_over(unstarted, name, force):
    """`-o` with the wrong name costs nobody a compose file, and no hint leads there."""
    before = (unstarted.folder / name).read_bytes()
    told = unstarted.cutover("override", "-o", name, "--json", *force)
    assert told.code == 1, told
    assert told.json["error"]["reference"].startswith("override-")
    assert "--force" not in told.json["error"]["hint"]
    assert (unstarted.folder / name).read_bytes() == before


def test_a_port_that_somebody_took_meanwhile_is_not_taken_again(unstarted):
    """Another project's container has the test port of the file when the file is derived once more."""
    first = {
        row["legacy"]: row["published"]
        for row in unstarted.cutover("override", "--json", *uncontested(unstarted)).json["ports"]
    }
    taken = first[unstarted.zmq]
    name = f"{unstarted.project}-thief"
    thief = ["docker", "run", "-d", "--rm", "--name", name, "-p", f"127.0.0.1:{taken}:80"]
    subprocess.run([*thief, "language-stack:demo", "sleep", "60"], check=True, capture_output=True)
    try:
        told = unstarted.cutover("override", "--json")
        second = {row["legacy"]: row["published"] for row in told.json["ports"]}
        assert second[unstarted.zmq] not in first.values()
        assert second[unstarted.http] == first[unstarted.http]
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)


BASE = """\
name: several
services:
  x:
    image: {image}
    command: ["run", "--port", "80"]
    user: root
    environment: {{TOKEN: "first-literal-secret", PORT: "80"}}
    ports: ["8080:80"]
    volumes: ["v:/v"]
volumes: {{v: {{}}}}
"""
SECOND = """\
services:
  x:
    command: !reset null
    user: !reset null
    environment: {B: "${B:-b}", C: "second-literal-secret"}
    env_file: [deploy/x.env]
    volumes: ["./rel:/rel"]
"""


@pytest.mark.parametrize("folder", [".", "deploy"])
def test_a_service_in_several_files(unstarted, folder):
    """Both are extended; what a reset or a path in another folder loses is written again, and no secret is."""
    (unstarted.folder / "deploy").mkdir()
    (unstarted.folder / "deploy" / "x.env").write_text("Q=third-secret\n")
    (unstarted.folder / "base.yml").write_text(BASE.format(image="language-stack:demo"))
    second = unstarted.folder / folder / "second.yml"
    second.write_text(SECOND)
    (unstarted.folder / "cutover.yaml").unlink()
    told = unstarted.cutover("override", "x", "-f", "base.yml", "-f", str(second), "--json", "--print")
    assert told.code == 0, told
    text = told.json["content"]
    assert "first-literal-secret" not in text
    assert "third-secret" not in text
    assert folder == "deploy" or "second-literal-secret" not in text
    assert "${B:-b}" in text or folder == "."
    assert "command: !reset null" in text


def test_the_example_written_by_hand():
    """Compose takes it together with the demonstration stack, and it adds one service."""
    base, more = (
        set(_names("-f", "compose/docker-compose.yml", *extra))
        for extra in ((), ("-f", "overrides/model_manager_suite_by_hand.yml"))
    )
    assert more - base == {"suite_by_hand"}
    assert base <= more


def _names(*files):
    command = ["docker", "compose", *files, "config", "--services"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


class NoContainers:
    """An Engine on which nothing runs: other tests start containers beside this one."""

    def __init__(self):
        self.address = resolve(None)

    def containers(self):
        """Return none."""
        return []


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus of compose files: CUTOVER_CORPUS names none")
@pytest.mark.timeout(900)
def test_real_compose_files(tmp_path):
    """Every publishing service of theirs gets a file that Compose accepts, twice the same bytes, no secret."""
    counted = {"files": 0, "services": 0}
    for number, path in enumerate(sorted(CORPUS.iterdir())):
        if number % SAMPLE == 0:
            _try_file(path, tmp_path / f"{number}", counted)
    print(counted)  # noqa: T201  (the figures of the whole corpus: CUTOVER_CORPUS_ALL=1, pytest -s)
    assert counted["files"] >= 4


def _try_file(path, folder, counted):
    folder.mkdir()
    file = folder / f"docker-compose{path.suffix}"
    shutil.copyfile(path, file)
    stack = Stack(resolve(None), ProjectFiles((file,)))
    try:
        model = stack.config()
    except RefusedError:
        return
    publishing = [name for name, service in (model.get("services") or {}).items() if service.get("ports")]
    counted["files"] += bool(publishing)
    for name in publishing:
        texts = []
        for _ in range(2):
            session = Session(Options(), Settings(), NoContainers(), stack, SystemClock(), Silence())
            with derive(session, OverrideRequest(service=name)) as derived:
                write(derived)
                texts.append(_without_ports(derived))
        assert texts[0] == texts[1], (path.name, name)
        assert list(_secrets(model["services"][name], texts[0].replace(name, ""))) == [], (path.name, name)
        counted["services"] += 1


def _without_ports(derived):
    """Return the file with its test ports and its sum taken out: others may take a port at any moment."""
    body = derived.override.text.partition("# sha256 of what follows: ")[2].partition("\n")[2]
    for port in derived.override.ports:
        body = re.sub(rf"\b{port.published}\b", f"<{port.legacy}>", body)
    return body


def _secrets(service, text):
    """Yield the variables of a service by name whose values are in the text, parts of paths left out."""
    for name, value in (service.get("environment") or {}).items():
        told = any(word in name.lower() for word in ("pass", "secret", "token", "_key"))
        if told and value and len(value) > 5 and re.search(rf"(?<![\w/.-]){re.escape(value)}(?![\w/.-])", text):
            yield name
