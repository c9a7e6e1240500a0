"""`pytest --cutover` as a user calls it: what is started, what is told, and that nothing stays, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import INSTALLED
from tests.scenarios.demo import BLUE, GREEN, Demo
from tests.scenarios.rig import free_ports

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]
MINE = """
from cutover.testing import assert_parity

ZMQ, HTTP = {zmq}, {http}
QUESTION = {{"method": "generate_text", "params": {{"prompt": "the ", "seed": 1}}}}

def test_same_answer(green, blue):
    assert green.zmq(ZMQ, QUESTION)["result"] == blue.zmq(ZMQ, QUESTION)["result"]

def test_parity(green, blue):
    assert_parity(green, blue, to=f"zmq://:{{ZMQ}}", request={{"method": "list_models"}})

def test_who(green, blue, test_stack):
    print("apart:", test_stack.apart, "project:", test_stack.project)
    assert green.http(HTTP, "/health").value["service"] == "model_manager_agent"
    assert blue.http(HTTP, "/health").value["service"] == "model_manager_suite"
    assert blue.address(ZMQ).port != ZMQ
    assert "model_manager_suite listens on" in blue.logs()
    assert "model_manager_agent listens on" in green.logs()
"""
SLOW = """
import time

def test_slow(green, blue):
    print("STARTED", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def demo(engine, tmp_path):
    """Give the demonstration stack, not started, with a user's tests in it."""
    made = Demo(tmp_path, f"ct{os.urandom(4).hex()}", *free_ports(2))
    made.write()
    (tmp_path / "test_mine.py").write_text(MINE.format(zmq=made.zmq, http=made.http))
    try:
        yield made
    finally:
        made.env = {}
        made.down()


def start(demo, *args, file="test_mine.py"):
    """Start pytest in the project's folder."""
    plugin = [] if INSTALLED else ["-p", "cutover.pytest_plugin"]
    # The background job of a shell ignores SIGINT, and would hand that down.
    python = ["env", "--default-signal=INT", sys.executable, "-W", "error"]
    command = [*python, "-m", "pytest", "-s", *plugin, "-p", "no:cacheprovider", *args, file]
    return subprocess.Popen(
        command,
        cwd=demo.folder,
        env=demo.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(demo, *args):
    """Run pytest to its end; return exit code and output."""
    process = start(demo, *args)
    out, _ = process.communicate(timeout=150)
    return process.returncode, out


def own_projects():
    """Return what projects of the fixtures' own there are: containers, volumes, networks."""
    found = []
    for kind, shown in (("container", ["-a", "--format", "{{.Names}}"]), ("volume", ["-q"]), ("network", [])):
        told = subprocess.run(["docker", kind, "ls", *shown], capture_output=True, text=True, check=True).stdout
        found += [word for word in told.split() if word.startswith("cutover-test-")]
    return found


def test_both_in_a_project_of_their_own(demo):
    """Where green does not run; the user's own project is not touched, and the ports of clients stay free."""
    code, out = run(demo, "--cutover")
    assert code == 0, out
    assert "3 passed" in out
    assert "apart: True project: cutover-test-" in out
    assert demo.containers() == []
    project = out.partition("project: ")[2].split()[0]
    assert [x for x in own_projects() if x.startswith(project)] == []


def test_blue_beside_a_green_that_runs(demo):
    """Green is asked where its clients ask it, and is the same container afterwards."""
    demo.up()
    before = demo.containers(), demo.container(GREEN)["Id"], demo.container(GREEN)["State"]["StartedAt"]
    code, out = run(demo, "--cutover")
    assert code == 0, out
    assert "3 passed" in out
    assert f"apart: False project: {demo.project}" in out
    assert (demo.containers(), demo.container(GREEN)["Id"], demo.container(GREEN)["State"]["StartedAt"]) == before
    assert not (demo.folder / "overrides").exists(), "the file of this test stack is nobody's"


def test_apart_though_green_runs(demo):
    """For who does not want the tests' load on green."""
    demo.up()
    code, out = run(demo, "--cutover", "--cutover-apart")
    assert code == 0, out
    assert "apart: True" in out


def test_a_broken_blue_is_red(demo):
    """The test that it breaks, and no other, with a diff."""
    demo.env = {"SUITE_FAIL": "reordered_list"}
    code, out = run(demo, "--cutover")
    assert code == 1
    assert "1 failed, 2 passed" in out
    assert "$.result.models: the same items in another order" in out


def test_a_blue_that_does_not_start_is_told_with_its_log(demo):
    """And nothing of it is left."""
    demo.env = {"SUITE_FAIL": "exit"}
    code, out = run(demo, "--cutover")
    assert code == 1
    assert "3 errors" in out
    assert "cannot read the weights" in out
    assert "Traceback" not in out


def test_what_is_kept_is_named_and_can_be_taken_down_as_told(demo):
    """With one command, from anywhere."""
    code, out = run(demo, "--cutover", "--cutover-keep")
    assert code == 0, out
    command = out.partition("cutover: kept, as asked; take it down: ")[2].splitlines()[0].split()
    project = command[command.index("-p") + 1]
    try:
        assert len([x for x in own_projects() if x.startswith(project) and x.endswith("-1")]) == 4
    finally:
        subprocess.run(command, check=True, capture_output=True)
    assert [x for x in own_projects() if x.startswith(project)] == []


@pytest.mark.parametrize(
    ("running", "number"), [(True, signal.SIGTERM), (False, signal.SIGINT)], ids=["beside-15", "apart-2"]
)
def test_a_signal_ends_it_and_nothing_stays(demo, number, running):
    """Ctrl-C of a person, SIGTERM of a CI that was cancelled."""
    (demo.folder / "test_slow.py").write_text(SLOW)
    if running:
        demo.up()
    before = demo.containers()
    process = start(demo, "--cutover", file="test_slow.py")
    for line in process.stdout:
        if "STARTED" in line:
            break
    assert BLUE in " ".join([*demo.containers(), *own_projects()])
    os.killpg(process.pid, number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 2, out
    assert demo.containers() == before
    assert not left(process.pid)


def left(pid):
    """Return the containers that a process of the fixtures labelled as its own, after a moment's grace for Docker."""
    end = time.monotonic() + 10
    while True:
        label = f"label=cutover.pytest={pid}"
        told = subprocess.run(["docker", "ps", "-aq", "--filter", label], capture_output=True, text=True, check=True)
        if not told.stdout or time.monotonic() > end:
            return told.stdout.split()
        time.sleep(0.1)


def test_a_service_that_nobody_named_is_asked_for(engine, demo):
    """A compose file without cutover.yaml does not say who is who."""
    (demo.folder / "cutover.yaml").unlink()
    code, out = run(demo, "--cutover")
    assert code == 1
    assert "cutover: Which service is green?" in out
