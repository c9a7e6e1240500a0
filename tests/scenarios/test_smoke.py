"""`cutover smoke` as a user calls it: the sequence of the original against the demonstration's own services."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.scenarios.conftest import bare_rig
from tests.scenarios.rig import Rig

pytestmark = pytest.mark.engine

DEMO = Path(__file__).parents[2] / "compose"
BROKEN = """
  broken:
    to: zmq://:{zmq}
    timeout_s: 2
    steps:
      - name: sing
        request: {{method: sing}}
        save: {{song: $.result.song}}
      - name: encore
        request: {{method: sing, params: {{song: "${{song}}"}}}}
      - request: {{method: health_check}}
        expect:
          json: {{status: fine}}
  bare:
    steps:
      - to: zmq://:{zmq}
        socket: dealer
        delimiter: false
        timeout_s: 1
        request: {{method: health_check}}
  crossed:
    steps:
      - {{to: "http://:{zmq}/health", timeout_s: 1}}
"""


@pytest.fixture(scope="module")
def demo(engine, tmp_path_factory):
    """Give the demonstration on ports of its own, with green up and healthy."""
    rig: Rig = bare_rig(tmp_path_factory.mktemp("demo"))
    ports = {"5570": str(rig.zmq), "6570": str(rig.http)}
    compose = (DEMO / "docker-compose.yml").read_text()
    for old, new in ports.items():
        compose = compose.replace(f'"{old}:{old}"', f'"{new}:{old}"')
    rig.file.write_text(re.sub(r"(?m)^name: .*|^  build: .*", "", compose))
    settings = re.sub("5570|6570", lambda found: ports[found[0]], (DEMO / "cutover.yaml").read_text())
    broken = BROKEN.format(zmq=rig.zmq)
    settings = settings.replace("\nsuites:\n", f"\nsuites:{broken}", 1)
    (rig.folder / "cutover.yaml").write_text(settings)
    shutil.copytree(DEMO / "language_stack", rig.folder / "language_stack")
    try:
        rig.compose("up", "-d", "--wait", "model_manager_agent")
        yield rig
    finally:
        rig.down()


def test_the_sequence_of_the_original(demo):
    """health_check, load_model, generate_text over ZeroMQ, then health over HTTP: as text, JSON and JUnit XML."""
    told = demo.cutover("smoke", "manager", "--junit", "smoke.xml")
    assert told.code == 0, told
    assert "no test stack runs: asking green" in told.err
    assert re.search(r"^passed smoke manager on green: 4 of 4 passed", told.out), told
    names = ["health_check", "load_model", "generate_text", "health over HTTP"]
    assert re.findall(r"^ +ok (.*?)  +\S", told.out, re.MULTILINE)[:4] == names, told
    suite = ET.parse(demo.folder / "smoke.xml").getroot()[0]
    assert [case.get("name") for case in suite.iter("testcase")] == names
    assert suite.get("failures") == "0"
    [verdict] = demo.cutover("smoke", "manager", "--json").json["verdicts"]
    assert verdict["passed"]
    assert [check["name"] for check in verdict["checks"]] == names


def test_a_host_instead_of_a_colour(demo):
    """The legacy ports of a host are asked."""
    told = demo.cutover("smoke", "manager", "--on", "localhost")
    assert told.code == 0, told
    assert "on localhost" in told.out


def test_what_is_wrong_is_named(demo):
    """All suites are run; the failing one says step, path, expected and seen, and the exit code is 1."""
    told = demo.cutover("smoke", "broken", "manager", "--on", "green", "--junit", "all.xml")
    assert told.code == 1, told
    assert "passed smoke manager on green" in told.out
    assert "FAILED smoke broken on green: 0 of 3 passed, 2 failed, 1 skipped" in told.out
    assert "error-reply: step 1 (sing): an error: unknown_method" in told.out
    assert "needs ${song} of sing" in told.out
    assert 'json-differs: step 3 (health_check): $.status: expected "fine", seen "ok"' in told.out
    root = ET.parse(demo.folder / "all.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("7", "2", "1")


@pytest.mark.parametrize(
    ("suite", "finding"),
    [("bare", "doctor: wrong-socket-type (certain)"), ("crossed", "doctor: wrong-protocol (certain)")],
)
def test_silence_is_explained(demo, suite, finding):
    """Not a bare timeout: the doctor's first finding is in the evidence."""
    told = demo.cutover("smoke", suite, "--on", "green")
    assert told.code == 1, told
    assert "no-answer: step 1" in told.out
    assert finding in told.out, told


@pytest.mark.parametrize(
    ("args", "code", "parts"),
    [
        (
            ["mnager"],
            2,
            ["There is no suite 'mnager'", "suites: broken, bare, crossed, manager", "did you mean manager?"],
        ),
        (["--on", "blue"], 1, ["No container of model_manager_suite runs"]),
        (["--on", "test"], 1, ["No test stack"]),
        (["--junit", "/nowhere/x.xml", "manager"], 2, ["/nowhere/x.xml"]),
    ],
)
def test_bad_input(demo, args, code, parts):
    """It is named, with the nearest that would be right; nothing is printed as a result."""
    told = demo.cutover("smoke", *args)
    assert (told.code, told.out) == (code, ""), told
    assert all(part in told.err for part in parts), told


def test_no_suites_at_all(demo, tmp_path):
    """The way to write one is shown."""
    shutil.copy(demo.file, tmp_path)
    rig = Rig(tmp_path, demo.project, demo.zmq, demo.http)
    told = rig.cutover("smoke")
    assert told.code == 2, told
    assert "has no suites" in told.err
    assert "    works:\n        to: zmq://:5570" in told.err
    (tmp_path / "cutover.yaml").write_text(
        "green: model_manager_agent\nsuites:\n  a:\n    to: tcp://:1\n    steps: [{request: x}]\n"
    )
    told = rig.cutover("smoke")
    assert told.code == 2, told
    assert "suite a, step 1 (step 1): Port 1 leads nowhere here." in told.err
    assert f"{demo.zmq} (at " in told.err
