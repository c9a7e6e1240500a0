"""Where cases come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cutover.config import Parity
from cutover.errors import UsageError
from cutover.events import Event, Note
from cutover.validate.parity.cases import load_cases, picked
from cutover.validate.parity.recordings import VERSION
from cutover.validate.record import reading


def parity(**said: Any) -> Parity:
    """Return settings."""
    return Parity.model_validate({"to": "zmq://:5570", **said})


def written(folder: Path, name: str, text: str) -> str:
    """Write a file of cases."""
    (folder / name).write_text(text)
    return name


HEADER = '{"recording": 1, "tool": "cutover"}\n'


def line(**case: Any) -> str:
    """Return a line of a recording."""
    return json.dumps({"case": case, "reply": {"value": 1}, "at": "2025-01-01T00:00:00Z", "elapsed_s": 0.1}) + "\n"


def test_cases_are_completed_and_named(tmp_path: Path) -> None:
    """Each by a name of its own."""
    said = [{"request": {"method": "health"}}, {"request": {"method": "health"}}, {"name": "mine", "timeout_s": 9}]
    cases = load_cases(parity(cases=said, timeout_s=2), tmp_path)
    assert [c.name for c in cases] == ["health", "health #2", "mine"]
    assert [c.to for c in cases] == ["zmq://:5570"] * 3
    assert [c.timeout_s for c in cases] == [2, 2, 9]


def test_files_are_lists_mappings_and_recordings_found_by_pattern(tmp_path: Path) -> None:
    """In the order of their names."""
    written(tmp_path, "a.yaml", "- request: {method: one}\n")
    written(tmp_path, "b.yaml", "cases:\n- request: {method: two}\n  tags: x\n")
    written(tmp_path, "c.jsonl", HEADER + line(request={"method": "three"}) + "\n" + line(request={"method": "four"}))
    cases = load_cases(parity(files=["?.yaml", "c.jsonl"]), tmp_path)
    assert [c.name for c in cases] == ["one", "two", "three", "four"]
    assert [c.name for c in picked(cases, ["x"])] == ["two"]
    assert [c.name for c in picked(cases, limit=3)] == ["one", "two", "three"]


def test_files_of_the_command_line_stand_in_for_the_settings(tmp_path: Path) -> None:
    """With what the settings say for all."""
    file = tmp_path / written(tmp_path, "a.yaml", "- request: {method: one}\n")
    cases = load_cases(parity(cases=[{"request": 1}]), tmp_path, [file])
    assert [(c.name, c.to) for c in cases] == [("one", "zmq://:5570")]


def test_a_list_of_bare_cases_is_a_recording_too(tmp_path: Path) -> None:
    """Any tool can write one."""
    written(tmp_path, "a.jsonl", '{"request": {"method": "one"}}\n')
    assert [c.name for c in load_cases(parity(files="a.jsonl"), tmp_path)] == ["one"]


def test_both_readers_of_recordings_read_one_version() -> None:
    """Parity is strict about every line, surface takes what it can use."""
    assert VERSION == reading.VERSION


def test_masked_cases_are_told(tmp_path: Path) -> None:
    """They ask something else than was recorded."""
    told: list[Event] = []

    class Ear:
        def tell(self, event: Event) -> None:
            told.append(event)

    written(tmp_path, "a.jsonl", HEADER + line(request={"token": "***"}, tags=["masked"]) + line(request=1))
    load_cases(parity(files="a.jsonl"), tmp_path, observer=Ear())
    assert told == [Note("1 of 2 cases have masked values: they ask something else than was recorded")]


def test_what_cannot_be_asked_again_is_left_out_and_told(tmp_path: Path) -> None:
    """A request target that no `to:` can say."""
    told: list[Event] = []

    class Ear:
        def tell(self, event: Event) -> None:
            told.append(event)

    written(tmp_path, "a.jsonl", HEADER + line(request=2, tags=["not-replayable"]) + line(request=1))
    load_cases(parity(files="a.jsonl"), tmp_path, observer=Ear())
    assert told == [Note("1 of 2 cases cannot be asked as they were recorded: they are left out")]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("c.yaml", "- request: 1\n- reqest: 2\n", "c.yaml:2: unknown key `reqest`; did you mean `request`?"),
        ("c.yaml", "case: []\n", "c.yaml:1: unknown key `case`; did you mean `cases`?"),
        ("c.yaml", "cases:\n- request: 1\n  rules:\n  - {path: a, rule: ignore}\n", "c.yaml:4: "),
        ("c.yaml", "- {request: 1, rules: [{path: $.a, rule: number}]}", "rule number says how far apart"),
        ("c.yaml", "- {request: 1, rules: [{path: $.a, rule: type, by: x}]}", "`by` belongs to rule unordered"),
        ("c.yaml", "", "c.yaml holds no case"),
        ("c.yaml", "5", "c.yaml:1: expected a list of cases"),
        ("c.yaml", "- 5", "c.yaml:1: expected a mapping"),
        ("c.yaml", "- request: 1\n- to: http://elsewhere:80/x\n", "c.yaml:2: case 'GET /x' names a host"),
        ("c.yaml", "- {request: 1, codec: raw}", "c.yaml:1: A question to zmq://:5570: its request cannot be sent"),
        ("c.jsonl", HEADER, "c.jsonl holds no case: the recording is empty"),
        ("c.jsonl", "", "c.jsonl holds no case: the recording is empty"),
        ("c.jsonl", HEADER + line(request=1) + '{"case": {"requ', "c.jsonl:3: not JSON"),
        ("c.jsonl", HEADER + "[1]\n", "c.jsonl:2: not a JSON object"),
        ("c.jsonl", HEADER + line(reqest=1), "c.jsonl:2: unknown key `reqest`; did you mean `request`?"),
        ("c.jsonl", HEADER + '{"case": 5}\n', "c.jsonl:2: expected a mapping"),
        ("c.jsonl", '{"recording": 2}\n', "c.jsonl:1: a recording of version 2"),
    ],
)
def test_bad_files_are_named_with_their_line(name: str, text: str, told: str, tmp_path: Path) -> None:
    """And what would have been right."""
    written(tmp_path, name, text)
    with pytest.raises(UsageError) as error:
        load_cases(parity(files=name), tmp_path)
    assert told in error.value.message


def test_a_damaged_line_is_not_shown(tmp_path: Path) -> None:
    """It may hold what nobody masked."""
    written(tmp_path, "c.jsonl", HEADER + '{"case": {"request": "hunter2-canary')
    with pytest.raises(UsageError) as error:
        load_cases(parity(files="c.jsonl"), tmp_path)
    assert "hunter2" not in str(error.value.as_dict())


@pytest.mark.parametrize("pattern", ["none.yaml", "none.jsonl", "*.yaml"])
def test_files_that_are_not_there_are_told(pattern: str, tmp_path: Path) -> None:
    """Patterns that fit nothing too."""
    with pytest.raises(UsageError) as error:
        load_cases(parity(files=pattern), tmp_path)
    assert error.value.reference == "no-such-file"


def test_an_unknown_tag_names_those_that_are_known(tmp_path: Path) -> None:
    """Rather than asking nothing."""
    cases = load_cases(parity(cases=[{"tags": ["b", "a"]}, {}]), tmp_path)
    with pytest.raises(UsageError) as error:
        picked(cases, ["c"])
    assert error.value.evidence == ("tags: a, b",)
