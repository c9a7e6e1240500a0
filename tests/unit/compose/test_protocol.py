"""What may be said on port 5570, and what is refused."""

from __future__ import annotations

import json

import pytest
from language_stack.protocol import RefusedError, Request, encode, parse, text, whole


def test_a_request_is_read() -> None:
    """Method, params and id arrive as sent."""
    request = parse([b'{"method": "generate_text", "params": {"seed": 1}, "id": "7"}'])
    assert request == Request("generate_text", {"seed": 1}, "7")


def test_params_and_id_may_be_left_out() -> None:
    """The shortest request there is."""
    assert parse([b'{"method": "health_check"}']) == Request("health_check", {}, None)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([], "bad_request"),
        ([b""], "bad_request"),
        ([b"{}", b"{}"], "bad_request"),
        ([b"\xff"], "bad_request"),
        ([b"{"], "bad_request"),
        ([b"3"], "bad_request"),
        ([b"[" * 100_000], "bad_request"),
        ([b'{"method": 3}'], "bad_request"),
        ([b'{"method": "x", "id": [[[[]]]]}'], "bad_request"),
        ([b'{"method": "x", "params": null}'], "bad_params"),
    ],
)
def test_junk_is_refused_with_a_code(frames: list[bytes], code: str) -> None:
    """Never another exception: the caller answers refusals and nothing else."""
    with pytest.raises(RefusedError) as caught:
        parse(frames)
    assert caught.value.code == code


@pytest.mark.parametrize("value", [True, "3", 1.5, 0, 11, None, float("inf")])
def test_a_whole_number_is_held_to_its_limits(value: object) -> None:
    """JSON's true is no number, and 1.5 is not whole."""
    with pytest.raises(RefusedError, match="from 1 to 10"):
        whole({"length": value}, "length", 3, low=1, high=10)


def test_parameters_left_out_have_defaults() -> None:
    """A text without default has to be given."""
    assert whole({}, "length", 3, low=1, high=10) == 3
    assert text({}, "prompt", "x") == "x"
    with pytest.raises(RefusedError, match="model"):
        text({}, "model")
    with pytest.raises(RefusedError, match="up to 3"):
        text({"prompt": "long"}, "prompt", longest=3)


def test_what_utf8_cannot_carry_is_escaped() -> None:
    """A lone surrogate in a request may come back in an error message."""
    assert json.loads(encode({"message": "\ud800 é"})) == {"message": "\ud800 é"}
