"""Cases made from a JSON Schema."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cutover.config import Parity
from cutover.errors import RefusedError, UsageError
from cutover.events import Event, Note
from cutover.validate.parity.cases import load_cases
from cutover.validate.parity.values import frozen

SCHEMA = {
    "type": "object",
    "required": ["method"],
    "properties": {
        "method": {"enum": ["generate_text", "list_models"]},
        "params": {"type": "object", "properties": {"length": {"type": "integer", "minimum": 1, "maximum": 2000}}},
    },
}


def settings(schema: Any = None, *, seed: int = 0, **said: Any) -> Parity:
    """Return settings with one generator."""
    generator = {"count": 40, **({"schema": schema} if schema is not None else {}), **said}
    return Parity.model_validate({"to": "zmq://:5570", "seed": seed, "generate": [generator]})


def test_as_many_different_requests_as_asked_for_fit_the_schema(tmp_path: Path) -> None:
    """Objects with optional keys among them; they take the generator's rules and tags along."""
    cases = load_cases(settings(SCHEMA, tags="made", rules=[{"path": "$.a", "rule": "ignore"}]), tmp_path)
    assert len({frozen(c.request) for c in cases}) == 40
    assert {c.tags for c in cases} == {("made",)}
    assert {len(c.rules) for c in cases} == {1}
    assert cases[1].name == "generated #2"
    for case in cases:
        jsonschema.validate(case.request, SCHEMA)
    assert any("params" in c.request for c in cases)


def test_the_same_seed_makes_the_same_requests(tmp_path: Path) -> None:
    """And another one others."""
    made = [[c.request for c in load_cases(settings(SCHEMA, seed=seed), tmp_path)] for seed in (7, 7, 8)]
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_nothing_is_written_beside_the_users_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis keeps a folder of its own otherwise."""
    monkeypatch.chdir(tmp_path)
    load_cases(settings(SCHEMA), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_schema_that_gives_fewer_is_told(tmp_path: Path) -> None:
    """With how many there are."""
    told: list[Event] = []

    class Ear:
        def tell(self, event: Event) -> None:
            told.append(event)

    cases = load_cases(settings({"enum": [1, 2, 3]}), tmp_path, observer=Ear())
    assert sorted(c.request for c in cases) == [1, 2, 3]
    assert told == [Note("generator 1: the schema gives 3 different requests; 40 were asked for")]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "strang"}, "at type: 'strang' is not valid"),
        ({"properties": {"a": {"pattern": "("}}}, "at properties/a/pattern: '(' is not a 'regex'"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no request fits the schema"),
        ({"$ref": "#/nowhere"}, "nowhere"),
        (5, "it is not a mapping"),
    ],
)
def test_what_is_no_schema_is_explained(schema: Any, told: str, tmp_path: Path) -> None:
    """With the place in it."""
    with pytest.raises(UsageError) as error:
        load_cases(settings(schema), tmp_path)
    assert error.value.message.startswith("generator 1: ")
    assert told in error.value.message


def test_a_schema_may_stand_in_a_file(tmp_path: Path) -> None:
    """Its mistakes are told with file and line."""
    file = tmp_path / "s.json"
    file.write_text(json.dumps({"enum": [1]}))
    assert [c.request for c in load_cases(settings(schema_file="s.json"), tmp_path)] == [1]
    file.write_text('{\n "enum": [1\n}')
    with pytest.raises(UsageError, match=r"s\.json:3: not JSON"):
        load_cases(settings(schema_file="s.json"), tmp_path)
    with pytest.raises(UsageError, match="is not there"):
        load_cases(settings(schema_file="t.json"), tmp_path)


def test_without_hypothesis_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra: the tool works without it."""
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("hypothesis"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RefusedError) as error:
        load_cases(settings(SCHEMA), tmp_path)
    assert error.value.hint == "pip install 'cutover[generate]'"
