"""What the broker reads of messages, and writes itself."""

from __future__ import annotations

import json

import msgpack
import pytest

from cutover.config.edge import ZeroMQ
from cutover.edge.broker.codec import LOST, Reader
from cutover.edge.broker.words import Rules


def reader(**told: object) -> Reader:
    """Return a reader of rules as cutover.yaml says them."""
    found = ZeroMQ.model_validate(told).model_dump(mode="json")
    return Reader(Rules(**{**found, "replay": tuple(found["replay"])}))


def test_methods_are_found_where_the_user_says() -> None:
    """At a key, or at one inside another; in the last frame of several."""
    rules = reader(method="meta.op", replay=["read"])
    assert rules.may_replay(b'{"meta": {"op": "read"}}')
    assert rules.may_replay([b"junk", b'{"meta": {"op": "read"}}'])
    for other in (b'{"meta": {"op": "write"}}', b'{"op": "read"}', b'{"meta": ["op"]}', b"[]", b"\xff", b"", None):
        assert not rules.may_replay(other)
    packed = reader(codec="msgpack", replay=["read"])
    assert packed.may_replay(msgpack.packb({"method": "read"}))
    assert not packed.may_replay(b"\xc1")
    assert not reader(codec="raw", replay=["read"]).may_replay(b'{"method": "read"}')


def test_nothing_is_kept_where_nothing_may_be_replayed() -> None:
    """Bodies in flight cost nothing then."""
    assert not reader().keeps
    assert reader(replay=["read"]).keeps


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"status": "error"}, True),
        ({"status": "error", "more": 1}, True),
        ({"status": "ok", "text": "error"}, False),
        (["error", "status"], False),
        ({"data": {"status": "error"}}, False),
    ],
)
def test_error_replies_are_told_by_their_keys(body: object, error: bool) -> None:
    """In JSON and in MessagePack."""
    assert reader(error_if={"status": "error"}).is_error(json.dumps(body).encode()) is error
    assert reader(codec="msgpack", error_if={"status": "error"}).is_error(msgpack.packb(body)) is error


def test_errors_may_be_told_by_numbers_texts_and_inner_keys() -> None:
    """All of them have to fit; a text that JSON may write in several ways is found in each."""
    rules = reader(error_if={"error.code": 5, "ok": False})
    assert rules.is_error(b'{"error": {"code": 5}, "ok": false}')
    assert not rules.is_error(b'{"error": {"code": 5}, "ok": true}')
    assert reader(error_if={"text": "schl\u00e4gt fehl"}).is_error(b'{"text": "schl\\u00e4gt fehl"}')


def test_replies_are_written_in_the_shape_and_codec_that_the_user_configures() -> None:
    """The reason is filled in wherever it is named."""
    template = {"e": ["${reason}", 1], "why: ${reason}": None}
    filled = {"e": ["r", 1], "why: ${reason}": None}
    assert json.loads(reader(lost_reply=template).lost("r")) == filled
    assert msgpack.unpackb(reader(codec="msgpack", overflow_reply=template).overflow("r")) == filled
    assert reader(codec="raw", lost_reply="sorry: ${reason}").lost("r") == b"sorry: r"
    assert json.loads(reader(codec="raw", lost_reply={"x": 1}).lost("r")) == {"x": 1}
    assert json.loads(reader().lost(LOST))["code"] == "cutover-lost"
