"""Suites in `cutover.yaml` and in files of their own: every mistake with file, line and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutover.config import Suite, load, suite_named
from cutover.errors import UsageError

HEAD = "suites:\n  a:\n    to: zmq://:5570\n    steps:\n"
UNKNOWN = "cutover.yaml:{}: unknown key `suites.a.steps.0.{}`; did you mean `{}`?"
WRONG = "cutover.yaml:{}: `suites.a.steps.{}`: {}"


def written(folder: Path, text: str, name: str = "cutover.yaml") -> Path:
    """Write a file."""
    (folder / name).write_text(text)
    return folder / name


def refusal(folder: Path, text: str) -> str:
    """Return why a file is refused, its folder left out."""
    path = written(folder, text)

    def read() -> None:
        settings = load(path)
        for name in settings.suites:
            suite_named(settings, name, path)

    with pytest.raises(UsageError) as caught:
        read()
    return caught.value.message.replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("- requst: x", UNKNOWN.format(5, "requst", "request")),
        ("- request: x\n  expct: {}", UNKNOWN.format(6, "expct", "expect")),
        ("- expect:\n    jsn: {a: 1}", UNKNOWN.format(6, "expect.jsn", "json")),
        ("- expect:\n    numbers:\n      $.a: {vlue: 1}", UNKNOWN.format(7, "expect.numbers.$.a.vlue", "value")),
        ("- retry: {tims: 1}", UNKNOWN.format(5, "retry.tims", "times")),
        ("- retry: -1", WRONG.format(5, "0.retry", "Input should be greater than or equal to 0")),
        (
            "- expect:\n    paths:\n      $.a: 1\n      $.b[: 2",
            WRONG.format(8, "0.expect.paths.$.b[", "'$.b[' is no JSONPath: unexpected end of query"),
        ),
        (
            "- expect:\n    absent: [$.a, b]",
            WRONG.format(6, "0.expect.absent", "'b' is no JSONPath: it begins with $, as $.result.models[0].name does"),
        ),
        (
            "- save:\n    x: a",
            WRONG.format(6, "0.save.x", "'a' is no JSONPath: it begins with $, as $.result.models[0].name does"),
        ),
        ("- save:\n    x y: $", WRONG.format(6, "0.save.x y", "'x y' is no name: letters, digits and _ make one")),
        (
            "- expect:\n    matches:\n      $.a: '('",
            WRONG.format(
                7,
                "0.expect.matches.$.a",
                "'(' is no regular expression: missing ), unterminated subpattern at position 0",
            ),
        ),
        (
            "- expect:\n    text: '['",
            WRONG.format(6, "0.expect.text", "'[' is no regular expression: unterminated character set at position 0"),
        ),
        (
            "- expect:\n    numbers:\n      $.a: {abs: 1}",
            WRONG.format(7, "0.expect.numbers.$.a", "a range needs `value:`, `min:` or `max:`"),
        ),
        ("- expect: {status: 999}", WRONG.format(5, "0.expect.status", "'999' is no HTTP status: 200 and 2xx are")),
        (
            "- request:\n    a:\n      - since: 2001-01-01",
            WRONG.format(7, "0.request.a.0.since", "at a.0.since: 2001-01-01 is a date; quote it to send a text"),
        ),
        ("- request: .nan", WRONG.format(5, "0.request", "nan is no number that JSON knows")),
        (
            "- request: " + "[" * 102 + "]" * 102,
            WRONG.format(5, "0.request", "it is nested deeper than 100, or holds itself"),
        ),
        (
            "- headers:\n    a b: x",
            WRONG.format(6, "0.headers.a b", "'a b' is no name of an HTTP header"),
        ),
        (
            '- headers:\n    a: "x\\ny"',
            WRONG.format(6, "0.headers.a", "the value of header a is not one line of printable ASCII"),
        ),
        ("- method: GET /", WRONG.format(5, "0.method", "'GET /' is no HTTP method: GET, POST and HEAD are")),
        (
            "- save: {model: $}\n\n- request: ${modl}",
            WRONG.format(
                7,
                "1",
                "no earlier step saves `modl` for ${modl}; did you mean ${model}? (a text with ${ is written $${)",
            ),
        ),
        (
            "- request: ${x}\n  save: {x: $}",
            WRONG.format(
                5,
                "0",
                "no earlier step saves `x` for ${x}; saved before: nothing (a text with ${ is written $${)",
            ),
        ),
    ],
)
def test_mistakes_in_a_step(tmp_path, step, told):
    """The line, the key, what would be right."""
    indented = "".join(f"      {line}\n" for line in step.splitlines())
    assert refusal(tmp_path, HEAD + indented) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("suites:\n  a:\n    swap: no\n", "cutover.yaml:2: `suites.a`: a suite needs `steps:`, or `file:`"),
        (
            "suites:\n  a: {file: x, steps: [{to: 'tcp://:1'}]}\n",
            "cutover.yaml:2: `suites.a`: a suite has `steps:` or `file:`, not both",
        ),
        (
            "suites:\n  a:\n    steps:\n      - to: tcp://:1\n      - name: b\n",
            "cutover.yaml:5: `suites.a.steps.1`: step 2 (b) does not say `to:`, and neither does the suite",
        ),
        ("suites:\n  a: nope.yaml\n", "nope.yaml is not there; cutover.yaml names it as suite 'a'."),
        ("errors:\n  when:\n    $.a: /(/\n", ("cutover.yaml:3: `errors.when.$.a`: '(' is no regular expression: "
         "missing ), unterminated subpattern at position 0")),
        ("errors:\n  kind: [$.a, b]\n", ("cutover.yaml:2: `errors.kind`: 'b' is no JSONPath: "
         "it begins with $, as $.result.models[0].name does")),
    ],
)  # fmt: skip
def test_mistakes_around_steps(tmp_path, text, told):
    """As well."""
    assert refusal(tmp_path, text) == told


def test_mistakes_in_a_file_of_its_own(tmp_path):
    """That file is named, and its line."""
    written(tmp_path, "steps:\n  - name: x\n    requests: 1\n", "s.yaml")
    told = refusal(tmp_path, "suites:\n  a: {file: s.yaml, to: 'zmq://:1'}\n")
    assert told == "s.yaml:3: unknown key `steps.0.requests`; did you mean `request`?"
    written(tmp_path, "file: t.yaml\n", "s.yaml")
    assert refusal(tmp_path, "suites: {a: s.yaml}\n") == "s.yaml: the file of a suite cannot name another `file:`."
    written(tmp_path, "- request: 1\n", "s.yaml")
    assert refusal(tmp_path, "suites: {a: s.yaml}\n") == "s.yaml:1: expected a mapping (to: ..., socket: ...)."


def test_a_suite_in_a_file_of_its_own(tmp_path):
    """What stands beside `file:` holds where the file does not say it."""
    written(tmp_path, "timeout_s: 2\nsteps:\n  - request: 1\n", "s.yaml")
    path = written(tmp_path, "suites:\n  a: {file: s.yaml, to: 'zmq://:1', swap: false, timeout_s: 9}\n")
    suite = suite_named(load(path), "a", path)
    assert suite == Suite.model_validate({"to": "zmq://:1", "swap": False, "timeout_s": 2, "steps": [{"request": 1}]})
    assert [(s.to, s.timeout_s) for s in suite.complete()] == [("zmq://:1", 2)]


def test_a_suite_that_is_not_there(tmp_path):
    """The nearest name; or how to write one."""
    path = written(tmp_path, HEAD + "      - request: 1\n")
    with pytest.raises(UsageError) as caught:
        suite_named(load(path), "aa", path)
    assert (caught.value.message, caught.value.hint) == (f"There is no suite 'aa' in {path}.", "did you mean a?")
    path = written(tmp_path, "green: a\n")
    with pytest.raises(UsageError) as caught:
        suite_named(load(path), "aa", path)
    assert caught.value.reference == "no-suites"
    example = caught.value.hint.partition("\n")[2]
    assert list(load(written(tmp_path, example)).suites) == ["works"]


def test_two_dollars_are_no_name(tmp_path):
    """A text may hold what looks like one."""
    load(written(tmp_path, HEAD + "      - request: $${x}\n"))


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("http:///health", "'http:///health' names no port; the legacy one is meant: http://:6570/health"),
        ("https://:/x", "'https://:/x' names no port; the legacy one is meant: https://:6570/health"),
        ("zmq://", "'zmq://' names no port; the legacy one is meant: zmq://:5570"),
        ("tcp://db", "'tcp://db' names no port; the legacy one is meant: tcp://:7000"),
        ("zmq://:0", "'zmq://:0' names port 0, on which nobody can be asked: zmq://:5570"),
        ("tcp://:99999", "'tcp://:99999' is no URL that can be asked: Port out of range 0-65535"),
        ("tcp://:x", "'tcp://:x' is no URL that can be asked: Port could not be cast to integer value as 'x'"),
        ("http://[::1/x", "'http://[::1/x' is no URL that can be asked: Invalid IPv6 URL"),
        ("htp://:6570", "should begin with one of zmq://, http://, https://, tcp://; did you mean http://?"),
    ],
)
@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ("suites:\n  a:\n    to: {}\n    steps: [{{request: x}}]\n", 3),
        ("suites:\n  a:\n    steps:\n    - {{to: '{}'}}\n", 4),
        ("parity:\n  to: {}\n", 2),
        ("parity:\n  cases:\n  - {{to: '{}'}}\n", 3),
        ("surface:\n  to: {}\n", 2),
        ("surface:\n  openapi: {}\n", 2),
        ("surface:\n  http: {}\n", 2),
    ],
)
def test_where_nobody_can_be_asked(tmp_path, settings, line, to, told):
    """Wherever a URL is written: refused with its line, before anything is asked."""
    message = refusal(tmp_path, settings.format(f'"{to}"' if "'" not in settings else to))
    assert message.startswith(f"cutover.yaml:{line}: ")
    assert told in message


@pytest.mark.parametrize("to", ["http://localhost/x", "https://host.example", "zmq://:5570", "tcp://[::1]:7000"])
def test_where_a_port_needs_not_be_said(tmp_path, to):
    """A host of one's own may have the port that is HTTP's."""
    settings = load(written(tmp_path, f"suites:\n  a:\n    to: '{to}'\n    steps: [{{request: x}}]\n"))
    assert settings.suites["a"].to == to


def test_only_http_has_openapi(tmp_path):
    """Another protocol is refused where it is written."""
    told = "'zmq://:5570' should begin with http:// or https://"
    assert told in refusal(tmp_path, "surface:\n  openapi: zmq://:5570\n")
