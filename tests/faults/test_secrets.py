"""Every verb on a project full of known secrets, by each strategy, with and without --json."""

from __future__ import annotations

import pytest

from tests.scenarios.edge_world import made
from tests.scenarios.secrets_world import SecretRig, Watcher, see_nothing_leaked

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
LOOKS = ("plan", "status", "history", "ports", "doctor", "edge status")
TRIES = (
    "override",
    "override --print",
    "up",
    "smoke --on test --junit s.xml",
    "smoke --on green",
    "parity --junit p.xml",
    "surface",
    "down",
    "rehearse --junit r.xml",
    "schema",
    "init --print",
)
BAD = (
    ("docker-compose.yml", '"{literal}"', '"{literal}${{"'),
    ("docker-compose.yml", '"{literal}"', '["{literal}"]'),
    ("docker-compose.yml", '"{literal}"', '"{literal}"\n\t x'),
    ("docker-compose.yml", 'deploy.key: "{label}"', 'deploy.key: ["{label}"]'),
    (".env", "API_TOKEN=", "API_TOKEN='"),
    (".env", "API_TOKEN={dotenv}", "API_TOKEN={dotenv}${{"),
    (".env", "API_TOKEN=", "API TOKEN="),
    ("app.env", "SESSION_SECRET=", "SESSION_SECRET='"),
    ("app.env", "SESSION_SECRET=", "SESSION SECRET="),
    ("cutover.yaml", "header=X-Api-Key:", "header=X-Api-Key:a&"),
    ("cutover.yaml", "header=X-Api-Key:", "heder=X-Api-Key:"),
    ("cutover.yaml", "http://monitor:", "htp://monitor:"),
    ("cutover.yaml", '{{Authorization: "Bearer {suite}"}}', '"Bearer {suite}"'),
    ("cutover.yaml", '{{Authorization: "Bearer {suite}"}}', '{{Authorization: ["{suite}"]}}'),
    ("cutover.yaml", "{{Authorization: ", "{{Auth orization: "),
)


@pytest.fixture(params=["relink", "edge", "recreate"])
def rig(request, engine, edge_image, tmp_path):
    """Give such a project for each strategy, with green up."""
    rig = made(SecretRig, edge_image, tmp_path, strategy=request.param)
    try:
        rig.up()
        yield rig
    finally:
        rig.say("rollback")
        rig.down()


def each(rig, verbs, **env):
    """Call verbs with and without --json."""
    for verb in verbs:
        rig.say(*verb.split(), **env)
        rig.say(*verb.split(), "--json", **env)


def test_every_verb(rig):
    """In the order of a life: tried, swapped in vain, swapped, looked at, rolled back, swapped, committed."""
    with Watcher(rig.project) as watcher:
        each(rig, (*LOOKS, *TRIES))
        each(rig, ("rehearse", "swap"), NEW_FAIL="exit", NEW_SHOUT="1")
        each(rig, ("up", "smoke --on test", "parity", "down"), NEW_FAIL="wrong", NEW_SHOUT="1")
        rig.say("swap", code=0, NEW_SHOUT="1")
        each(rig, LOOKS)
        rig.say("rollback", code=0)
        rig.say("swap", "--json", code=0)
        rig.say("rollback", "--json", code=0)
        rig.say("swap", code=0)
        rig.say("commit", code=0)
        each(rig, (*LOOKS, "recover", "rollback"))
    see_nothing_leaked(rig, watcher)


def test_every_error_that_repeats_what_it_was_given(rig):
    """Files that cannot be read, at the very place of a secret."""
    fill, verbs = rig.secret, ("plan", "plan --json")
    rig.see_errors(
        *((rig.folder / name, old.format(**fill), new.format(**fill), "") for name, old, new in BAD), verbs=verbs
    )
    assert rig.hits_in_output() == []
