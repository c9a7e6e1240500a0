"""What people write: cutover.yaml, suites, cases, recordings, baselines, `.env`."""

from __future__ import annotations

from cutover import config
from cutover.config import settings
from cutover.engine.files import _dotenv
from cutover.validate.parity import baseline
from cutover.validate.parity.cases import _from_file
from cutover.validate.record.reading import read_recording
from tests.fuzz.target import ROOT, Target, file_with, told

YAML = b"""\
# what is told once
green: manager
blue: suite
ports: [5570, "6570:9901"]
probes:
  - zmq://:5570?send={"method":"health_check"}&expect=status:ok
  - {url: "http://:6570/health", expect: {code: 200}}
edge: {zmq: {method: method, replay: [a], error_if: {status: error}}}
errors: {}
canary: {steps: [5, 25, 100]}
"""
CASES = b"""\
cases:
  - name: one
    to: zmq://:5570
    request: &r {method: health_check, text: ${who}}
  - {to: "http://:1/x", request: *r, tags: [a]}
"""
RECORDING = b'{"recording": 1, "at": "x"}\n{"case": {"to": "zmq://:1", "request": {"a": 1}}, "reply": {"json": 1}, "elapsed_s": 0.5}\n'


def whole(data: bytes) -> None:
    """Read cutover.yaml and every suite that it names."""
    path = file_with(data, "config/cutover.yaml")
    found = told(lambda: config.load(path))
    for name in list(found.suites)[:3] if found else ():
        told(lambda name=name: config.suite_named(found, name, path))


def cases(data: bytes) -> None:
    """Read files of cases, a suite of its own, a baseline."""
    path = file_with(data, "cases/cases.yaml")
    told(lambda: _from_file(path))
    content = told(lambda: config.read_yaml(path))
    told(lambda: settings._from_file(settings.Suite(file="x"), content, path) if content is not None else None)
    told(lambda: baseline.read_baseline(path))


def recordings(data: bytes) -> None:
    """Read recordings, as cases and as evidence."""
    path = file_with(data, "recordings/r.jsonl")
    told(lambda: _from_file(path))
    told(lambda: read_recording(path))


def dotenv(data: bytes) -> None:
    """Read what `.env` says for Compose."""
    list(_dotenv(file_with(data, "env/.env")))


def _examples() -> tuple[bytes, ...]:
    found = [p.read_bytes() for p in sorted((ROOT / "compose").rglob("cutover.yaml"))]
    return (YAML, settings.EXAMPLE_SUITE.encode(), *found)


ODD = (
    b"\xef\xbb\xbf", b"\r", b"\xc2\x85", b"\xe2\x80\xa8", b"\0", b"!!python/object:x", b"!!timestamp 2001-99-99", b"!!binary x", b"!!set",
    b"!!omap", b"&a [*a]", b"*a", b"<<: *a", b"? ", b"._", b".inf", b"0x", b"1e400", b"9" * 5000, b"[" * 2000, b"- " * 500, b"${", b"}",
    b"/(a+)+$/", b"$..*", b"suites:", b"steps:", b"expect:", b"json:", b"paths:", b"probes:", b"parity:", b"%TAG ! x\n", b"2001-13-45",
)  # fmt: skip
TARGETS = (
    Target("cutover-yaml", whole, _examples, ODD, 8_000),
    Target("cases", cases, lambda: (CASES, settings.EXAMPLE_SUITE.encode()), ODD, 8_000),
    Target(
        "recordings",
        recordings,
        lambda: (RECORDING,),
        (b'"recording":', b'"case":', b"1e999", b"9" * 5000, b"[" * 5000, b"\n", b"null"),
    ),
    Target(
        "dotenv",
        dotenv,
        lambda: (b"COMPOSE_FILE=a.yml:b.yml\nexport COMPOSE_X='a # b'\n",),
        (b"COMPOSE_", b"'", b"=", b"\0"),
    ),
)
