"""Green and blue asked for real, over ZeroMQ and HTTP; every source alone and with the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cutover.config import Errors, Surface
from cutover.errors import UsageError
from cutover.events import Event, Silence
from cutover.validate.results import Verdict
from cutover.validate.surface import run_surface
from cutover.validate.talk import Address

ASK = {"to": "zmq://:5570", "request": {"method": "{method}"}}
Methods = dict[str, object]


def service(methods: Methods, *, tells: bool = True, unknown: object = None) -> Callable[[list[bytes]], list[bytes]]:
    """Return a service with these methods and fixed replies; an unknown one is an error that may list the others."""

    def answer(frames: list[bytes]) -> list[bytes]:
        name = json.loads(frames[-1])["method"]
        if name in methods:
            return [json.dumps(methods[name]).encode()]
        if unknown is not None:
            return [json.dumps(unknown).replace("NAME", name).encode()]
        there = f"; there are: {', '.join(methods)}" if tells else ""
        error = {"status": "error", "error": {"code": "unknown_method", "message": f"no method {name!r}{there}"}}
        return [json.dumps(error).encode()]

    return answer


@pytest.fixture
def compare(zmq_server: Callable[..., int], tmp_path: Path) -> Callable[..., Verdict]:
    """Give a function that starts two services and compares them."""

    def run(green: Callable[..., object] | None, blue: Callable[..., object] | None, **said: object) -> Verdict:
        at = [s and {5570: Address("127.0.0.1", zmq_server(answer=s))} for s in (green, blue)]
        surface = Surface.model_validate({**ASK, "timeout_s": 5, **said})
        return run_surface(surface, tmp_path, at[0], at[1], Errors(), Silence())

    return run


def standing(verdict: Verdict) -> dict[str, str]:
    """Return where each method stands."""
    return {m["name"]: m["standing"] for m in verdict.figures["methods"]}


def codes(verdict: Verdict) -> dict[str, str]:
    """Return the code of what is wrong with each method."""
    return {c.name: f.code for c in verdict.checks for f in c.findings}


OK = {"status": "ok"}
GREEN = {"load": OK, "list": {"status": "ok", "result": []}, "health": OK}


def test_equal_services_have_nothing_missing(compare: Callable[..., Verdict]) -> None:
    """The names come from green's own list."""
    verdict = compare(service(GREEN), service(GREEN))
    assert verdict.passed
    assert standing(verdict) == dict.fromkeys(GREEN, "present")


@pytest.mark.parametrize(
    "unknown",
    [
        None,
        {"error": {"code": -32601, "message": "Method not found"}},
        {"error": "unknown action NAME"},
        {"status": "error", "error": {"code": "E17", "message": "NAME?"}},
        {"ok": False, "error": "I do not know 'NAME', request 12345"},
    ],
)
def test_a_missing_method_is_named(compare: Callable[..., Verdict], unknown: object) -> None:
    """Whatever an unknown-method reply looks like: it looks like the reply to a name that nobody has."""
    blue = {"load": OK, "health": OK, "List": OK}
    verdict = compare(service(GREEN, unknown=unknown), service(blue, unknown=unknown), methods=[*GREEN, "List"])
    assert not verdict.passed
    assert standing(verdict) == {"load": "present", "list": "missing", "health": "present", "List": "only in blue"}
    (missing,) = verdict.errors
    assert missing.code == "missing-method"
    assert missing.message == "Blue lacks 'list'; blue has 'List'."


@pytest.mark.parametrize(
    "stub",
    [
        {"status": "error", "error": {"code": "not_implemented"}},
        {"status": "error", "error": {"code": "internal", "message": "NotImplementedError()"}},
        {"error": {"code": -32000, "message": "not implemented yet"}},
        {"status": "ok", "result": "not implemented"},
    ],
)
def test_a_stub_is_named(compare: Callable[..., Verdict], stub: object) -> None:
    """By its reply; a stub in green as well is no news."""
    assert codes(compare(service(GREEN), service({**GREEN, "list": stub}))) == {"list": "stubbed-method"}
    assert compare(service({**GREEN, "list": stub}), service({**GREEN, "list": stub})).passed


def test_another_error_means_that_the_method_is_there(compare: Callable[..., Verdict]) -> None:
    """It wanted parameters."""
    bad = {"status": "error", "error": {"code": "bad_params", "message": "unknown model"}}
    assert compare(service({**GREEN, "load": bad}), service(GREEN)).passed


def test_what_the_settings_call_unknown_and_stubbed_counts(compare: Callable[..., Verdict]) -> None:
    """However the replies look."""
    blue = {"health": OK, "load": {"state": "later"}}
    verdict = compare(
        service(GREEN, unknown={"state": "eh"}),
        service(blue, unknown={"state": "eh"}),
        methods=list(GREEN),
        unknown={"$.state": "/^eh/"},
        stubbed={"$.state": "later"},
    )
    assert codes(verdict) == {"list": "missing-method", "load": "stubbed-method"}


def test_destructive_names_are_not_asked(compare: Callable[..., Verdict]) -> None:
    """Unless told to; what was not asked is said."""
    asked: list[str] = []

    def green(frames: list[bytes]) -> list[bytes]:
        asked.append(json.loads(frames[-1])["method"])
        return service({**GREEN, "deleteAll": OK, "unload_model": OK})(frames)

    verdict = compare(green, service(GREEN, tells=False))
    assert not {"deleteAll", "unload_model"} & set(asked)
    assert standing(verdict)["deleteAll"] == "untold"
    assert "not-asked" in {f.code for f in verdict.findings}
    assert codes(compare(green, service(GREEN), ask_all=True)) == {
        "deleteAll": "missing-method",
        "unload_model": "missing-method",
    }
    assert {"deleteAll", "unload_model"} <= set(asked)


def test_a_service_that_takes_every_name_cannot_be_asked(compare: Callable[..., Verdict]) -> None:
    """Said, and never taken for a service that has everything."""
    verdict = compare(service(GREEN), service({}, unknown=OK))
    assert "cannot-ask" in {f.code for f in verdict.findings}
    assert set(standing(verdict).values()) == {"untold"}
    assert not verdict.passed


def test_a_blue_that_does_not_answer_is_an_error(
    zmq_server: Callable[..., int], closed_port: int, tmp_path: Path
) -> None:
    """Not a service without methods."""
    green = {5570: Address("127.0.0.1", zmq_server(answer=service(GREEN)))}
    blue = {5570: Address("127.0.0.1", closed_port)}
    verdict = run_surface(Surface.model_validate(ASK), tmp_path, green, blue, Errors(), Silence())
    assert "cannot-ask" in {f.code for f in verdict.errors}


def test_a_method_on_which_blue_falls_silent(compare: Callable[..., Verdict]) -> None:
    """It is named: green answers it."""

    def blue(frames: list[bytes]) -> list[bytes] | None:
        return None if json.loads(frames[-1])["method"] == "list" else service(GREEN)(frames)

    assert codes(compare(service(GREEN), blue, timeout_s=0.4))["list"] == "silent-method"


SOURCE = """
class S:
    def __init__(self): self.methods = {"load": self.load, "save": self.save}
    def load(self): return 1
    def save(self): %s
"""


def test_sources_alone(tmp_path: Path) -> None:
    """No Engine, nobody asked: file and line of both."""
    (tmp_path / "green.py").write_text(SOURCE % "return 1")
    (tmp_path / "blue.py").write_text((SOURCE % "raise NotImplementedError").replace('"load"', '"Load"'))
    surface = Surface(green_source=("green.py",), blue_source=("blue.py",))
    verdict = run_surface(surface, tmp_path, None, None, Errors(), Silence())
    assert codes(verdict) == {"load": "missing-method", "save": "stubbed-method", "Load": "only-in-blue"}
    stub = next(f for f in verdict.errors if f.code == "stubbed-method")
    assert any("green.py:3" in e for e in stub.evidence)
    assert any("blue.py:3" in e and "raises NotImplementedError" in e for e in stub.evidence)


def test_a_name_that_is_a_method_in_green_only_for_sure(tmp_path: Path) -> None:
    """In blue it may be one: a warning, for nobody knows."""
    (tmp_path / "green.py").write_text(SOURCE % "return 1")
    (tmp_path / "blue.py").write_text("def f(): return 1\nSETTERS = {'load': f, 'save': f}\n")
    surface = Surface(green_source=("green.py",), blue_source=("blue.py",))
    verdict = run_surface(surface, tmp_path, None, None, Errors(), Silence())
    assert verdict.passed
    assert codes(verdict) == {"load": "maybe-missing-method", "save": "maybe-missing-method"}


def test_what_green_says_beats_its_source(compare: Callable[..., Verdict], tmp_path: Path) -> None:
    """A table of something else in the source is no method that blue could lack."""
    (tmp_path / "green.py").write_text(SOURCE % "return 1")
    (tmp_path / "blue.py").write_text("x = 1\n")
    verdict = compare(service(GREEN), service(GREEN), green_source="green.py", blue_source="blue.py")
    assert verdict.passed
    assert standing(verdict)["load"] == "present"
    assert "save" not in standing(verdict)


def test_ignored_methods_may_be_missing(compare: Callable[..., Verdict]) -> None:
    """And are shown as such."""
    verdict = compare(service(GREEN), service({"load": OK, "health": OK}), ignore=["list"])
    assert verdict.passed
    assert standing(verdict)["list"] == "ignored"


def test_recorded_traffic_is_a_source(compare: Callable[..., Verdict], tmp_path: Path) -> None:
    """A method that clients were seen to use; one that they misspelt is none."""
    lines = [
        {"recording": 1},
        {"case": {"to": "zmq://:5570", "request": {"method": "rare"}}, "reply": {"value": OK}},
        {
            "case": {"to": "zmq://:5570", "request": {"method": "tpyo"}},
            "reply": {"value": {"error": {"code": "unknown_method"}}},
        },
    ]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"case": {"to"')
    green = service({**GREEN, "rare": OK}, tells=False)
    verdict = compare(green, service(GREEN, tells=False), recordings="*.jsonl")
    assert standing(verdict) == {"rare": "missing"}
    assert verdict.figures["methods"][0]["green"]["sources"] == ["asked", "recorded"]
    assert [f.code for f in verdict.findings] == ["recording-damaged"]


def test_openapi_and_routes(http_server: Callable[..., int], tmp_path: Path) -> None:
    """Paths and verbs; only GET is sent, the others are asked by OPTIONS."""
    sent: list[tuple[str, str]] = []

    def app(paths: dict[str, list[str]]) -> int:
        def answer(request: object, body: bytes) -> tuple[int, dict[str, str], bytes]:
            verb, path = request.command, request.path
            sent.append((verb, path))
            document = {"paths": {p: {v.lower(): {} for v in verbs} for p, verbs in paths.items()}}
            if path == "/openapi.json":
                return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()
            verbs = paths.get(path.replace("/0", "/{id}"))
            if verbs is None:
                return 404, {}, b'{"detail":"Not Found"}'
            return (200, {}, b"{}") if verb in verbs else (405, {"Allow": ", ".join(verbs)}, b"{}")

        return http_server(answer)

    green = {8000: Address("127.0.0.1", app({"/health": ["GET"], "/models/{id}": ["GET", "DELETE"], "/x": ["POST"]}))}
    blue = {8000: Address("127.0.0.1", app({"/health": ["GET"], "/models/{id}": ["GET"]}))}
    surface = Surface(openapi="http://:8000/openapi.json", http="http://:8000")
    verdict = run_surface(surface, tmp_path, green, blue, Errors(), Silence())
    assert standing(verdict) == {
        "GET /health": "present",
        "GET /models/{}": "present",
        "DELETE /models/{}": "missing",
        "POST /x": "missing",
    }
    assert {verb for verb, _ in sent} <= {"GET", "OPTIONS"}


def test_progress_is_told(zmq_server: Callable[..., int], tmp_path: Path) -> None:
    """A count that reaches its end."""
    told: list[Event] = []

    class Ear:
        def tell(self, event: Event) -> None:
            told.append(event)

    at = [{5570: Address("127.0.0.1", zmq_server(answer=service(GREEN)))} for _ in range(2)]
    run_surface(Surface.model_validate(ASK), tmp_path, at[0], at[1], Errors(), Ear())
    assert told
    assert all(event.done <= event.total for event in told)


@pytest.mark.parametrize(
    ("said", "reference"),
    [
        ({"to": None, "request": None}, "nothing-to-compare"),
        ({"green_source": "nope.py"}, "no-such-source"),
        ({"recordings": "nope.jsonl"}, "no-such-recording"),
        ({"to": "zmq://:1"}, "no-such-port"),
    ],
)
def test_bad_input_is_named(compare: Callable[..., Verdict], said: dict[str, object], reference: str) -> None:
    """Before anything is compared."""
    with pytest.raises(UsageError) as caught:
        compare(service(GREEN), service(GREEN), **said)
    assert caught.value.reference == reference


def test_methods_that_nobody_has_are_told(compare: Callable[..., Verdict]) -> None:
    """A typo under `methods:` is not taken for a method that both lack in peace."""
    verdict = compare(service(GREEN), service(GREEN), methods=["laod"])
    assert [f.code for f in verdict.findings] == ["unknown-to-both"]


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("unknown method 'NAME'; there are: load, health", True),
        ("unknown method 'NAME'; known methods, for example: load, health", False),
        ("unknown method 'NAME'; available: load, health, ...", False),
        ("unknown method 'NAME'; available: load, health and 7 more", False),
    ],
)
def test_a_list_of_examples_is_not_all(compare: Callable[..., Verdict], said: str, missing: bool) -> None:
    """What is not asked and not among the examples may be there all the same."""
    unknown = {"status": "error", "error": {"code": "unknown_method", "message": said}}
    blue = service({"load": OK, "health": OK, "stop_it": OK}, unknown=unknown)
    verdict = compare(service({**GREEN, "stop_it": OK}), blue, methods=["stop_it"])
    assert (standing(verdict)["stop_it"] == "missing") is missing
