"""Errors told from answers, by status, by what `errors:` says, by what did not come."""

from __future__ import annotations

import pytest

from cutover.config import Errors
from cutover.validate.judge import Judge, describes, same
from cutover.validate.talk import Response, ResponseKind

ANSWER = ResponseKind.ANSWER


@pytest.mark.parametrize(
    ("value", "code", "kind"),
    [
        ({"status": "ok"}, None, None),
        ({"status": "ok", "error": None}, None, None),
        ({"error": False}, 200, None),
        ({"error": ""}, 200, None),
        ({"error": {}}, 200, None),
        ("error", None, None),
        (None, 204, None),
        ([{"error": "x"}], 200, None),
        ({"status": "error"}, None, "error"),
        ({"status": "error", "error": "gone"}, None, "gone"),
        ({"error": {"code": "unknown_model", "message": "m"}}, None, "unknown_model"),
        ({"error": {"code": -32601}}, 200, "-32601"),
        ({"error": {"type": "T"}}, 200, "T"),
        ({"error": {"code": {"deep": 1}, "type": "T"}}, 200, "T"),
        ({"error": "two\n  lines"}, None, "two lines"),
        ({"error": "x" * 200}, None, "x" * 80),
        ("page", 404, "http 404"),
        ({"error": {"code": "unknown_model"}}, 404, "http 404 unknown_model"),
        ({"status": "ok"}, 500, "http 500"),
        ({"status": "ok"}, 302, None),
    ],
)
def test_kinds(value, code, kind):
    """The kind is stable and says where it comes from."""
    assert Judge(Errors()).error_kind(Response(ANSWER, value, code=code)) == kind


@pytest.mark.parametrize("kind", [k for k in ResponseKind if k is not ANSWER])
def test_what_did_not_come(kind):
    """It is an error of its own kind."""
    assert Judge(Errors()).error_kind(Response(kind, {"status": "ok"})) == str(kind)


def test_what_the_settings_say():
    """Any value and any expression in slashes, at any path."""
    judge = Judge(Errors.model_validate({"when": {"$.ok": False, "$..msg": "/^bad/"}, "kind": "$.why"}))
    assert judge.error_kind(Response(ANSWER, {"ok": False, "why": "w"})) == "w"
    assert judge.error_kind(Response(ANSWER, {"ok": 0})) is None
    assert judge.error_kind(Response(ANSWER, {"a": [{"msg": "bad thing"}]})) == "error"
    assert judge.error_kind(Response(ANSWER, {"msg": "not bad"})) is None


def test_conditions_on_values_that_are_no_texts():
    """An expression looks at the JSON of a value."""
    assert describes({"$.error": "/-32601/"}, {"error": {"code": -32601}})
    assert not describes({"$.error": "/null/"}, {"error": None})


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [(1, 1.0, True), (1, True, False), (False, 0, False), ([1], (1,), True), ({"a": [True]}, {"a": [1]}, False),
     ({"a": 1}, {"a": 1, "b": 2}, False), (None, None, True), ("1", 1, False)],
)  # fmt: skip
def test_equal_as_json_has_it(one, other, equal):
    """True is no number."""
    assert same(one, other) is equal
