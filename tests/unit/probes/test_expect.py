"""What a reply must say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.probes.expect import CodeIs, Contains, FieldIs, Matches, complaint, field, parse_json
from cutover.probes.reply import Reply, excerpt

_BODY = b'{"status":"loading","ready":true,"n":3,"gpus":[{"name":"A"}],"none":null,"o":{"a":1}}'


@pytest.mark.parametrize(
    ("path", "value"),
    [("status", "loading"), ("ready", "true"), ("n", "3"), ("gpus.0.name", "A"), ("none", "null"), ("o", '{"a":1}')],
)
def test_fields_compare_as_text(path: str, value: str) -> None:
    """Every JSON type can be expected by its text."""
    assert FieldIs(path, value).complaint(Reply(_BODY)) is None


@pytest.mark.parametrize(
    ("expectation", "told"),
    [
        (FieldIs("status", "ok"), "`status` was 'loading', not 'ok'"),
        (FieldIs("ready", "1"), "`ready` was 'true', not '1'"),
        (FieldIs("gpus.1.name", "A"), "there is no `gpus.1.name`"),
        (FieldIs("gpus.-1.name", "A"), "there is no"),
        (FieldIs("status.x", "A"), "there is no"),
        (Matches("^ok"), "nothing matches /^ok/"),
        (Contains("PONG"), "without 'PONG'"),
    ],
)
def test_complaints_say_what_was_there_instead(expectation: FieldIs | Matches | Contains, told: str) -> None:
    """The evidence is in the sentence."""
    assert told in (complaint([expectation], Reply(_BODY)) or "")


def test_a_reply_that_is_no_json_is_shown() -> None:
    """A field of plain text cannot be read, and the text says why."""
    assert complaint([FieldIs("a", "b")], Reply(b"<html>\n")) == "answered, but not JSON: '<html> '"


@pytest.mark.parametrize(
    ("codes", "code", "good"),
    [
        ((), 200, True),
        ((), 204, True),
        ((), 302, False),
        ((), 503, False),
        (("503",), 503, True),
        (("2xx", "503"), 503, True),
        (("200",), 204, False),
    ],
)
def test_http_status_defaults_to_2xx_and_codes_are_alternatives(codes: tuple[str, ...], code: int, good: bool) -> None:
    """A health endpoint that says 503 is not well, whatever its body says."""
    expectations = [*map(CodeIs, codes), FieldIs("status", "loading")]
    assert (complaint(expectations, Reply(_BODY, code=code)) is None) is good


def test_excerpts_are_bounded_and_printable() -> None:
    """A service cannot flood or colour the terminal through a complaint."""
    shown = excerpt(b"\x1b[31m" + b"x" * 5000)
    assert len(shown) < 140
    assert "\x1b" not in shown
    assert shown.endswith("...")


@given(st.binary(max_size=200))
def test_no_reply_is_too_strange_to_judge(body: bytes) -> None:
    """Whatever bytes come back, the judgement is a sentence or nothing."""
    for expectation in (FieldIs("a", "b"), Matches("a"), Contains("a")):
        told = complaint([expectation], Reply(body))
        assert told is None or told.startswith("answered, but")


def test_json_nested_too_deeply_is_no_json() -> None:
    """A hostile reply cannot exhaust the stack."""
    with pytest.raises(ValueError, match="not JSON"):
        parse_json(b"[" * 1_000_000)


def test_field_of_a_list_needs_a_number() -> None:
    """A name does not index a list."""
    with pytest.raises(ValueError, match="there is no `x`"):
        field([1], "x")
