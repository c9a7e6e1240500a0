"""Every expectation, held and broken; each finding says where, what was expected and what was seen."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.config import Errors, Expect
from cutover.validate.expectations import findings
from cutover.validate.judge import Judge
from cutover.validate.talk import Response, ResponseKind

JUDGE = Judge(Errors())


def told(expect: dict[str, Any], value: Any = None, **said: Any) -> list[tuple[str, str]]:
    """Return code and message of every finding about an answer."""
    response = Response(said.pop("kind", ResponseKind.ANSWER), value, **said)
    return [(f.code, f.message) for f in findings(Expect.model_validate(expect), response, JUDGE)]


@pytest.mark.parametrize(
    ("expect", "value"),
    [
        ({}, None),
        ({"json": {"a": {"b": 1}}}, {"a": {"b": 1.0, "c": 2}, "d": 3}),
        ({"json": [{"a": 1}, 2]}, [{"a": 1, "b": 2}, 2]),
        ({"json": None}, None),
        ({"json": {}}, {"a": 1}),
        ({"paths": {"$..a": 2}}, [{"a": 1}, {"a": 2}]),
        ({"paths": {"$.a": None}}, {"a": None}),
        ({"numbers": {"$.a": {"value": 1.0, "abs": 0.1}}}, {"a": 1.1}),
        ({"numbers": {"$.a": {"value": -100, "rel": 0.05}}}, {"a": -95}),
        ({"numbers": {"$.a": {"min": 1, "max": 2}}}, {"a": 2}),
        ({"matches": {"$.a[*]": "^x"}}, {"a": ["x1", "x2"]}),
        ({"absent": ["$.b", "$.a[1]"]}, {"a": [1]}),
        ({"error": True}, {"status": "error"}),
    ],
)
def test_as_expected(expect, value):
    """Nothing is found."""
    assert told(expect, value) == []


@pytest.mark.parametrize(
    ("expect", "value", "code", "message"),
    [
        ({"json": {"a": 1}}, {"a": 2}, "json-differs", "$.a: expected 1, seen 2"),
        ({"json": {"a": True}}, {"a": 1}, "json-differs", "$.a: expected true, seen 1"),
        ({"json": {"a": {"b": 1}}}, {"a": {"c": 1}}, "json-differs",
         "$.a.b: expected 1, seen nothing (keys there: c)"),
        ({"json": [1]}, [1, 2], "json-differs", "$: expected 1 items, seen 2: [1, 2]"),
        ({"json": {"a": [{"b": 1}]}}, {"a": [{"b": "1"}]}, "json-differs", '$.a[0].b: expected 1, seen "1"'),
        ({"json": None}, {"a": 1}, "json-differs", '$: expected null, seen {"a": 1}'),
        ({"json": {"token": "hunter2"}}, {"token": "swordfish"}, "json-differs",
         '$.token: expected "***", seen "***"'),
        ({"paths": {"$.a": 1}}, {"b": 1}, "value-differs", '$.a: expected 1, seen nothing there in {"b": 1}'),
        ({"paths": {"$[*]": 1}}, [2, 3], "value-differs", "$[*]: expected 1, seen 2, 3"),
        ({"numbers": {"$.a": {"value": 1, "abs": 1e-3}}}, {"a": 1.0011}, "number-differs",
         "$.a: expected a number: 1 give or take 0.001, seen 1.0011"),
        ({"numbers": {"$.a": {"min": 1}}}, {"a": "2"}, "number-differs",
         '$.a: expected a number: at least 1, seen "2"'),
        ({"numbers": {"$.a": {"min": 0}}}, {"a": True}, "number-differs",
         "$.a: expected a number: at least 0, seen true"),
        ({"numbers": {"$.a": {"value": 0, "abs": 1}}}, {"a": float("nan")}, "number-differs",
         "$.a: expected a number: 0 give or take 1, seen NaN"),
        ({"numbers": {"$.a": {"min": 0}}}, {}, "number-differs",
         "$.a: expected a number: at least 0, seen nothing there in {}"),
        ({"matches": {"$.a": "^x"}}, {"a": "y"}, "no-match",
         '$.a: expected a text with a match of /^x/, seen "y"'),
        ({"matches": {"$.a": "."}}, {"a": 1}, "no-match", "$.a: expected a text with a match of /./, seen 1"),
        ({"matches": {"$.a": "."}}, {}, "no-match", "$.a: expected a match of /./, seen nothing there in {}"),
        ({"absent": "$..a"}, [{"a": None}], "not-absent", "$[0].a: expected nothing, seen null"),
        ({"error": True}, {"status": "ok"}, "error-expected", "an answer where an error is expected"),
        ({}, {"status": "error", "error": "gone"}, "error-reply", "an error: gone"),
        ({"json": {"a": 1}}, {"status": "error"}, "error-reply", "an error: error"),
    ],
)  # fmt: skip
def test_not_as_expected(expect, value, code, message):
    """One finding, with path, expected and seen."""
    assert told(expect, value) == [(code, message)]


@pytest.mark.parametrize(
    ("expect", "value", "status", "found"),
    [
        ({}, {}, 201, []),
        ({"status": 404}, {"status": "error"}, 404, []),
        ({"status": "4xx"}, None, 404, []),
        ({"error": True}, None, 500, []),
        ({}, None, 404, [("error-reply", "an error: http 404")]),
        ({}, {}, 302, [("status", "HTTP status 302, expected 2xx")]),
        ({"status": 200}, {}, 201, [("status", "HTTP status 201, expected 200")]),
        ({"status": 200}, None, 500, [("status", "HTTP status 500, expected 200 (http 500)")]),
        ({"status": 200}, {"status": "error"}, 200, [("error-reply", "an error: error, with HTTP status 200")]),
        (
            {"error": True},
            {"ok": 1},
            200,
            [("error-expected", "an answer where an error is expected, with HTTP status 200")],
        ),
    ],
)
def test_statuses(expect, value, status, found):
    """A 2xx goes without saying; a status that is named may be an error's."""
    assert told(expect, value, code=status) == found


def test_what_did_not_come():
    """It is one finding, with how far it came."""
    found = told({"json": {}, "within_s": 1}, kind=ResponseKind.TIMEOUT, detail="no reply within 1 s", elapsed_s=1)
    assert found == [("no-answer", "no answer, timeout: no reply within 1 s")]
    assert told({"error": True}, kind=ResponseKind.CLOSED, detail="d") == [("no-answer", "no answer, closed: d")]


def test_what_cannot_be_read():
    """It is garbled, and nothing else is asked of it."""
    found = told({"json": {}}, "{", body=b"{", kind=ResponseKind.GARBLED, detail="not JSON: x")
    assert found == [("garbled", "the reply cannot be read: not JSON: x")]


def test_a_leak_is_told_beside_everything_else():
    """Even where an error is expected; and a slow answer as well."""
    body = b'{"error": "Traceback (most recent call last):"}'
    found = told({"error": True, "within_s": 0.1}, {"error": "x"}, body=body, elapsed_s=0.2)
    assert found == [
        ("stack-trace", "the reply leaks a stack trace of Python"),
        ("too-slow", "the answer took 0.200 s, expected at most 0.1 s"),
    ]


def test_the_whole_as_text():
    """An expression over the bytes of the reply, whatever its codec."""
    assert told({"text": "a.*b"}, {}, body=b"a--b") == []
    assert told({"text": "z"}, "pass=x", body=b"pass=x") == [
        ("no-match", "the reply: expected a match of /z/, seen pass=***")
    ]


def test_many_differences_are_counted():
    """Ten are shown."""
    found = told({"json": list(range(30))}, [n + 1 for n in range(30)])
    assert len(found) == 11
    assert found[-1] == ("json-differs", "and 20 more like these")


def test_values_that_are_long_or_odd():
    """They are shortened and made printable."""
    [(_, message)] = told({"json": {"a": 1}}, {"a": "\x1b[31m\n" + "x" * 500})
    assert message.startswith('$.a: expected 1, seen "\\u001b[31m\\nxxx')
    assert message.endswith("... (514 characters)")
    assert told({"json": {"a": 1}}, {"a": b"\x00"}) == [("json-differs", "$.a: expected 1, seen \"b'\\\\x00'\"")]


def test_the_frames_before_the_last_are_shown():
    """What a ZeroMQ reply says before its body is part of what was seen: a status may stand there."""
    response = Response(ResponseKind.ANSWER, {"status": "error"}, frames=(b"ERR \xff", *[b"x"] * 6))
    (found,) = findings(Expect(), response, JUDGE)
    assert found.evidence == ('{"status": "error"} (after the frames ERR \\xff, x, x, x, x and 2 more)',)
