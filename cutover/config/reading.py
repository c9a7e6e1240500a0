"""Reading YAML against a model: every complaint with file, line and the nearest key that would have been valid."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent

from cutover.config.base import AtError, Location
from cutover.errors import UsageError
from cutover.files import UNREADABLE
from cutover.trust import read_file

M = TypeVar("M", bound=BaseModel)
MOST_VALUES = 100_000
"""As many as a file may have with its aliases unfolded: a dozen lines can be made to stand for billions."""
DEEPEST = 150
"""Deeper than a message may be that stands in a step of a suite: that is told with its line."""
_EXAMPLE = "cutover init --print shows an example"


def read_yaml(path: Path) -> Any:
    """Return what a YAML file says, with the lines that `validated` names.

    Raises:
        FileNotFoundError: it is not there.
        UsageError: it cannot be read, or is not valid YAML.

    """
    try:
        text = read_file(path).decode()
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        hint = "is it a file, in UTF-8, and may this user read it?"
        raise UsageError("config-unreadable", f"{path} cannot be read: {_why(error)}.", hint=hint) from error
    try:
        _see_depth(text)
        return _within_reason(YAML(typ="rt", pure=True).load(text))
    except YAMLError as error:
        line = error.problem_mark.line + 1 if isinstance(error, MarkedYAMLError) and error.problem_mark else None
        problem = error.problem if isinstance(error, MarkedYAMLError) else str(error)
        raise UsageError("config-invalid", f"{path}:{line or 1}: not valid YAML: {problem}", hint=_EXAMPLE) from error
    except RecursionError as error:
        raise UsageError("config-invalid", f"{path}: nests deeper than anybody means.", hint=_EXAMPLE) from error
    except (
        *UNREADABLE,
        AssertionError,
        NotImplementedError,
    ) as error:  # ruamel takes `._` for a number, 2001-13-45 for a date
        told = f"{path}: not valid YAML: {type(error).__name__}: {str(error)[:200]}"
        raise UsageError("config-invalid", told, hint="quote the odd value") from error


def _see_depth(text: str) -> None:
    """Look at the nesting with libyaml first: the parser that knows lines takes 4 s to give up on 2,000 brackets.

    Raises:
        RecursionError: it nests deeper than `DEEPEST`.

    """
    depth = 0
    with contextlib.suppress(YAMLError):  # the other one says so, and better
        for event in YAML(typ="safe").parse(text):
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth > DEEPEST:
                raise RecursionError


def _within_reason(content: Any) -> Any:
    """Return content that can be gone through in good time.

    Raises:
        ValueError: an alias stands within what it stands for, or aliases of aliases multiply beyond `MOST_VALUES`.
        RecursionError: it nests too deep.

    """
    if _unfolded(content, {}, set()) > MOST_VALUES:
        raise ValueError(f"its aliases stand for more than {MOST_VALUES:,} values")
    return content


def _unfolded(content: Any, known: dict[int, int], around: set[int]) -> int:
    """Return how many values there are with every alias unfolded; each is counted once and remembered."""
    if not isinstance(content, dict | list):
        return 1
    name = id(content)
    if name in around:
        raise ValueError("an alias stands within what it stands for")
    if name not in known:
        around.add(name)
        parts = content.values() if isinstance(content, dict) else content
        known[name] = 1 + sum(_unfolded(part, known, around) for part in parts)
        around.discard(name)
    return known[name]


def validated(model: type[M], content: Any, path: Path, *, within: Location = ()) -> M:
    """Return what a file says as a model; `within` is where in the file `content` stands, for a part of one.

    Raises:
        UsageError: it says something unknown or wrong; each complaint names file, line and key.

    """
    whole, at = content, within
    for step in within:
        whole = whole[step]
    if not isinstance(whole, dict):
        line = _line_of(content, at)
        raise UsageError(
            "config-invalid", f"{path}:{line}: expected a mapping ({_first_keys(model)}).", hint="cutover schema"
        )
    try:
        return model.model_validate(whole)
    except ValidationError as error:
        told = [_complaint(model, content, path, at, problem) for problem in error.errors()]
        hint = "cutover schema prints every key; cutover init --print shows an example"
        raise UsageError("config-invalid", told[0], evidence=told[1:], hint=hint) from error


def _why(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _first_keys(model: type[BaseModel]) -> str:
    return ", ".join(f"{key}: ..." for key in list(_keys_at(model, ()))[:2])


def _complaint(model: type[BaseModel], content: Any, path: Path, within: Location, problem: Mapping[str, Any]) -> str:
    where = (*within, *_in_content(_under(content, within), (*problem["loc"], *_further(problem))))
    line = _line_of(content, where)
    name = ".".join(map(str, where[len(within) :])) or "the whole"
    if problem["type"] == "extra_forbidden":
        key = str(problem["loc"][-1])
        known = list(_keys_at(model, problem["loc"][:-1]))
        near = difflib.get_close_matches(key, known, n=1)
        return f"{path}:{line}: unknown key `{name}`" + (
            f"; did you mean `{near[0]}`?" if near else f"; known: {', '.join(known)}"
        )
    return f"{path}:{line}: `{name}`: {problem['msg'].removeprefix('Value error, ')}{_meant(problem)}"


def _meant(problem: Mapping[str, Any]) -> str:
    """Return the nearest of the values that there are, where one of several was to be said."""
    if problem["type"] not in {"enum", "literal_error"} or not isinstance(problem["input"], str):
        return ""
    known = re.findall(r"'([^']*)'", str(problem.get("ctx", {}).get("expected", "")))
    near = difflib.get_close_matches(problem["input"].lower(), known, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def _further(problem: Mapping[str, Any]) -> Location:
    """Return where below its location a validator found what is wrong: an `AtError` knows."""
    cause = problem.get("ctx", {}).get("error")
    return cause.location if isinstance(cause, AtError) else ()


def _under(content: Any, location: Location) -> Any:
    for step in location:
        content = content[step]
    return content


def _in_content(content: Any, location: Location) -> Iterator[str | int]:
    """Yield the steps of a location that the file itself has: pydantic adds the names of what it tried."""
    for step in location:
        listed = isinstance(content, list) and isinstance(step, int) and step < len(content)
        if listed or (isinstance(content, dict) and step in content):
            yield step
            content = content[step]


def _line_of(content: Any, location: Location) -> int:
    """Return the line of the last step that has one, counted from 1."""
    line = 1
    for step in location:
        marks = getattr(getattr(content, "lc", None), "data", None) or {}
        if step in marks:
            line = int(marks[step][0]) + 1
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            break
    return line


def _keys_at(model: type[BaseModel], location: Location) -> dict[str, None]:
    """Return the keys that are valid at a location of a model."""
    here = [model]
    for step in location:
        fields = [f for m in here for name, f in m.model_fields.items() if step in {name, f.alias}]
        if fields:
            here = [m for f in fields for m in _models_in(f.annotation)]
    return dict.fromkeys(f.alias or name for m in here for name, f in m.model_fields.items())


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
