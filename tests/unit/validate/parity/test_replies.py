"""Two replies to one question."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cutover.config import Errors, Rule
from cutover.model import Severity
from cutover.validate.judge import Judge
from cutover.validate.parity.replies import compare_replies
from cutover.validate.talk import Response, ResponseKind

JSON = {"content-type": "application/json"}


def reply(value: Any, code: int | None = None, **more: Any) -> Response:
    """Return an answer that says this, over ZeroMQ or with an HTTP status."""
    headers = JSON if code else {}
    return Response(ResponseKind.ANSWER, value, json.dumps(value).encode(), code, **{"headers": headers, **more})


def failed(kind: str, detail: str = "") -> Response:
    """Return a question that was not answered."""
    return Response(ResponseKind(kind), detail=detail)


def found(green: Response, blue: Response, *rules: Rule) -> list[tuple[str, str, Severity]]:
    """Return what differs."""
    return [(d.code, d.path, d.severity) for d in compare_replies(green, blue, rules, Judge(Errors()))]


ERROR = {"status": "error", "error": {"code": "unknown_model", "message": "no model x"}}
OK = {"status": "ok", "result": {"text": "The harbour"}}


@pytest.mark.parametrize(
    ("green", "blue", "code"),
    [
        (reply(OK), failed("timeout", "nothing within 5 s"), "no-answer"),
        (reply(OK), failed("refused"), "no-answer"),
        (failed("refused"), reply(OK), "green-failed"),
        (failed("timeout"), failed("timeout"), "green-failed"),
        (reply(ERROR), reply(OK), "error-turned-ok"),
        (reply(ERROR, 404), reply(OK, 200), "error-turned-ok"),
        (reply(OK), reply(ERROR), "ok-turned-error"),
        (reply(OK, 200), reply(OK, 500), "ok-turned-error"),
        (reply(ERROR), reply({**ERROR, "error": {"code": "internal"}}), "error-differs"),
        (reply(ERROR, 404), reply(ERROR, 500), "status-differs"),
        (reply(OK, 200), reply(OK, 201), "status-differs"),
    ],
)
def test_what_came_of_the_question_is_compared_first(green: Response, blue: Response, code: str) -> None:
    """Whether it was answered, refused, or refused otherwise."""
    assert [(c, s) for c, _, s in found(green, blue)] == [(code, Severity.ERROR)]


def test_errors_of_one_kind_are_equal_whatever_their_words() -> None:
    """Their words are told as a warning."""
    other = {**ERROR, "error": {"code": "unknown_model", "message": "there is no such model"}}
    assert found(reply(ERROR), reply(other)) == [("text-differs", "$.error.message", Severity.WARNING)]
    assert found(reply(ERROR, 404), reply(ERROR, 404)) == []


def test_the_message_names_both_kinds_of_error() -> None:
    """And a refusal names why."""
    (difference,) = compare_replies(reply(OK), failed("closed", "reset"), (), Judge(Errors()))
    assert difference.message == "blue did not answer: closed: reset"
    (difference,) = compare_replies(reply(ERROR), reply(OK), (), Judge(Errors()))
    assert difference.message == "green refuses (unknown_model), blue does not"


def test_a_stack_trace_that_only_blue_leaks_is_named() -> None:
    """Even where a rule ignores what it stands in."""
    trace = 'Traceback (most recent call last):\n  File "/srv/suite.py", line 12, in work\nKeyError: 1'
    leaked = {**OK, "debug": trace}
    ignore = Rule.model_validate({"path": "$.debug", "rule": "ignore"})
    assert found(reply(OK), reply(leaked), ignore) == [("stack-trace", "$", Severity.ERROR)]
    assert found(reply(leaked), reply({**leaked, "n": 1}), ignore) == [("extra-key", "$.n", Severity.ERROR)]


def test_a_reply_that_cannot_be_read_is_named() -> None:
    """Two of them are compared as text."""
    garbled = Response(ResponseKind.GARBLED, "<html>", b"<html>", detail="not JSON")
    other = Response(ResponseKind.GARBLED, "<xml>", b"<xml>", detail="not JSON")
    assert [c for c, _, _ in found(reply(OK), garbled)] == ["garbled"]
    assert [c for c, _, _ in found(garbled, reply(OK))] == ["garbled"]
    assert [c for c, _, _ in found(garbled, other)] == ["text-differs"]
    assert found(garbled, garbled) == []


def test_another_content_type_is_a_warning() -> None:
    """Its parameters and the header's case do not count."""
    plain = reply(OK, 200, headers={"Content-Type": "text/plain"})
    charset = reply(OK, 200, headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert found(reply(OK, 200), charset) == []
    assert found(reply(OK, 200), plain) == [("content-type-differs", "$", Severity.WARNING)]
