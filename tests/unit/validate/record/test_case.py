"""The same question can be asked again: each line is a case, and makes the same request."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest

from cutover.config import Case, Codec, Recording, Socket
from cutover.probes import Kind
from cutover.validate.record.case import line_of
from cutover.validate.record.masking import Masker
from cutover.validate.record.passed import Passed
from cutover.validate.talk import question_of


def line(*, keep: bool = False, **said: Any) -> dict[str, Any]:
    """Return the line that is written of what passed, as it is read back."""
    passed = Passed(**{"kind": Kind.ZMQ, "at": 0.0, "request": b"{}", "reply": b"{}", "elapsed_s": 0.1, **said})
    return json.loads(json.dumps(line_of(passed, 5570, Masker(Recording(keep_undecoded=keep)))))


@pytest.mark.parametrize(
    ("kind", "body", "codec"),
    [
        (Kind.ZMQ, b'{"method": "m", "x": [1, 2.5, null, "\xc3\xa9"]}', Codec.JSON),
        (Kind.ZMQ, b"", Codec.RAW),
        (Kind.ZMQ, b"plain words", Codec.RAW),
        (Kind.ZMQ, b'{"a": 1, "a": 2}', Codec.RAW),
        (Kind.ZMQ, b'{"a": NaN}', Codec.RAW),
        (Kind.ZMQ, msgpack.packb({"method": "m", "n": [1, 2]}), Codec.MSGPACK),
        (Kind.ZMQ, msgpack.packb({"blob": b"a text", 1: msgpack.Timestamp(1, 2)}), Codec.RAW),
        (Kind.HTTP, msgpack.packb({"a": 1}), Codec.MSGPACK),
        (Kind.TCP, b'{"method": "m"}\n', Codec.JSON),
        (Kind.TCP, b'{"method": "m"}', Codec.RAW),
        (Kind.TCP, b"PING\r\n", Codec.RAW),
        (Kind.HTTP, b'{"a": 1}', Codec.JSON),
        (Kind.HTTP, b"a=1&b=2", Codec.RAW),
    ],
)
def test_the_request_is_made_again(kind: Kind, body: bytes, codec: Codec) -> None:
    """The same bytes; for JSON and msgpack the same value."""
    told = line(kind=kind, request=body, method="POST" if kind is Kind.HTTP else None)
    case = Case.model_validate(told["case"])
    assert case.codec is codec
    assert not told["masked"]
    question = question_of(case)
    if codec is Codec.JSON:
        assert json.loads(question.body or b"") == json.loads(body)
    else:
        assert question.body == body


def test_http_keeps_method_path_and_headers() -> None:
    """But for those of the connection, and for what every client says."""
    headers = (
        ("Host", "localhost:1"),
        ("Connection", "keep-alive"),
        ("Content-Length", "2"),
        ("Accept", "*/*"),
        ("X-Tenant", "a"),
        ("X-Tenant", "b"),
        ("Content-Type", "application/json"),
    )
    told = line(kind=Kind.HTTP, path="/a/b?x=%20y&z", method="PUT", request_headers=headers, code=201)
    assert told["case"] == {
        "to": "http://:5570/a/b?x=%20y&z",
        "request": {},
        "codec": "json",
        "method": "PUT",
        "headers": {"X-Tenant": "a, b"},
    }
    assert told["reply"] == {"value": {}, "code": 201, "kind": "answer"}
    assert question_of(Case.model_validate(told["case"])).path == "/a/b?x=%20y&z"


def test_a_question_without_a_body() -> None:
    """A GET stays one."""
    told = line(kind=Kind.HTTP, request=None, method="GET", path="/health")
    assert told["case"] == {"to": "http://:5570/health", "method": "GET"}


def test_zeromq_keeps_socket_and_envelope() -> None:
    """DEALER asks as DEALER."""
    told = line(keep=True, socket=Socket.DEALER, envelope=(b"v1", b"\xff"))
    question = question_of(Case.model_validate(told["case"]))
    assert question.socket is Socket.DEALER
    assert question.envelope == (b"v1", b"\xff")


def test_no_reply_is_told() -> None:
    """With the reason."""
    told = line(reply=None, elapsed_s=None, failure="hung up without a reply")
    assert told["reply"] == {"kind": "closed"}
    assert told["elapsed_s"] is None
    assert told["failure"] == "hung up without a reply"


def test_what_was_too_long_is_not_kept() -> None:
    """And is no case to ask again."""
    told = line(request=b"x", too_long=True)
    assert told["case"]["request"] == "***"
    assert told["case"]["tags"] == ["masked"]


@pytest.mark.parametrize("body", [b"\x00\xff\xfe binary", msgpack.packb({"blob": b"\x00\xff"}), b"\x00\x01password=x"])
def test_what_cannot_be_decoded_is_masked_whole(body: bytes) -> None:
    """With its length; asking again would ask something else. Who wants it as it was says so."""
    told = line(request=body, reply=b"\xff\x00\x01")
    assert told["masked"]
    assert "***" in json.dumps(told["case"]["request"])
    assert told["reply"]["value"] == "***"
    assert told["undecoded"]["reply"] == 3
    kept = line(keep=True, request=body)
    if b"password" not in body:
        assert not kept["masked"]
        assert question_of(Case.model_validate(kept["case"])).body == body


@pytest.mark.parametrize("path", ["//24/dbl?x=1", "/27?a=1&a=2&b=&c&d=%20+%2B", "/a;v=1/b", "/%7Euser/?q=a%2Fb"])
def test_targets_are_kept_to_the_byte(path: str) -> None:
    """And asked again so."""
    told = line(kind=Kind.HTTP, request=None, method="GET", path=path)
    assert not told["masked"]
    assert question_of(Case.model_validate(told["case"])).path == path


@pytest.mark.parametrize("path", ["/26?x=1#frag", "*", "http://other/x", "/x?", "/\u00e9"])
def test_targets_that_no_case_can_say(path: str) -> None:
    """They are told, tagged, and are a case that can be loaded all the same."""
    told = line(kind=Kind.HTTP, request=None, method="GET", path=path)
    assert told["case"]["tags"] == ["not-replayable"]
    assert told["target"] == path
    assert told["not_replayable"]
    question_of(Case.model_validate(told["case"]))


def test_frames_of_a_reply_are_kept() -> None:
    """Those before the last, as texts, without their secrets."""
    told = line(reply_frames=(b"topic", b"X-Token", b"hunter2-canary"), reply=b'{"a": 1}')
    assert told["reply"] == {"value": {"a": 1}, "frames": ["topic", "X-Token", "***"], "kind": "answer"}
    assert not told["masked"]


def test_a_dealer_without_a_delimiter() -> None:
    """It asks again without."""
    told = line(socket=Socket.DEALER, delimiter=False)
    assert told["case"]["delimiter"] is False
    assert Case.model_validate(told["case"]).delimiter is False
