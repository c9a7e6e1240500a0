"""Lines and questions: what `cutover.yaml` says, as bytes, to where a colour answers."""

from __future__ import annotations

import pytest

from cutover.config import Message
from cutover.errors import UsageError
from cutover.validate.talk import Address, Kind, Line, Question, question_of, title_of


def message(**said: object) -> Message:
    """Return a message."""
    return Message.model_validate(said)


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ({"to": "zmq://:5570"}, Question(Kind.ZMQ, 5570)),
        ({"to": "http://:80"}, Question(Kind.HTTP, 80)),
        ({"to": "http://example.org"}, Question(Kind.HTTP, 80, host="example.org")),
        ({"to": "https://[::1]/a?b=c d"}, Question(Kind.HTTPS, 443, host="::1", path="/a?b=c%20d")),
        ({"to": "https://:1/é?x=%41", "verify": False}, Question(Kind.HTTPS, 1, path="/%C3%A9?x=%41", verify=False)),
        ({"to": "tcp://:1", "request": {"a": 1}}, Question(Kind.TCP, 1, body=b'{"a": 1}\n')),
        ({"to": "zmq://:1", "request": 0, "timeout_s": 2}, Question(Kind.ZMQ, 1, body=b"0", timeout_s=2)),
        ({"to": "zmq://:1", "request": False}, Question(Kind.ZMQ, 1, body=b"false")),
    ],
)
def test_questions(said, question):
    """Path, body and time are as they are said, or as they go without saying."""
    made = question_of(message(**said))
    assert (made, made.body) == (question, question.body)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"request": 1}, "A question does not say `to:`."),
        (
            {"name": "up", "to": "zmq://:1", "request": {"a": b"\xff"}},
            (
                "'up' to zmq://:1: its request cannot be sent: it cannot be written as JSON: "
                "Object of type bytes is not JSON serializable."
            ),
        ),
        (
            {"to": "tcp://:1", "request": {"a": 1}, "codec": "raw"},
            "A question to tcp://:1: its request cannot be sent: with codec raw it has to be a text, not dict.",
        ),
        (
            {"to": "zmq://:1", "request": 2**70, "codec": "msgpack"},
            (
                "A question to zmq://:1: its request cannot be sent: it cannot be written as msgpack: "
                "Integer value out of range."
            ),
        ),
    ],
)
def test_what_cannot_be_asked(said, told):
    """It is told which question, and why."""
    with pytest.raises(UsageError) as caught:
        question_of(message(**said))
    assert caught.value.message == told


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ({"name": "n", "request": {"method": "m"}}, "n"),
        ({"request": {"method": "m"}}, "m"),
        ({"request": {"action": "a", "method": 3}}, "a"),
        ({"to": "http://:1/x?y"}, "GET /x"),
        ({"to": "http://:1", "request": [1]}, "POST /"),
        ({"to": "zmq://:1", "request": [1]}, "step 7"),
    ],
)
def test_titles(said, title):
    """A question without a name is called by what it asks for."""
    assert title_of(message(**said), 7) == title


def test_where_a_question_goes():
    """The host that it names beats the colour's; a port that leads nowhere is told with those that do."""
    with Line({5570: Address("10.0.0.1", 1), 6570: Address("::1", 2)}) as line:
        assert line.address_of(Question(Kind.ZMQ, 5570)) == Address("10.0.0.1", 1)
        assert line.address_of(Question(Kind.ZMQ, 5570, host="h")) == Address("h", 5570)
        with pytest.raises(UsageError) as caught:
            line.ask(Question(Kind.ZMQ, 5571))
    assert caught.value.message == "Port 5571 leads nowhere here."
    assert caught.value.evidence == ("ports that lead somewhere: 5570 (at 10.0.0.1:1), 6570 (at [::1]:2)",)


def test_a_name_that_nobody_knows():
    """It is refused, not raised, over every protocol."""
    with Line({}) as line:
        for kind in Kind:
            response = line.ask(Question(kind, 1, host="no-such-host.invalid", body=b"x", timeout_s=5))
            assert (response.kind, "cannot be resolved" in response.detail) == ("refused", True)
