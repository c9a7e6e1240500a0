"""`swap --service`: a service is replaced by a new container of itself, and Compose has nothing to do afterwards."""

from __future__ import annotations

import secrets

import pytest

from tests.scenarios.rig import free_ports
from tests.scenarios.roll_world import RollRig, build, images
from tests.scenarios.test_crash import KILLED, killed

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
NAMED = "container_name: {project}-solo"


@pytest.fixture(scope="module")
def built(engine):
    """Give the images of the service."""
    del engine
    with images() as name:
        yield name


@pytest.fixture
def bare(built, tmp_path):
    """Give a project whose files are not written yet."""
    rig = RollRig(tmp_path, f"ct{secrets.token_hex(4)}", *free_ports(2))
    rig.images = built
    try:
        yield rig
    finally:
        rig.down()


@pytest.fixture
def rig(bare):
    """Give a project that is up."""
    bare.write()
    bare.up()
    return bare


def see_settled(rig, name, container=None):
    """See that the service answers as `name`, from one container of its name, and that nothing is left to do."""
    assert rig.answers() == name
    assert rig.publishes("web") == {rig.zmq, rig.http}
    assert rig.names() == [container or f"{rig.project}-web-1"]
    assert rig.strays() == []
    assert rig.to_do() == []
    assert rig.container("web")["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize(("strategy", "named"), [("relink", ""), ("relink", NAMED), ("recreate", NAMED)])
def test_new_image_and_back(bare, strategy, named):
    """`--image` edits that one scalar, and nobody but the service is touched; `rollback` brings all of it back."""
    rig = bare
    rig.named = named.format(project=rig.project)
    rig.write()
    rig.up()
    name = f"{rig.project}-solo" if named else f"{rig.project}-web-1"
    text, before = rig.file.read_text(), rig.everything()
    rig.inside("touch", "/data/kept")

    told = rig.swap("--service", "web", "--strategy", strategy, "--image", rig.image("v2"))
    assert told.code == 0, told
    assert told.json["images"] == [rig.image("v1"), rig.image("v2")]
    see_settled(rig, "v2", name)
    assert rig.file.read_text() == text.replace(rig.image("v1"), rig.image("v2"))
    after = rig.everything()
    assert {n for n, i in after.items() if before[n] != i} == {name}, "only the service was touched"
    assert rig.inside("ls", "/data") == "kept\n", "the named volume is the same"

    told = rig.cutover("rollback", "--json")
    assert told.code == 0, told
    see_settled(rig, "v1", name)
    assert rig.file.read_text() == text
    assert told.json["warnings"] == []


def test_own_edit_and_back(rig):
    """Without `--image` the file is as the user left it, also after a rollback, which says that it asks for more."""
    rig.edit("WORD: one", "WORD: two")
    edited = rig.state()
    told = rig.swap("--service", "web")
    assert told.code == 0, told
    see_settled(rig, "v1")
    assert "WORD=two" in rig.container("web")["Config"]["Env"]
    assert rig.state() == edited

    told = rig.cutover("rollback", "--json")
    assert told.code == 0, told
    assert "WORD=one" in rig.container("web")["Config"]["Env"]
    assert rig.answers() == "v1"
    assert rig.state() == edited
    assert any("docker-compose.yml asks for something else" in w for w in told.json["warnings"])
    assert rig.strays() == []
    rig.edit("WORD: two", "WORD: one")
    see_settled(rig, "v1")


def test_ports_that_the_user_changed(rig):
    """A port that leads elsewhere inside is handed over, one that went is told, and a new one is there."""
    (fresh,) = free_ports(1)
    rig.edit("WORD: one", "WORD: one, HTTP_PORT: '7570'")
    rig.edit(f"'{rig.http}:6570'", f"'{rig.http}:7570'")
    rig.edit("127.0.0.1:6570/", "127.0.0.1:7570/")
    rig.edit(f'"{rig.zmq}:5570"', f'"{fresh}:5570"')
    http_only = ("--probe", f"http://:{rig.http}/?identity=name")
    told = rig.swap("--service", "web", *http_only)
    assert told.code == 0, told
    assert any(f"{rig.zmq}:5570 of old web is not handed over" in w for w in told.json["warnings"])
    assert rig.answers() == "v1"
    assert rig.publishes("web") == {fresh, rig.http}
    assert rig.to_do() == []
    assert rig.cutover("rollback", *http_only).code == 0
    assert rig.publishes("web") == {rig.zmq, rig.http}
    assert rig.strays() == []


def test_broken_image(rig):
    """The old container serves on, untouched; the file is as it was, and nothing is left."""
    text, before = rig.state(), rig.everything()
    for strategy, fail, evidence in (
        ("relink", "exit", "cannot read the weights"),
        ("relink", "unhealthy", "503"),
        ("recreate", "wrong", "wrong"),
    ):
        told = rig.swap("--service", "web", "--strategy", strategy, "--ready-timeout", "5", "--image", rig.image(fail))
        assert told.code == 3, told
        error = told.json["error"]
        assert error["reference"] == "not-ready"
        assert evidence in error["message"] + " ".join(error["evidence"])
        assert "old web serves" in error["hint"]
        see_settled(rig, "v1")
        assert rig.state() == text
        assert rig.everything() == before


def test_refusals(rig):
    """Each says what is wrong and what to do; nothing is changed."""
    state, before = rig.state(), rig.everything()
    plain = rig.file.read_text()
    web = ("--service", "web")
    for edit, args, code, reference, hint in (
        ("", ("--service", "wbe"), 2, "unknown-service", "docker compose config --services"),
        ("", (*web, "--green", "web"), 2, "service-and-colours", "cutover swap --service web"),
        ("", (*web, "--port", str(rig.http)), 2, "service-and-ports", "cutover swap --service web"),
        ("", ("--image", "x:1"), 2, "image-without-service", "--service NAME --image x:1"),
        ("", (*web, "--image", "ct-never:1"), 1, "image-missing", "docker pull ct-never:1"),
        ("", ("--service", "db"), 1, "port-not-published", "docker compose up -d db"),
        ("    scale: 2\n", web, 1, "successor-scaled", "scale it to 1 first"),
        ("    networks: {default: {ipv4_address: 10.1.2.3}}\n", web, 1, "successor-address", "recreate"),
        ("    post_start: [{command: ['true']}]\n", web, 1, "successor-hooks", "docker compose up -d web"),
    ):
        rig.file.write_text(plain.replace("    restart: unless-stopped\n", f"    restart: unless-stopped\n{edit}"))
        edited = rig.file.read_text()
        told = rig.swap(*args)
        error = told.json["error"]
        assert (told.code, error["reference"]) == (code, reference), told
        assert hint in error["hint"]
        assert rig.file.read_text() == edited
        assert rig.everything() == before
    rig.file.write_text(plain)
    assert rig.state() == state
    see_settled(rig, "v1")


def test_old_image_gone(bare):
    """A rollback to an image that was removed is refused before anything is touched."""
    rig, own = bare, bare.image("own")
    build(own, f"ENV NAME=v1 ALONE={own}")  # no other name of the same image
    rig.write()
    rig.edit(rig.image("v1"), own)
    rig.up()
    assert rig.swap("--service", "web", "--image", rig.image("v2")).code == 0
    before = rig.everything()
    rig.docker("rmi", own)
    told = rig.cutover("rollback", "--json")
    error = told.json["error"]
    assert (told.code, error["reference"]) == (1, "old-image-gone"), told
    assert f"docker pull {own}" in error["hint"]
    assert rig.everything() == before
    assert rig.cutover("rollback", "--json").code == 1, "nothing was begun"
    assert rig.answers() == "v2"


@pytest.mark.parametrize(("strategy", "records"), [("relink", (15, 18)), ("recreate", (14,))])
def test_killed_after_a_record(rig, strategy, records):
    """SIGKILL in the middle, then `recover`: one container, one name, a file that agrees with it."""
    text = rig.file.read_text()
    args = ("swap", "--service", "web", "--strategy", strategy, "--image", rig.image("v2"))
    for record in records:
        assert killed(rig, record, *args) == KILLED
        told = rig.cutover("recover", "--json")
        assert told.code == 0, (record, told)
        see_settled(rig, "v1")
        assert rig.file.read_text() == text


def test_killed_while_going_back(rig):
    """SIGKILL in the middle of a rollback; `recover` goes on with it."""
    text = rig.file.read_text()
    told = rig.swap("--service", "web", "--image", rig.image("v2"))
    assert told.code == 0, told
    assert killed(rig, 7, "rollback") == KILLED
    told = rig.cutover("recover", "--json")
    assert told.code == 0, told
    see_settled(rig, "v1")
    assert rig.file.read_text() == text
