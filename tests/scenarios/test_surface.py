"""`cutover surface` as a user calls it: the demonstration's two managers asked, and their sources read."""

from __future__ import annotations

import secrets

import pytest

from tests.scenarios.demo import BLUE, Demo
from tests.scenarios.rig import free_ports

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]
METHODS = ["generate_text", "get_status", "health_check", "list_models", "load_model", "unload_model"]


@pytest.fixture(scope="module")
def demo(engine, tmp_path_factory):
    """Give the demonstration with green and blue up."""
    zmq, http = free_ports(2)
    rig = Demo(tmp_path_factory.mktemp("demo"), f"ct{secrets.token_hex(4)}", zmq, http)
    rig.write()
    try:
        rig.up()
        rig.compose("up", "-d", "--wait", BLUE)
        yield rig
    finally:
        rig.down()


def with_fault(demo, fault):
    """Start blue again, with one fault or none."""
    demo.env["SUITE_FAIL"] = fault
    demo.compose("up", "-d", "--wait", "--no-deps", BLUE)


def surface(demo, *args):
    """Return exit code and verdict."""
    told = demo.cutover("surface", "--blue-on", "blue", "--json", *args)
    assert told.out, told
    return told.code, told.json["verdicts"][0]


def standing(verdict):
    """Return where each method stands."""
    return {m["name"]: m["standing"] for m in verdict["figures"]["methods"]}


def test_a_successor_lacks_nothing(demo):
    """Six methods on both sides: asked, listed and read; nothing was unloaded by asking."""
    with_fault(demo, "")
    code, verdict = surface(demo)
    assert code == 0, verdict
    assert standing(verdict) == dict.fromkeys(METHODS, "present")
    asked = {m["name"]: m["blue"]["sources"] for m in verdict["figures"]["methods"]}
    assert asked["list_models"] == ["asked", "listed", "source"]
    places = [p for m in verdict["figures"]["methods"] for p in m["green"]["places"]]
    assert {p["file"] for p in places} == {"language_stack/manager.py"}
    assert demo.cutover("smoke", "manager", "--on", "green").code == 0


@pytest.mark.parametrize(
    ("fault", "method", "code"),
    [("missing_method", "list_models", "missing-method"), ("stub", "unload_model", "stubbed-method")],
)
def test_a_method_that_is_missing_or_a_stub_is_named(demo, fault, method, code):
    """The source has it; the service itself says otherwise, and counts more."""
    with_fault(demo, fault)
    exit_code, verdict = surface(demo, "--ask-all")
    assert exit_code == 1
    wrong = [(c["name"], f["code"]) for c in verdict["checks"] for f in c["findings"] if f["severity"] == "error"]
    assert wrong == [(method, code)]
    told = demo.cutover("surface", "--blue-on", "blue", "--ask-all", "--junit", "surface.xml")
    assert f"{code}: Blue " in told.out
    assert "language_stack/manager.py:" in told.out
    assert code in (demo.folder / "surface.xml").read_text()


def test_sources_alone_need_no_engine(demo):
    """Without cutover.yaml's services, from another folder's sources."""
    changed = demo.folder / "changed"
    changed.mkdir()
    text = (demo.folder / "language_stack" / "manager.py").read_text()
    (changed / "manager.py").write_text(text.replace('"get_status": self', '"getStatus": self'))
    demo.env["DOCKER_HOST"] = "tcp://127.0.0.1:1"
    try:
        sources = ["--green-source", "language_stack/manager.py", "--blue-source", "changed"]
        told = demo.cutover("surface", *sources)
    finally:
        del demo.env["DOCKER_HOST"]
    assert told.code == 1, told
    assert "Blue lacks 'get_status'; blue has 'getStatus'." in told.out
    assert "changed/manager.py:" in told.out


def test_without_a_test_stack(demo):
    """Only blue's source is read, and that is said; without a source it is refused."""
    told = demo.cutover("surface", "--json")
    assert "blue is not asked, only its source is read" in told.err
    assert told.code == 0, told
    settings = demo.folder / "cutover.yaml"
    before = settings.read_text()
    settings.write_text("".join(line for line in before.splitlines(keepends=True) if "blue_source" not in line))
    try:
        told = demo.cutover("surface")
    finally:
        settings.write_text(before)
    assert told.code == 1, told
    assert "No test stack" in told.err
