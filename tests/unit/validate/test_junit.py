"""JUnit XML: well-formed whatever the replies hold, and counted right."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from cutover.validate.junit import junit
from cutover.validate.results import Check, Verdict, error, warning

VERDICT = Verdict(
    "smoke",
    "manager",
    "blue",
    (
        Check("one", 0.25, detail="answer"),
        Check("two", 0.5, (error("no-match", "$.a: seen \x00<&>\x1b[0m \ud800", "line\x07"), error("too-slow", "m"))),
        Check("three", skipped="needs ${a} of two"),
        Check("four", 0.25, (warning("w", "worth knowing", cure="c"),)),
    ),
    {"steps": 4, "latency": {"p95": 0.5}},
)


def test_a_verdict():
    """Suites, cases, properties, failures, times."""
    root = ET.fromstring(junit([VERDICT, Verdict("parity", "", "blue", findings=(error("gate", "not equal"),))]))
    assert root.attrib == {
        "name": "cutover", "tests": "5", "failures": "2", "errors": "0", "skipped": "1", "time": "1.000000",
    }  # fmt: skip
    smoke, parity = root
    assert smoke.attrib == {
        "name": "smoke.manager.blue", "tests": "4", "failures": "1", "errors": "0", "skipped": "1", "time": "1.000000",
    }  # fmt: skip
    properties = {p.get("name"): p.get("value") for p in smoke.find("properties")}
    assert properties == {"verb": "smoke", "subject": "blue", "steps": "4", "latency.p95": "0.5"}
    one, two, three, four = smoke.findall("testcase")
    assert (one.get("classname"), one.get("name"), one.get("time")) == ("smoke.manager.blue", "one", "0.250000")
    failure = two.find("failure")
    assert (failure.get("type"), failure.get("message")) == ("no-match", "$.a: seen \\x00<&>\\x1b[0m \\xd800")
    assert failure.text == "no-match: $.a: seen \\x00<&>\\x1b[0m \\xd800\n  | line\\x07\n\ntoo-slow: m"
    assert three.find("skipped").get("message") == "needs ${a} of two"
    assert four.find("failure") is None
    assert four.find("system-out").text == "w: worth knowing\ncure: c"
    assert [(c.get("name"), c.find("failure").get("message")) for c in parity.findall("testcase")] == [
        ("the whole", "not equal")
    ]


def test_no_verdicts():
    """A document all the same."""
    assert ET.fromstring(junit([])).get("tests") == "0"


@given(text=st.text(st.characters()))
def test_any_text(text):
    """It can be read back, wherever it stands."""
    verdict = Verdict(text, text, text, (Check(text, 1, (error(text, text, text, cure=text),), text),), {text: text})
    root = ET.fromstring(junit([verdict]))
    assert root.find(".//failure") is not None
