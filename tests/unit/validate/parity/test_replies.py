"""Two replies to one question."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cutover.config import Errors, Rule
from cutover.model import Severity
from cutover.validate.judge import Judge
from cutover.validate.parity.replies import compare_replies
from cutover.validate.talk import Address, Response, ResponseKind

JSON = {"content-type": "application/json"}


def reply(value: Any, code: int | None = None, **more: Any) -> Response:
    """Return an answer that says this, over ZeroMQ or with an HTTP status."""
    headers = JSON if code else {}
    return Response(ResponseKind.ANSWER, value, json.dumps(value).encode(), code, **{"headers": headers, **more})


def failed(kind: str, detail: str = "") -> Response:
    """Return a question that was not answered."""
    return Response(ResponseKind(kind), detail=detail)


def found(green: Response, blue: Response, *rules: Rule, **more: Any) -> list[tuple[str, str, Severity]]:
    """Return what differs."""
    return [(d.code, d.path, d.severity) for d in compare_replies(green, blue, rules, Judge(Errors()), **more)]


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


def unreadable(detail: str, body: bytes = b"") -> Response:
    """Return a reply that no codec can read, of which nothing may be left."""
    return Response(ResponseKind.GARBLED, body.decode(errors="replace"), body, detail=detail)


def test_two_replies_of_which_nothing_could_be_read_are_not_equal() -> None:
    """Above 16 MiB, no HTTP, cut off: nobody knows whether they are the same, even if both failed alike."""
    too_big, no_http = unreadable("the answer is above 16 MiB"), unreadable("the answer is no HTTP")
    for green, blue in ((too_big, too_big), (too_big, no_http), (too_big, unreadable("cut off", b'{"a":'))):
        assert found(green, blue) == [("not-judged", "$", Severity.ERROR)]


def test_bytes_that_are_no_text_are_told_apart() -> None:
    """What is shown of them is the same: two signs for what could not be read."""
    one, other = unreadable("not UTF-8", b"\xff\xfe"), unreadable("not UTF-8", b"\xfd\xfc")
    assert found(one, other) == [("value-differs", "$", Severity.ERROR)]
    assert found(one, one) == []


def test_another_content_type_is_a_warning_for_json_and_an_error_for_pages() -> None:
    """Its parameters and the header's case do not count; a page means something else under another type."""
    plain = reply(OK, 200, headers={"Content-Type": "text/plain"})
    charset = reply(OK, 200, headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert found(reply(OK, 200), charset) == []
    assert found(reply(OK, 200), plain) == [("content-type-differs", "$", Severity.WARNING)]
    page, text = (reply("<b>", 200, headers={"Content-Type": kind}) for kind in ("text/html", "text/plain"))
    assert found(page, text) == [("content-type-differs", "$", Severity.ERROR)]
    assert found(page, text, warn=["content-type-differs"]) == [("content-type-differs", "$", Severity.WARNING)]
    assert found(page, reply("<b>", 200, headers={})) == [("content-type-differs", "$", Severity.WARNING)]


@pytest.mark.parametrize(
    ("green", "blue"),
    [
        ({"status": "error", "message": "disk full"}, {"status": "error", "message": "no such model"}),
        ({"error": {"message": "disk full"}}, {"error": {"message": "no such model"}}),
        ({"status": "error", "reason": "disk"}, {"status": "error", "reason": "model"}),
        ({"status": "error", "error_type": "Disk"}, {"status": "error", "error_type": "Model"}),
        ({"code": 400, "error": "disk full"}, {"code": 400, "error": "no such model"}),
        ({"error": "error", "detail": 1}, {"error": "error", "detail": 2}),
    ],
)
def test_errors_that_name_no_kind_are_compared_as_any_reply(green: Any, blue: Any) -> None:
    """Over HTTP as well: that both are 422 does not make two bodies equal."""
    for code in (None, 422):
        assert {s for _, _, s in found(reply(green, code), reply(blue, code))} == {Severity.ERROR}
        assert found(reply(green, code), reply({**green}, code)) == []


def test_what_only_repeats_the_status_is_no_kind() -> None:
    """`Not Found`, 404: the two may be about different things."""
    for said in ({"code": 404}, {"error": "Not Found"}, {"error": "404 not found"}):
        green, blue = reply({**said, "message": "no user"}, 404), reply({**said, "message": "no route"}, 404)
        assert found(green, blue) == [("text-differs", "$.message", Severity.ERROR)]
    judge = Judge(Errors.model_validate({"kind": "$.code"}))
    green, blue = reply({"code": 404, "message": "a"}, 404), reply({"code": 404, "message": "b"}, 404)
    assert [d.severity for d in compare_replies(green, blue, (), judge)] == [Severity.WARNING]


def redirect(to: str, code: int = 302) -> Response:
    """Return a redirect."""
    return Response(ResponseKind.ANSWER, code=code, headers={"Location": to})


OWN = ((Address("10.0.0.1", 6570),), (Address("127.0.0.1", 20001), Address("127.0.0.1", 6570)))


@pytest.mark.parametrize(
    ("green", "blue", "equal"),
    [
        ("/eq", "/eq", True),
        ("/eq", "/nope", False),
        ("/eq?a=1", "/eq?a=2", False),
        ("http://10.0.0.1:6570/eq", "http://localhost:20001/eq", True),
        ("http://10.0.0.1:6570/eq", "/eq", True),
        ("http://10.0.0.1:6570/eq", "http://127.0.0.1:6570/eq", True),
        ("http://10.0.0.1:6570/eq", "http://127.0.0.1:99/eq", False),
        ("http://10.0.0.1:6570/eq", "http://10.0.0.1:6570/eq", True),
        ("/eq", "http://10.0.0.1:6570/eq", False),
        ("https://login.example/a", "https://login.example/a", True),
        ("https://login.example/a", "https://login.example/b", False),
        ("http://[::1", "http://[::1", True),
        ("/eq", "", False),
    ],
)
def test_where_a_redirect_leads_is_compared(green: str, blue: str, equal: bool) -> None:
    """Each colour may name itself as it is known to be."""
    expected = [] if equal else [("location-differs", "$", Severity.ERROR)]
    assert found(redirect(green), redirect(blue), own=OWN) == expected


def test_frames_before_the_last_are_compared() -> None:
    """Their number and what is in them."""
    one = reply(OK, frames=(b"v1", b"ok"))
    assert found(one, reply(OK, frames=(b"v1", b"ok"))) == []
    assert found(one, reply(OK, frames=(b"v1", b"no"))) == [("frames-differ", "$", Severity.ERROR)]
    assert found(one, reply(OK)) == [("frames-differ", "$", Severity.ERROR)]
    assert found(one, reply(OK), warn=["frames-differ"]) == [("frames-differ", "$", Severity.WARNING)]


def test_an_empty_body_is_not_null() -> None:
    """Over HTTP a client that reads JSON fails on the one and not on the other."""
    empty = Response(ResponseKind.ANSWER, None, b"", 200, headers=JSON)
    assert found(reply(None, 200), empty) == [("type-differs", "$", Severity.ERROR)]
    assert found(empty, empty) == []
