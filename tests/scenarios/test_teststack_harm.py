"""What a test stack must never do to what is there: start or stop green, run a job over live data, leave volumes."""

from __future__ import annotations

import json

import pytest

from tests.scenarios.conftest import bare_rig
from tests.scenarios.rig import COMPOSE
from tests.scenarios.teststack_world import World, who

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]
MORE = """\

  slow:
    image: {image}
    command: ["python3", "-c", "import http.server as h,threading,time\\nH=h.SimpleHTTPRequestHandler\\n\\
      serve=lambda p: h.HTTPServer(('0.0.0.0', p), H).serve_forever()\\n\\
      threading.Thread(target=serve, args=(5570,)).start()\\ntime.sleep(4)\\nserve(6570)"]
    stop_grace_period: 1s

  store:
    image: {image}
    command: ["redis-server", "--port", "6379"]
    volumes: ["storedata:/data"]
    stop_grace_period: 1s

  seed:
    image: {image}
    user: root
    command: ["sh", "-c", "date >> /live/runs"]
    volumes: ["live:/live"]

  calm:
    image: {image}
    command: ["true"]

volumes:
  live: {{}}
  storedata: {{}}
  anon: {{}}
"""
USES_LIVE = '["./server.py:/srv/server.py:ro", "live:/live"]'


@pytest.fixture
def world(engine, tmp_path):
    """Give a project with green up, which has live data in a volume."""
    rig = bare_rig(tmp_path)
    green, blue = COMPOSE.split("  new:\n")
    rig.template = green.replace('["./server.py:/srv/server.py:ro"]', USES_LIVE) + "  new:\n" + blue + MORE
    rig.write()
    rig.up()
    made = World(rig)
    try:
        yield made
    finally:
        rig.cutover("down", "--all")
        made.client.close()
        rig.down()


def runs_of_seed(world):
    """Return how often the job has run over the live volume."""
    told = world.rig.compose("exec", "-T", "old", "sh", "-c", "cat /live/runs 2>/dev/null | wc -l")
    return int(told.stdout)


def started_at(world, service):
    """Return when the container of a service was started, None where there is none."""
    found = world.rig.container(service)
    return found and (found["Id"], found["State"]["StartedAt"])


@pytest.mark.parametrize("gone", ["stop", "rm"])
def test_green_is_never_started(world, gone):
    """A blue that depends on a green that does not run is refused; nothing is made, and `down` touches nothing."""
    world.override(more="    depends_on: {old: {condition: service_started}}\n")
    world.rig.compose("stop", "old")
    if gone == "rm":
        world.rig.compose("rm", "-f", "old")
    before = world.seen()
    told = world.rig.cutover("up", "--json")
    assert told.code == 1, told
    error = told.json["error"]
    assert error["reference"] == "green-not-running", told
    assert error["hint"] == "docker compose up -d old"
    assert world.seen() == before
    world.rig.up()
    up = started_at(world, "old")
    assert world.rig.cutover("down").code == 0
    assert started_at(world, "old") == up, "green serves by then"
    told = world.rig.cutover("up")
    assert told.code == 0, told
    assert world.rig.cutover("down").code == 0
    assert started_at(world, "old") == up


def test_what_others_started_meanwhile_is_left_alone(world):
    """A dependency that somebody made anew is not what `up` started: it stays, and that is said."""
    world.override(more="    depends_on: [store]\n")
    assert world.rig.cutover("up").code == 0
    world.rig.compose("up", "-d", "--force-recreate", "store")
    theirs = started_at(world, "store")
    told = world.rig.cutover("down")
    assert told.code == 0, told
    assert started_at(world, "store") == theirs
    assert "store" in told.err, "it is said"
    assert "stays" in told.err
    assert f"{world.rig.project}_storedata" in world.seen()["volumes"], "it is in use"


def test_a_job_does_not_run_again_over_live_data(world):
    """Its container is gone, so `up` would run it: refused before anything starts, unless it is asked for."""
    world.override(more="    depends_on: {seed: {condition: service_completed_successfully}}\n")
    told = world.rig.cutover("up", "--json")
    assert told.code == 1, told
    error = told.json["error"]
    assert error["reference"] == "job-would-run", told
    assert "seed" in error["message"]
    assert f"{world.rig.project}_live" in json.dumps(error["evidence"])
    assert f"{world.rig.project}-old-1" in json.dumps(error["evidence"]), "who has it as well"
    assert "--run-jobs" in error["hint"]
    assert runs_of_seed(world) == 0
    world.untouched()
    told = world.rig.cutover("up", "--run-jobs")
    assert told.code == 0, told
    assert runs_of_seed(world) == 1
    assert world.rig.cutover("down").code == 0
    world.untouched()
    world.rig.compose("up", "-d", "seed")
    world.rig.compose("wait", "seed", check=False)
    assert world.rig.cutover("up").code == 0, "a job that completed is done"
    assert runs_of_seed(world) == 2
    assert world.rig.cutover("down").code == 0


def test_a_job_that_shares_nothing_may_run(world):
    """It can harm nobody."""
    world.override(more="    depends_on: {calm: {condition: service_completed_successfully}}\n")
    told = world.rig.cutover("up")
    assert told.code == 0, told
    assert world.rig.cutover("down").code == 0
    world.untouched()


def test_a_slow_second_port_is_waited_for(world):
    """The one that is probed opens at once, the other four seconds later: ready means both."""
    settings = (world.rig.folder / "cutover.yaml").read_text().partition("probes:")[0]
    (world.rig.folder / "cutover.yaml").write_text(f"{settings}probes: ['tcp://:{world.rig.zmq}']\n")
    world.override()
    path = world.rig.folder / "overrides" / "new_test.yml"
    path.write_text(path.read_text().replace("service: new}", "service: slow}").replace("    depends_on", "    #"))
    told = world.rig.cutover("up", "--json")
    assert told.code == 0, told
    assert told.json["findings"] == []
    assert told.json["seconds"] > 4
    assert world.rig.cutover("down").code == 0


@pytest.mark.parametrize("name", ["tyop", "new_tset", "Old"])
def test_a_name_that_is_nobodys_starts_nothing(world, name):
    """It is a mistake, told with the nearest name; nothing is written."""
    told = world.rig.cutover("up", name, "--json")
    assert told.code == 2, told
    assert told.json["error"]["reference"] == "unknown-test-stack"
    if name == "new_tset":
        assert "new_test" in told.json["error"]["hint"]
    assert not (world.rig.folder / "overrides").exists()
    world.untouched()


def test_a_service_by_its_name(world):
    """Its test stack is meant; and `down` of a name that is nobody's says which there are."""
    (world.rig.folder / "cutover.yaml").write_text(
        f"green: old\nblue: new\nports: [{world.rig.zmq}, {world.rig.http}]\n"
    )
    told = world.rig.cutover("up", "new", "--json")
    assert told.code == 0, told
    assert told.json["service"] == "new_test"
    told = world.rig.cutover("down", "tyop")
    assert (told.code, told.out) == (0, "nothing to take down\n")
    assert "new_test" in told.err
    told = world.rig.cutover("down", "new")
    assert f"removed container {world.rig.project}-new_test\n" in told.out, told
    world.untouched()


def test_volumes_that_were_not_there_go(world):
    """Those of a dependency that `up` started, and one that blue only reads; what was there before stays."""
    world.override(more="    depends_on: [store]\n")
    path = world.rig.folder / "overrides" / "new_test.yml"
    path.write_text(path.read_text().replace('"own:/own"]', '"own:/own", "anon:/x:ro", "live:/live:ro"]'))
    told = world.rig.cutover("up")
    assert told.code == 0, told
    told = world.rig.cutover("down")
    for name in ("storedata", "anon"):
        assert f"removed volume {world.rig.project}_{name}\n" in told.out, told
    world.untouched()


def test_a_bad_probe_is_told_before_anything_starts(world):
    """Nothing is made for it."""
    world.override(more="")
    told = world.rig.cutover("up", "--json", "--probe", f"http://:{world.rig.http}/?expct=status:ok")
    assert told.code == 2, told
    assert "start" not in told.err
    world.untouched()


def test_hints_that_can_be_copied(world):
    """Each next command works as it stands."""
    world.rig.env["NEW_FAIL"] = "exit"
    world.override(more="")
    told = world.rig.cutover("up", "--json")
    assert told.code == 1, told
    logs = f"docker logs {world.rig.project}-new_test-1"
    assert told.json["error"]["hint"] == f"cutover up new_test --keep, then {logs}"
    assert told.json["error"]["findings"][0]["cure"] == f"cutover up new_test --keep, then {logs}"
    told = world.rig.cutover("up", "new_test", "--keep", "--json")
    assert told.json["error"]["hint"] == logs
    world.rig.cutover("down")
    world.rig.file.write_text(
        world.rig.file.read_text().replace("  new:\n    image: ", "  new:\n    build: .\n    image: not-")
    )
    world.override(more="    build: !reset null\n")
    told = world.rig.cutover("up", "--json")
    assert told.json["error"]["hint"] == "docker compose build new", told


def test_a_damaged_record_blocks_nobody(world):
    """What carries the label goes, what is not known is said."""
    world.override(more="")
    assert world.rig.cutover("up").code == 0
    record = world.rig.folder / ".cutover" / world.rig.project / "tests" / "new_test.json"
    record.write_text(record.read_text()[:20])
    told = world.rig.cutover("up")
    assert told.code == 0, told
    assert who(world.two) == "new"
    record.write_text("{}")
    told = world.rig.cutover("down", "--all")
    assert told.code == 0, told
    assert "cannot be read" in told.err
    world.untouched()
