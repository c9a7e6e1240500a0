"""The JSON Schema: what may be written holds, what may not does not, and editors find descriptions."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from cutover.config.schema import json_schema

DEMO = Path(__file__).parents[3] / "compose" / "cutover.yaml"


def demo() -> dict:
    """Return the demonstration's settings."""
    return YAML(typ="safe", pure=True).load(DEMO.read_text())


@pytest.mark.parametrize("what", ["settings", "suite", "cases"])
def test_it_is_a_schema(what):
    """Of the dialect that it names, with a title."""
    schema = json_schema(what)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:cutover:schema:{what}"
    assert schema["title"]


def test_the_demonstration_holds():
    """As a whole, its suites and its cases alone."""
    content = demo()
    Draft202012Validator(json_schema("settings")).validate(content)
    for suite in content["suites"].values():
        Draft202012Validator(json_schema("suite")).validate(suite)
    Draft202012Validator(json_schema("cases")).validate(content["parity"]["cases"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.update(grean="x"),
        lambda c: c["suites"]["manager"]["steps"][0].update(requst=1),
        lambda c: c["suites"]["manager"]["steps"][0]["expect"].update(jsn=1),
        lambda c: c["suites"]["manager"]["steps"][0].update(retry={"tims": 1}),
        lambda c: c["suites"]["manager"].update(codec="yaml"),
        lambda c: c["parity"].update(mode="both"),
    ],
)
def test_a_typo_does_not_hold(spoil):
    """Nested ones neither."""
    content = demo()
    spoil(content)
    assert not Draft202012Validator(json_schema("settings")).is_valid(content)


@pytest.mark.parametrize("retry", [3, {"times": 3, "every_s": 0.5}])
def test_short_forms_hold(retry):
    """A number for retry, a text for a suite's file, one text for a list."""
    content = {"suites": {"a": "a.yaml", "b": {"to": "zmq://:1", "steps": [{"retry": retry, "envelope": "x"}]}}}
    Draft202012Validator(json_schema("settings")).validate(content)


def test_every_key_of_a_step_is_described():
    """Editors show it."""
    step = json_schema("suite")["$defs"]["Step"]["properties"]
    assert all("description" in said for said in step.values())
