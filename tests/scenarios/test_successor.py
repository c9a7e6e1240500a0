"""A second container of one service beside the first, after which Compose has nothing to do."""

from __future__ import annotations

import json
import secrets
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cutover.engine.address import resolve
from cutover.engine.daemon import Daemon
from cutover.engine.stack import ProjectFiles, Stack
from cutover.engine.successor import (
    clone_spec,
    create_from_spec,
    create_successor,
    final_name,
    finish_successor,
    remove_keeping_volumes,
    successor_name,
    volume_findings,
    would_do,
)
from cutover.engine.successor_spec import spec_from
from cutover.errors import EngineError, RefusedError
from cutover.model import Container, ContainerState
from tests.scenarios.rig import IMAGE, free_ports

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

SLEEP = '["sleep", "600"]'
TEMPLATE = """\
services:
  web:   # the one that is rolled
    image: {image}
    {name}
    command: {sleep}
    environment: {{VERSION: "1", MONEY: "a$$b"}}
    env_file: [web.env]
    ports: ["{port}:80"]
    volumes: ["data:/data", "/anonymous", "./files:/files:ro"]
    depends_on: {{db: {{condition: service_healthy}}, once: {{condition: service_completed_successfully}}}}
    networks: {{default: {{aliases: [www]}}, back: {{}}}}
    profiles: [app]
    init: true
    stop_grace_period: 1s
    restart: unless-stopped
    healthcheck: {{test: ["CMD", "true"], interval: 1s}}
    configs: [{{source: greeting, target: /greeting}}]
    secrets: [token]
    labels: {{who: web}}
    ulimits: {{nofile: 4096}}
  db:
    image: {image}
    command: {sleep}
    init: true
    stop_grace_period: 1s
    healthcheck: {{test: ["CMD", "true"], interval: 1s}}
  once:
    image: {image}
    command: ["true"]
  peer:
    image: {image}
    command: {sleep}
    init: true
    stop_grace_period: 1s
    links: ["web:linked"]
    profiles: [app]
networks: {{back: {{}}}}
volumes: {{data: {{}}}}
configs: {{greeting: {{content: "hello $$you"}}}}
secrets: {{token: {{environment: SUCCESSOR_TOKEN}}}}
"""


@dataclass
class World:
    """One project, and the Engine that it runs on."""

    folder: Path
    daemon: Daemon
    project: str
    port: int

    @property
    def file(self) -> Path:
        """Return the compose file."""
        return self.folder / "compose.yml"

    @property
    def stack(self) -> Stack:
        """Return the project as it is read now."""
        return Stack(resolve(None), ProjectFiles((self.file,), self.project, profiles=("app",)))

    @property
    def web(self) -> Container:
        """Return the one container of the service."""
        (found,) = self.daemon.of_service(self.project, "web")
        return found

    def write(self, name: str = "") -> None:
        """Write the files of the project."""
        (self.folder / "files").mkdir(exist_ok=True)
        (self.folder / "web.env").write_text("FROM_FILE=yes\n")
        self.file.write_text(TEMPLATE.format(image=IMAGE, sleep=SLEEP, name=name, port=self.port))

    def edit(self, old: str, new: str) -> None:
        """Replace text in the compose file."""
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    def compose(self, *words: str) -> str:
        """Run docker compose and return what it says."""
        command = ["docker", "compose", "-p", self.project, "-f", str(self.file), "--profile", "app", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def inside(self, container: Container, *argv: str) -> str:
        """Return the output of a command in a container."""
        return self.daemon.run_inside(container.id, list(argv)).decode()

    def inspect(self, container: Container) -> dict:
        """Return all that the Engine says of a container."""
        return self.daemon.api.inspect_container(container.id)

    def untouched(self, container: Container) -> bool:
        """Say whether a container is as it was: the same process under the same name in the same places."""
        now = self.daemon.container(container.id)
        return now is not None and replace(now, health=container.health, failing_streak=0) == container

    def roll(self, **options: object) -> tuple[Container, Container]:
        """Replace the container of the service as a swap does, and return the old one and the new one."""
        old = self.web
        name = final_name(self.stack.config(), "web", old)
        new = create_successor(self.daemon, self.stack, "web", **options)
        assert self.untouched(old)
        if not old.published:
            self.daemon.start(new.id)
        self.daemon.stop(old)
        remove_keeping_volumes(self.daemon, old)
        finished = finish_successor(self.daemon, old, new, name)
        self.daemon.start(new.id)
        return old, self.daemon.container(finished.id) or finished


@pytest.fixture
def world(engine, tmp_path, monkeypatch):
    """Give a project with everything up."""
    monkeypatch.setenv("SUCCESSOR_TOKEN", "to$ken")
    daemon = Daemon(resolve(None))
    (port,) = free_ports(1)
    made = World(tmp_path, daemon, f"es{secrets.token_hex(4)}", port)
    made.write()
    try:
        yield made
    finally:
        made.compose("down", "-t", "1", "-v", "--remove-orphans")
        daemon.close()


def comparable(details: dict) -> dict:
    """Return what two containers of one definition must have in common, whoever made them."""
    spec = spec_from(details)
    labels = dict(spec["config"]["Labels"])
    labels.pop("com.docker.compose.replace", None)
    needs = labels.pop("com.docker.compose.depends_on")
    labels["needs"] = sorted(needs.split(","))
    name, own = spec["name"], ("com.docker.compose.service",)
    networks = {n: sorted(set(e.get("Aliases") or ()) - {name}) for n, e in spec["networks"]}
    binds = sorted(spec["host"].pop("Binds") or ())
    config = spec["config"] | {"Labels": labels, "Env": sorted(spec["config"]["Env"])}
    assert all(key in labels for key in own)
    return {"name": name, "config": config, "host": spec["host"], "binds": binds, "networks": networks}


@pytest.mark.parametrize("named", [False, True])
def test_the_new_container_is_what_compose_would_have_made(world: World, named: bool) -> None:
    """Name, labels, settings, networks, files: Compose finds nothing to do, and makes the same when it is made to."""
    own = f"{world.project}-own"
    world.write(f"container_name: {own}" if named else "")
    world.compose("up", "-d")
    world.edit('VERSION: "1"', 'VERSION: "2"')
    old, new = world.roll()

    assert new.id != old.id
    assert new.name == (own if named else f"{world.project}-web-1") == old.name
    assert would_do(world.stack, "web") == []
    assert [line for line in would_do(world.stack) if "once" not in line] == []
    assert world.web.id == new.id
    assert world.web.running
    assert world.web.publishes(world.port)
    assert new.name in world.compose("ps", "web")

    assert world.inside(new, "sh", "-c", "echo $VERSION $MONEY $FROM_FILE").split() == ["2", "a$b", "yes"]
    assert world.inside(new, "cat", "/greeting", "/run/secrets/token") == "hello $youto$ken"
    (peer,) = world.daemon.of_service(world.project, "peer")
    (address,) = {e.ip for e in world.web.endpoints if e.network.endswith("_default")}
    for name in ("web", "linked", new.name, "www"):
        assert world.inside(peer, "getent", "ahostsv4", name).split()[0] == address

    ours = comparable(world.inspect(new))
    world.compose("up", "-d", "--force-recreate", "-V", "web")
    assert world.web.id != new.id
    assert comparable(world.inspect(world.web)) == ours


def test_it_is_created_beside_one_that_runs_and_keeps_apart_what_must_be(world: World) -> None:
    """Both run; the named volume is shared, the nameless one is not, and nobody takes the new one for the old."""
    world.edit(f'ports: ["{world.port}:80"]', 'ports: ["80"]')
    world.compose("up", "-d", "--no-deps", "web", "peer")
    old = world.web
    (finding,) = volume_findings(world.daemon, old)
    assert finding.code == "volume-not-shared"
    assert "/anonymous" in finding.message

    new = create_successor(world.daemon, world.stack, "web")
    assert (new.name, new.state) == (successor_name(old.name), ContainerState.CREATED)
    world.daemon.start(new.id)
    assert world.untouched(old)
    mounts = [{m["Destination"]: m.get("Name") for m in world.inspect(c)["Mounts"]} for c in (old, new)]
    assert mounts[0]["/data"] == mounts[1]["/data"]
    assert mounts[0]["/anonymous"] != mounts[1]["/anonymous"]
    (peer,) = world.daemon.of_service(world.project, "peer")
    by_name = world.inside(peer, "getent", "ahostsv4", old.name)
    assert {line.split()[0] for line in by_name.splitlines()} == {
        e.ip for e in old.endpoints if e.network.endswith("_default")
    }

    finish_successor(world.daemon, old, new, old.name)
    finish_successor(world.daemon, old, new, old.name)
    names = {c.id: c.name for c in world.daemon.of_service(world.project, "web")}
    assert names == {new.id: old.name, old.id: f"{old.id[:12]}_{old.name}"}
    finish_successor(world.daemon, new, old, old.name)
    assert {c.id: c.name for c in world.daemon.of_service(world.project, "web")}[old.id] == old.name


def test_the_nameless_volume_is_handed_on_where_that_is_asked_for(world: World) -> None:
    """As Compose does when it recreates a container."""
    world.compose("up", "-d", "--no-deps", "web")
    before = {m["Destination"]: m.get("Name") for m in world.inspect(world.web)["Mounts"]}
    world.edit('VERSION: "1"', 'VERSION: "2"')
    _, new = world.roll(share_anonymous=True)
    assert {m["Destination"]: m.get("Name") for m in world.inspect(new)["Mounts"]} == before
    assert would_do(world.stack, "web") == []


def test_what_an_earlier_attempt_left_is_cleared_away(world: World) -> None:
    """Created and never run: by Compose, or already under its name for the time being. One that ran is refused."""
    world.compose("up", "-d", "--no-deps", "web")
    old = world.web
    world.compose("up", "--no-start", "--no-recreate", "--no-deps", "--scale", "web=2", "web")
    first = create_successor(world.daemon, world.stack, "web")
    again = create_successor(world.daemon, world.stack, "web")
    assert {c.id for c in world.daemon.of_service(world.project, "web")} == {old.id, again.id}
    assert first.id != again.id
    world.daemon.stop(old)
    world.daemon.start(again.id)
    with pytest.raises(RefusedError) as caught:
        create_successor(world.daemon, world.stack, "web")
    assert caught.value.reference == "successor-exists"


def test_a_network_that_compose_would_make_anew_is_refused(world: World) -> None:
    """Compose would stop the old container for it: nothing is touched."""
    world.compose("up", "-d", "--no-deps", "web")
    old = world.web
    world.edit("networks: {back: {}}", "networks: {back: {internal: true}}")
    with pytest.raises(RefusedError) as caught:
        create_successor(world.daemon, world.stack, "web")
    assert caught.value.reference == "successor-disturbs"
    assert any("Stopping" in line for line in caught.value.evidence)
    assert world.untouched(old)


def test_labels_name_the_real_files_where_candidates_are_read(world: World, tmp_path: Path) -> None:
    """Compose is to find the project where the user has it."""
    world.compose("up", "-d", "--no-deps", "web")
    candidate = tmp_path / "candidates"
    candidate.mkdir()
    (candidate / "00-compose.yml").write_text(world.file.read_text().replace('VERSION: "1"', 'VERSION: "2"'))
    stack = world.stack.with_files({world.file: candidate / "00-compose.yml"})
    new = create_successor(world.daemon, stack, "web", files=world.stack.source)
    assert new.labels["com.docker.compose.project.config_files"] == str(world.file)
    assert new.labels["com.docker.compose.project.working_dir"] == str(world.folder)
    assert "VERSION=2" in world.inspect(new)["Config"]["Env"]


def test_a_removed_container_comes_back_as_it_was(world: World) -> None:
    """From JSON, with its data, its injected files, its labels, and its image though the tag has moved on."""
    tag = f"{world.project}:v1"
    world.daemon.api.tag(IMAGE, world.project, "v1")
    world.edit(f"web:   # the one that is rolled\n    image: {IMAGE}", f"web:\n    image: {tag}")
    try:
        world.compose("up", "-d", "--no-deps", "web")
        old = world.web
        before = comparable(world.inspect(old))
        spec = json.loads(json.dumps(clone_spec(world.daemon, old.id, files=("/greeting", "/run/secrets/token"))))
        volumes = {m["Destination"]: m.get("Name") for m in world.inspect(old)["Mounts"]}
        world.daemon.stop(old)
        remove_keeping_volumes(world.daemon, old)
        remove_keeping_volumes(world.daemon, old)

        again = create_from_spec(world.daemon, spec, old.name)
        world.daemon.start(again.id)
        assert {m["Destination"]: m.get("Name") for m in world.inspect(again)["Mounts"]} == volumes
        after = comparable(world.inspect(again))
        extra = [bind for bind in after["binds"] if bind not in before["binds"]]
        assert extra == [f"{volumes['/anonymous']}:/anonymous"]
        assert after["host"].pop("Mounts", []) == []
        assert len(before["host"].pop("Mounts")) == 1
        assert after | {"binds": before["binds"]} == before
        assert world.inside(again, "cat", "/greeting", "/run/secrets/token") == "hello $youto$ken"
        assert would_do(world.stack, "web") == []

        moved = world.daemon.api.commit(again.id, repository=world.project, tag="v1")["Id"]
        spec = clone_spec(world.daemon, again.id)
        other = create_from_spec(world.daemon, spec, f"{world.project}-other")
        assert other.image_id == old.image_id != moved
        world.daemon.remove(other)
        with pytest.raises(EngineError) as caught:
            create_from_spec(world.daemon, spec | {"image_id": "sha256:" + "0" * 64}, f"{world.project}-other")
        assert caught.value.reference == "image-gone"
    finally:
        world.compose("down", "-t", "1", "-v")
        world.daemon.api.remove_image(tag)


def test_a_container_on_a_network_that_is_gone_leaves_nothing_half_made(world: World) -> None:
    """The spec can leave out networks that are there for the time being."""
    world.compose("up", "-d", "db")
    (db,) = world.daemon.of_service(world.project, "db")
    spec = clone_spec(world.daemon, db.id)
    spec["networks"].append([f"{world.project}-gone", {}])
    with pytest.raises(EngineError) as caught:
        create_from_spec(world.daemon, spec, f"{world.project}-x")
    assert caught.value.reference == "network-gone"
    assert world.daemon.container(f"{world.project}-x") is None
    assert clone_spec(world.daemon, db.id, without=(f"{world.project}_default",))["networks"] == []
