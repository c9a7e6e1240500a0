"""Parity on the demonstration stack: blue as a test stack beside green, asked the same."""

from __future__ import annotations

import json
import secrets

import pytest

from tests.scenarios.demo import Demo
from tests.scenarios.rig import free_ports

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def demo(engine, tmp_path_factory):
    """Give the stack with green up; a blue that answers wrongly counts as ready here: parity is to find it."""
    made = Demo(tmp_path_factory.mktemp("demo"), f"ct{secrets.token_hex(4)}", *free_ports(2))
    made.write()
    settings = made.folder / "cutover.yaml"
    settings.write_text(settings.read_text().replace("expect=status:ok&", ""))
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def blue(demo):
    """Give a function that starts blue's test stack with a fault, or none; it is taken down in the end."""

    def start(fault=""):
        demo.env = {"SUITE_FAIL": fault}
        assert demo.cutover("up").code == 0
        return demo

    yield start
    demo.cutover("down")
    demo.env = {}


def verdict_of(told):
    """Return the verdict that `--json` printed."""
    (verdict,) = told.json["verdicts"]
    return verdict


def kinds(verdict):
    """Return code -> paths of what differs."""
    found = {}
    for group in verdict["figures"]["differences"]:
        found.setdefault(group["code"], set()).add(group["path"])
    return found


@pytest.mark.parametrize("more", [[], ["--mode", "parallel", "--workers", "3", "--seed", "9"]])
def test_two_managers_that_do_the_same_are_equal(blue, more):
    """In turn, and three cases at once; another image of the same protocol."""
    told = blue().cutover("parity", "--json", *more)
    verdict = verdict_of(told)
    assert told.code == 0, told
    assert verdict["figures"]["share_equal"] == 1
    assert verdict["figures"]["accuracy"]["blue"]["correct"] == 1
    assert verdict["figures"]["asked"] == sum(1 for c in verdict["checks"] if c["passed"] and not c["skipped"]) > 50


def test_a_blue_that_answers_wrongly_is_named(blue):
    """By path, with both texts; accuracy falls as well."""
    told = blue("wrong_answer").cutover("parity", "--json")
    verdict = verdict_of(told)
    assert told.code == 1
    assert {"$.status", "$.result.text"} <= kinds(verdict)["text-differs"]
    assert {"gate-equal", "accuracy-regression"} <= {f["code"] for f in verdict["findings"]}
    assert verdict["figures"]["accuracy"]["green"]["correct"] == 1


def test_people_read_what_differs_by_kind_and_both_latencies(blue):
    """Not a line for each of all the cases."""
    told = blue("wrong_answer").cutover("parity")
    assert told.code == 1
    assert '    - "ok"\n    + "wrong"\n' in told.out
    assert "text-differs at $.result.text, in " in told.out
    assert [line.split()[0] for line in told.out.splitlines() if line.startswith(("green ", "blue "))][:2] == [
        "green",
        "blue",
    ]
    assert len(told.out.splitlines()) < 60


def test_a_slow_blue_is_named(blue):
    """Equal answers, and two seconds for each."""
    demo = blue("slow")
    told = demo.cutover("parity", "--json", "--limit", "2")
    verdict = verdict_of(told)
    assert told.code == 1
    assert [f["code"] for f in verdict["findings"]] == ["slower"]
    assert verdict["figures"]["share_equal"] == 1


def test_recorded_cases_and_a_baseline_stand_in_for_what_the_settings_say(blue):
    """A recording that was cut off is told with its line, a good one is asked."""
    demo = blue()
    case = {"to": f"zmq://:{demo.zmq}", "request": {"method": "generate_text", "params": {"prompt": "The ", "seed": 1}}}
    lines = [json.dumps({"recording": 1}), json.dumps({"case": case, "reply": {}}), '{"case": {"to": "zm']
    recording = demo.folder / "traffic.jsonl"
    recording.write_text("\n".join(lines))
    told = demo.cutover("parity", "--cases", "traffic.jsonl")
    assert (told.code, "traffic.jsonl:3: not JSON" in told.err) == (2, True)
    recording.write_text("\n".join(lines[:2]))
    verdict = verdict_of(demo.cutover("parity", "--json", "--cases", "traffic.jsonl"))
    assert (verdict["passed"], verdict["figures"]["asked"]) == (True, 1)
    assert demo.cutover("parity", "--save-baseline", "base.json").code == 0
    verdict = verdict_of(demo.cutover("parity", "--json", "--baseline", "base.json"))
    assert verdict["figures"]["accuracy"]["baseline"]["correct"] == 1
    assert verdict["passed"]


def test_green_is_not_compared_with_itself(demo):
    """It would prove nothing; neither is a test stack compared that does not run."""
    told = demo.cutover("parity", "--blue-on", "green")
    assert (told.code, "comparing green with itself proves nothing" in told.err) == (1, True)
    told = demo.cutover("parity")
    assert (told.code, "cutover up" in told.err) == (1, True)
