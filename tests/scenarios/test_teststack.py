"""Blue's test stack beside green: ready or gone again, and green is not touched."""

from __future__ import annotations

import json
import signal

import pytest

from tests.scenarios.conftest import bare_rig
from tests.scenarios.rig import COMPOSE, ended, free_ports
from tests.scenarios.teststack_world import DEP, NEEDS_DEP, World, findings, robbed, settled, wait_for, who

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture
def world(engine, tmp_path):
    """Give a project with green up and a blue that depends on a service that does not run."""
    rig = bare_rig(tmp_path)
    rig.template = COMPOSE + DEP
    rig.write()
    rig.up()
    made = World(rig)
    try:
        yield made
    finally:
        rig.cutover("down", "--all")
        made.client.close()
        rig.down()


def test_up_and_down(world):
    """Blue answers on its test ports beside green; what it needs is started with it and goes with it."""
    world.override()
    told = world.rig.cutover("up", "--json")
    assert told.code == 0, told
    stack = told.json
    assert stack["result"] == "ready"
    expected = {str(world.rig.zmq): f"127.0.0.1:{world.one}", str(world.rig.http): f"127.0.0.1:{world.two}"}
    assert (stack["service"], stack["of"], stack["ports"]) == ("new_test", "new", expected)
    assert who(world.two) == "new"
    assert world.rig.answers() == "old"
    up = world.seen()
    assert world.before["containers"].items() <= up["containers"].items(), "nobody else was touched"
    assert len(up["containers"]) == 3, "green, the test stack, what it depends on"
    assert f"{world.rig.project}_apart" in up["networks"] - world.before["networks"]
    anonymous = up["anonymous"] - world.before["anonymous"]
    assert len(anonymous) >= 2
    record = world.rig.folder / ".cutover" / world.rig.project / "tests" / "new_test.json"
    assert record.stat().st_mode & 0o777 == 0o600
    (world.rig.folder / "overrides" / "new_test.yml").unlink()
    told = world.rig.cutover("down", "--json")
    assert told.code == 0, told
    assert f"container {world.rig.project}-new_test-1" in told.json["removed"]
    assert f"container {world.rig.project}-dep-1" in told.json["removed"]
    assert f"volume {world.rig.project}_new_test_own" in told.json["removed"]
    assert f"network {world.rig.project}_apart" in told.json["removed"]
    world.untouched()
    assert anonymous.isdisjoint(v.name for v in world.client.volumes.list())
    again = world.rig.cutover("down")
    assert (again.code, again.out) == (0, "nothing to take down\n")
    green = world.rig.cutover("down", "old")
    assert (green.code, green.out) == (0, "nothing to take down\n"), "green is no test stack, whoever asks"
    world.untouched()


def test_without_an_override_file_one_is_derived(world):
    """Written under overrides/, with ports that are free and still free for it when Docker takes them."""
    told = world.rig.cutover("up", "--json")
    assert told.code == 0, told
    assert (world.rig.folder / "overrides" / "new_test.yml").is_file()
    port = told.json["ports"][str(world.rig.http)].partition(":")[2]
    assert who(port) == "new"
    assert world.rig.cutover("down", "new_test").code == 0
    world.untouched()


def test_a_port_that_is_taken_in_the_gap(world):
    """Ports that cutover chose are chosen again, twice; what is up in the end is as the file says."""
    told = robbed(world, 2, "up", "--json")
    assert told.code == 0, told
    assert told.err.count("Other ports are chosen") == 2, told
    port = told.json["ports"][str(world.rig.http)].partition(":")[2]
    assert who(port) == "new"
    assert port in (world.rig.folder / "overrides" / "new_test.yml").read_text()
    assert world.rig.cutover("down").code == 0
    world.untouched()


def test_a_rehearsals_ports_that_are_taken_in_the_gap(world):
    """As with `up`; that nothing was asked of blue is another matter."""
    told = robbed(world, 2, "rehearse", "--json")
    assert told.err.count("Other ports are chosen") == 2, told
    verdicts = {v["verb"]: v["passed"] for v in told.json["verdicts"]}
    assert verdicts["up"], told
    assert [d["code"] for d in told.json["defects"]] == ["nothing-proven"]
    world.untouched()


def test_a_port_of_the_users_own_that_is_taken_in_the_gap(world):
    """It is his to change: refused, with who has it, and nothing left."""
    world.override(more="")
    told = robbed(world, 1, "up", "--json")
    assert told.code == 1, told
    assert told.json["error"]["reference"] == "port-taken"
    assert "tests.scenarios.robbed" in str(told.json["error"]["evidence"])
    world.untouched()


def test_a_dependency_that_runs_is_left_alone(world):
    """It is neither started nor restarted nor removed."""
    world.rig.compose("up", "-d", "dep")
    world.before = world.seen()
    world.override()
    assert world.rig.cutover("up").code == 0
    assert world.before["containers"].items() <= world.seen()["containers"].items()
    assert world.rig.cutover("down").code == 0
    world.untouched()


def test_up_again_takes_the_earlier_one_down_first(world):
    """The second is a new container on the same ports, and there is one of it."""
    world.override(more="")
    assert world.rig.cutover("up").code == 0
    first = world.rig.container("new_test")["Id"]
    told = world.rig.cutover("up")
    assert told.code == 0, told
    assert world.rig.container("new_test")["Id"] != first
    assert world.rig.cutover("down").code == 0
    world.untouched()


@pytest.mark.parametrize(
    ("env", "code", "telling"),
    [
        ({"NEW_FAIL": "wrong"}, "wrong-answer", "'wrong', not 'ok'"),
        ({"NEW_FAIL": "silent"}, "not-reading", "successfully bound"),
        ({"NEW_FAIL": "exit"}, "exited", "cannot read the weights"),
        ({"NEW_FAIL": "unhealthy"}, "unhealthy", "503"),
        ({"NEW_LOAD_S": "60", "NEW_START": "60s"}, "nothing-listens", "listens inside: nobody"),
        ({"PORT": "6571"}, "port-mismatch", "HTTP_PORT=6571"),
    ],
)
def test_a_blue_that_is_never_ready_is_named_and_taken_down(world, env, code, telling):
    """Within its time, with the finding, the end of its log, and nothing left."""
    world.rig.env.update(env)
    more = '    environment: {HTTP_PORT: "${PORT}"}\n' if "PORT" in env else ""
    world.override(more=more + NEEDS_DEP)
    told = world.rig.cutover("up", "--json", "--ready-timeout", "6")
    assert told.code == 1, told
    error = told.json["error"]
    assert error["reference"] == "not-ready"
    assert findings(told)[0] == code, told
    assert telling in json.dumps(error).replace('\\"', '"'), told
    assert "hunter2" not in told.out + told.err
    world.untouched()


def test_keep_leaves_it_to_be_looked_at(world):
    """Until `down`."""
    world.rig.env["NEW_FAIL"] = "wrong"
    world.override(more="")
    told = world.rig.cutover("up", "--keep", "--ready-timeout", "3")
    assert told.code == 1, told
    assert "is kept as it is" in told.err
    assert who(world.two) == "new"
    assert world.rig.cutover("down").code == 0
    world.untouched()


def test_a_port_that_somebody_has_is_refused_with_the_name(world):
    """Nothing is created for it."""
    world.override(ports=(world.one, world.rig.http))
    told = world.rig.cutover("up", "--json")
    assert told.code == 1, told
    assert told.json["error"]["reference"] == "port-taken"
    assert f"{world.rig.project}-old-1" in str(told.json["error"]["evidence"])
    world.untouched()


def test_a_gpu_that_the_engine_does_not_grant(world):
    """It is refused before anything is made, with the way out; and that way works."""
    devices = "[{driver: nope, count: 1, capabilities: [gpu]}]"
    world.override(more=f"    deploy: {{resources: {{reservations: {{devices: {devices}}}}}}}\n")
    told = world.rig.cutover("up", "--json")
    assert told.code == 1, told
    error = told.json["error"]
    assert error["reference"] == "no-gpu-runtime"
    assert "could not select device driver" in str(error["evidence"])
    assert "--no-gpu" in error["hint"]
    world.untouched()
    told = world.rig.cutover("up", "--no-gpu")
    assert told.code == 0, told
    assert world.rig.cutover("up", "--no-gpu").code == 0, "a second time, over the first"
    assert not world.rig.container("new_test")["HostConfig"]["DeviceRequests"]
    assert world.rig.cutover("down").code == 0
    world.untouched()


def test_an_image_that_is_not_there(world):
    """Nothing is built or pulled."""
    world.override(more="    image: not-built-yet:1\n")
    told = world.rig.cutover("up", "--json")
    assert told.code == 1, told
    assert told.json["error"]["reference"] == "image-missing"
    assert told.json["error"]["hint"] == "docker pull not-built-yet:1", "building blue would not give this one"
    world.untouched()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["recorded", "running"])
def test_interrupted(world, number, when):
    """At any moment: all of it is gone again, exit code 130."""
    world.rig.env["NEW_LOAD_S"] = "30"
    world.override()
    process = world.rig.start("up")
    wait_for(world, when)
    process.send_signal(number)
    told = ended(process)
    assert told.code == 130, told
    world.untouched()


@pytest.mark.parametrize("when", ["recorded", "running"])
def test_killed_then_down(world, when):
    """SIGKILL leaves half a stack and a record of it: `down` takes it away, also without the override file."""
    world.rig.env["NEW_LOAD_S"] = "30"
    world.override()
    process = world.rig.start("up")
    wait_for(world, when)
    assert world.rig.cutover("down").code == 1, "another process is at work on it"
    process.kill()
    ended(process)
    settled(world)
    (world.rig.folder / "overrides" / "new_test.yml").unlink()
    told = world.rig.cutover("down")
    assert told.code == 0, told
    world.untouched()


def test_a_hand_written_file_without_labels(world):
    """The service that it adds is the test stack; its ports are paired with green's by where they lead."""
    world.override(more="")
    path = world.rig.folder / "overrides" / "new_test.yml"
    lines = [line for line in path.read_text().splitlines() if "test-ports" not in line]
    (world.rig.folder / "mine.yml").write_text("\n".join(lines))
    path.unlink()
    told = world.rig.cutover("up", "--json", "-o", "mine.yml")
    assert told.code == 0, told
    assert told.json["ports"][str(world.rig.http)] == f"127.0.0.1:{world.two}"
    labels = world.rig.container("new_test")["Config"]["Labels"]
    assert labels["cutover.test-of"] == "new"
    assert world.rig.cutover("down").code == 0
    world.untouched()


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("services: {old: {environment: {X: y}}, t: {image: x, ports: ['1:1']}}", "override-changes-services"),
        ("services: {old: {}}", "no-test-service"),
        ("services: {a: {image: x}, b: {image: x}}", "no-test-service"),
        ("services: {a: {image: x}}", "no-test-ports"),
        ("services: {a: {image: x, labels: {cutover.test-ports: '1:2'}, ports: ['20999:1']}}", "bad-test-ports"),
        ("services: [", "yaml"),
    ],
)
def test_files_that_make_no_test_stack(world, text, reference):
    """Each is refused before anything is made."""
    (world.rig.folder / "bad.yml").write_text(text)
    told = world.rig.cutover("up", "--json", "-o", "bad.yml")
    assert told.code in {1, 2}, told
    assert reference in told.json["error"]["reference"], told
    world.untouched()


def test_20_at_once(world):
    """Twenty test stacks of one project come up at the same time on forty distinct ports, and go without a trace."""
    ports = free_ports(44)[4:]
    names = [f"t{n:02}" for n in range(20)]
    # twenty healthchecks a second are more than a small host can do
    calm = NEEDS_DEP + "    healthcheck: {disable: true}\n"
    for n, name in enumerate(names):
        world.override(name, more=calm, ports=(ports[2 * n], ports[2 * n + 1]))
    tried = [world.rig.start("up", name, "--json", "--ready-timeout", "200") for name in names]
    told = [ended(process, 280) for process in tried]
    assert [t.code for t in told] == [0] * 20, [t for t in told if t.code]
    used = [address for t in told for address in t.json["ports"].values()]
    assert len(set(used)) == 40
    assert world.before["containers"].items() <= world.seen()["containers"].items()
    assert len(world.seen()["containers"]) == 1 + 20 + 1
    assert world.rig.cutover("down", "--all", timeout=200).code == 0
    world.untouched()
