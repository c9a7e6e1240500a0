"""Known secrets in every place where a project keeps them: none of them anywhere else, whatever is done with it."""

from __future__ import annotations

import pytest

from tests.scenarios.edge_world import made
from tests.scenarios.secrets_world import SecretRig, Watcher, see_nothing_leaked

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]


@pytest.fixture
def rig(engine, edge_image, tmp_path):
    """Give such a project."""
    rig = made(SecretRig, edge_image, tmp_path)
    try:
        yield rig
    finally:
        rig.down()


def test_no_secret_leaves_the_project(rig):
    """A swap that fails while blue shouts all it knows, one that works, the way back, and who looks on."""
    rig.up()
    with Watcher(rig.project) as watcher:
        failed = rig.say("swap", code=3, NEW_FAIL="exit", NEW_SHOUT="1")
        assert "***" in failed.out  # blue's log is the evidence: it did shout
        rig.say("swap", "--json", code=0, NEW_SHOUT="1")
        for verb in ("status", "history", "ports", "doctor"):
            rig.say(verb, "--json")
        rig.say("rollback", "--json", code=0)
    see_nothing_leaked(rig, watcher)


def test_no_error_repeats_a_secret(rig):
    """What cannot be read is named by file and line; Compose would show it."""
    rig.see_errors(
        (rig.file, rig.secret["literal"], rig.secret["literal"] + "${", "interpolation"),
        (rig.folder / ".env", "API_TOKEN=", "API_TOKEN='", "unterminated"),
        (rig.folder / "cutover.yaml", "&header=X-Api-Key:", "&header=X-Api-Key:a&", "%26"),
        (rig.folder / "cutover.yaml", "{Authorization: ", "{Auth orization: ", "Auth orization"),
    )
    assert rig.hits_in_output() == []
