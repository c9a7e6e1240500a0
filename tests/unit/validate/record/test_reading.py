"""Recordings read back: damaged lines are named and left out, what is no recording is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cutover.errors import UsageError
from cutover.validate.record import read_recording
from cutover.validate.surface.recorded import collapsed, recorded_methods

HEADER = {"recording": 1}


def written(path: Path, *lines: object) -> Path:
    """Write a recording; texts are lines as they are."""
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_damaged_lines_are_named(tmp_path: Path) -> None:
    """By file and line; the rest is good."""
    good = {"case": {"request": {"method": "m"}}, "reply": {"value": 1}, "elapsed_s": 0.5, "masked": True}
    found = read_recording(
        written(tmp_path / "r.jsonl", HEADER, good, '{"case": {"req', "[]", "", {"no": "case"}, good)
    )
    assert len(found.exchanges) == 2
    assert found.exchanges[0].elapsed_s == 0.5
    assert found.exchanges[0].masked
    assert [text.split(":")[1] for text in found.unreadable] == ["3", "4", "6"]


@pytest.mark.parametrize(
    ("lines", "reference"),
    [
        ((), "no-recording"),
        (({"case": {}},), "no-recording"),
        (("not JSON",), "no-recording"),
        (({"recording": 2},), "recording-version"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, lines: tuple[object, ...], reference: str) -> None:
    """With the reason."""
    with pytest.raises(UsageError) as caught:
        read_recording(written(tmp_path / "r.jsonl", *lines))
    assert caught.value.reference == reference


def test_what_is_not_there(tmp_path: Path) -> None:
    """A usage error."""
    with pytest.raises(UsageError, match="cannot be read"):
        read_recording(tmp_path / "r.jsonl")


def test_methods_of_a_recording(tmp_path: Path) -> None:
    """By key at any depth near the top, by HTTP method and path with its identifiers taken out."""
    cases = [
        {"to": "zmq://:1", "request": {"header": {"msg_type": "x", "type": "load"}}},
        {"to": "zmq://:1", "request": {"method": "***"}},
        {"to": "zmq://:1", "request": "text"},
        {"to": "http://:1/models/17/runs?x=1", "method": "GET"},
        {"to": "http://:1/models/gpt-4/runs", "method": "DELETE"},
        {"to": "http://:1/rpc", "method": "POST", "request": {"method": "list"}},
    ]
    gone = {"case": {"to": "http://:1/gone", "method": "GET"}, "reply": {"code": 404}}
    written(tmp_path / "r.jsonl", HEADER, *({"case": case} for case in cases), gone)
    names, findings = recorded_methods(("*.jsonl",), tmp_path, ("method", "type"))
    assert names == {"load", "list", "GET /models/{}/runs", "DELETE /models/gpt-4/runs", "POST /rpc"}
    assert findings == []


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "/"),
        ("/", "/"),
        ("/v1/models", "/v1/models"),
        ("/models/42", "/models/{}"),
        ("/u/6f1c9e0a-3b1d-4b52-9d0e-0a1b2c3d4e5f/x", "/u/{}/x"),
        ("/blobs/0123456789abcdef", "/blobs/{}"),
        ("/users/me@example.org", "/users/{}"),
        ("/deadbeef-cafe", "/deadbeef-cafe"),
    ],
)
def test_identifiers_are_taken_out(path: str, told: str) -> None:
    """Numbers, hexadecimals, UUIDs, addresses."""
    assert collapsed(path) == told
