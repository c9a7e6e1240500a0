"""The tree of errors: the drawing on top of the module is the tree."""

from __future__ import annotations

import inspect
import json
import re

import pytest

from cutover import errors
from cutover.errors import CutoverError, EditRefusedError, ExitCode

CLASSES = [
    c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, CutoverError) and c is not CutoverError
]


def drawn() -> dict[str, str]:
    """Return child -> parent as the docstring draws it."""
    parents, found = {0: "CutoverError"}, {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│ ]*)[├└]── (\w+)", line)
        if match:
            depth = len(match[1]) // 4
            found[match[2]] = parents[depth]
            parents[depth + 1] = match[2]
    return found


def test_the_drawing_is_the_tree() -> None:
    """Every class stands in it, under its parent."""
    assert drawn() == {c.__name__: c.__bases__[0].__name__ for c in CLASSES}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda c: c.__name__)
def test_every_error_is_what_happened_the_evidence_and_the_next_command(kind: type[CutoverError]) -> None:
    """In JSON too, with an exit code of ours."""
    error = kind("port-held", "Port 80 is held.", evidence=["by nginx"], hint="stop it")
    assert json.loads(json.dumps(error.as_dict())) == {
        "reference": "port-held",
        "message": "Port 80 is held.",
        "evidence": ["by nginx"],
        "hint": "stop it",
    }
    assert str(error) == "Port 80 is held."
    assert error.exit_code in set(ExitCode)


def test_exit_codes_are_those_of_the_documentation() -> None:
    """Scripts rest on them."""
    assert {c.name: int(c) for c in ExitCode} == {
        "DONE": 0,
        "REFUSED": 1,
        "USAGE": 2,
        "ROLLED_BACK": 3,
        "NEEDS_HANDS": 4,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("a.yml", 3, "a.yml:3: no."),
        ("a.yml", None, "a.yml: no."),
        (None, 3, "compose file:3: no."),
        (None, None, "no."),
    ],
)
def test_a_refused_edit_says_where(file: str | None, line: int | None, message: str) -> None:
    """File and line, as editors take them."""
    error = EditRefusedError("merged-list", "no.", file=file, line=line)
    assert (error.message, error.file, error.line) == (message, file, line)
