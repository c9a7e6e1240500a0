"""`swap --service`: a service is replaced by a new container of itself, and Compose has nothing to do afterwards."""

from __future__ import annotations

import secrets
import signal

import pytest

from tests.scenarios.rig import ended, free_ports
from tests.scenarios.roll_world import RollRig, images
from tests.scenarios.test_crash import KILLED, killed

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
STRATEGIES = ["relink", "recreate"]
"""All of this is meant to hold for "edge" as well."""


@pytest.fixture(scope="module")
def built(engine):
    """Give the images of the service."""
    del engine
    with images() as name:
        yield name


@pytest.fixture(params=["", "container_name: {project}-solo"], ids=["numbered", "named"])
def naming(request):
    """Give what the file says of the container's name."""
    return request.param


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


def see_settled(rig, name, *names):
    """See that the service answers as `name`, from one container of its name, and that nothing is left to do."""
    assert rig.answers() == name
    assert rig.publishes("web") == {rig.zmq, rig.http}
    assert rig.names() == list(names or [f"{rig.project}-web-1"])
    assert rig.strays() == []
    assert rig.to_do() == []
    restart = rig.container("web")["HostConfig"]["RestartPolicy"]["Name"]
    assert restart == "unless-stopped"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_new_image_and_back(bare, naming, strategy):
    """`--image` edits that one scalar, and nobody but the service is touched; `rollback` brings all of it back."""
    rig = bare
    rig.named = naming.format(project=rig.project)
    rig.write()
    rig.up()
    name = f"{rig.project}-solo" if naming else f"{rig.project}-web-1"
    text, before = rig.file.read_text(), rig.everything()

    told = rig.swap("--service", "web", "--strategy", strategy, "--image", rig.image("v2"))
    assert told.code == 0, told
    see_settled(rig, "v2", name)
    assert rig.file.read_text() == text.replace(rig.image("v1"), rig.image("v2"))
    after = rig.everything()
    assert {n: i for n, i in after.items() if n != name} == {n: i for n, i in before.items() if n != name}
    assert after[name] != before[name]

    told = rig.cutover("rollback", "--json")
    assert told.code == 0, told
    see_settled(rig, "v1", name)
    assert rig.file.read_text() == text
