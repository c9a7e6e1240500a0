"""A rehearsal on the demonstration stack: green for a healthy blue, red for each of ten, with the defect's name."""

from __future__ import annotations

import secrets

import pytest

from tests.scenarios.demo import Demo
from tests.scenarios.rig import free_ports

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]
LIMIT_S = 60
SMOKE = """\
suites:
  work:
    to: zmq://:{zmq}
    steps: [{{name: double, request: {{method: double, number: 21}}, expect: {{json: {{result: 42}}}}}}]
"""
DEFECTS = [
    ("missing_method", {"missing-method": "'list_models'"}),
    ("renamed_key", {"renamed-key": "'text' in green is 'output' in blue"}),
    ("off_by_a_thousandth", {"number-differs": "$.result.mean_logprob: off by 0.001"}),
    ("reordered_list", {"order-differs": "$.result.models: the same items in another order"}),
    ("slower", {"slower": "blue is slower: p95 "}),
    ("stub", {"stubbed-method": "'unload_model'", "error-differs": "not_implemented"}),
    ("error_200", {"error-turned-ok": "unknown_model", "status-differs": "HTTP 404 and HTTP 200"}),
    ("crash_third", {"crashed": "exited with code 1"}),
    ("stack_trace", {"stack-trace": "Traceback"}),
    ("port", {"port-mismatch": "PORT=5571"}),
]


@pytest.fixture(scope="module")
def demo(engine, tmp_path_factory):
    """Give the stack with green up; each test leaves it as it was."""
    made = Demo(tmp_path_factory.mktemp("demo"), f"ct{secrets.token_hex(4)}", *free_ports(2))
    made.write()
    try:
        made.up()
        yield made
    finally:
        made.env = {}
        made.down()


def rehearse(demo):
    """Rehearse, see that nothing of it is left and green is untouched, and return exit code and JSON."""
    before = demo.containers(), demo.container("model_manager_agent")["Id"], demo.state()
    told = demo.cutover("rehearse", "--json", timeout=150)
    assert (demo.containers(), demo.container("model_manager_agent")["Id"], demo.state()) == before
    assert demo.container("model_manager_agent")["RestartCount"] == 0
    return told.code, told.json


def named(told):
    """Return what was wrong: code -> messages."""
    found = {}
    for verdict in told["verdicts"]:
        for finding in [*verdict["findings"], *(f for check in verdict["checks"] for f in check["findings"])]:
            if finding["severity"] == "error":
                found.setdefault(finding["code"], []).append(finding["message"])
    return found


def test_a_healthy_blue_is_green_within_a_minute(demo):
    """Every part was done, and said yes."""
    demo.env = {"SUITE_LOAD_S": "3"}
    code, told = rehearse(demo)
    assert (code, told["result"], named(told)) == (0, "green", {})
    assert [v["verb"] for v in told["verdicts"]] == ["override", "up", "smoke", "parity", "surface", "down"]
    assert all(v["passed"] for v in told["verdicts"])
    assert told["seconds"] < LIMIT_S


@pytest.mark.parametrize(("fault", "expected"), DEFECTS, ids=[fault for fault, _ in DEFECTS])
def test_each_defect_is_red_and_has_a_name(demo, fault, expected):
    """By code, and by what a person needs to find it."""
    demo.env = {"SUITE_PORT": "5571"} if fault == "port" else {"SUITE_FAIL": fault}
    code, told = rehearse(demo)
    assert (code, told["result"]) == (1, "red")
    found = named(told)
    for name, words in expected.items():
        assert any(words in message for message in found.get(name, ())), found


def test_a_blue_that_is_asked_nothing_is_red(rig):
    """It became ready; that is no proof, and what to write is said. Nothing stays, green serves."""
    before = rig.container("old")["Id"], rig.state()
    told = rig.cutover("rehearse")
    assert told.code == 1, told
    assert "nothing-proven" in told.out
    assert "suites:" in told.out
    assert rig.container("new_test") is None
    assert (rig.container("old")["Id"], rig.state()) == before
    assert rig.answers() == "old"


def test_parts_that_nobody_wrote_anything_for_are_said(rig):
    """One of the three questions is enough for green."""
    settings = rig.folder / "cutover.yaml"
    settings.write_text(settings.read_text() + SMOKE.format(zmq=rig.zmq))
    told = rig.cutover("rehearse")
    assert told.code == 0, told
    assert "skip parity: nothing of it is in cutover.yaml" in told.out
    assert "green: nothing is wrong" in told.out
    rig.env["NEW_FAIL"] = "lazy"
    told = rig.cutover("rehearse")
    assert told.code == 1, told
    assert "42" in told.out
    assert rig.container("new_test") is None
