"""`cutover.yaml`: what a swap is told when the command line says nothing."""

from __future__ import annotations

import difflib
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from cutover.errors import UsageError

NAME = "cutover.yaml"


class Strategy(StrEnum):
    """How a port changes hands (docs/architecture.md)."""

    RECREATE = "recreate"
    RELINK = "relink"


class Settings(BaseModel):
    """Everything that `cutover.yaml` may say. Durations are seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    green: str | None = Field(None, description="the service that answers on the legacy ports now")
    blue: str | None = Field(None, description="the service that is to replace it")
    ports: tuple[int | str, ...] = Field((), description="legacy ports; 5570:9901 where blue listens on 9901 inside")
    strategy: Strategy = Strategy.RELINK
    probes: tuple[str | dict[str, Any], ...] = Field((), description="questions that a working service answers")
    observe_s: float = Field(10.0, ge=0, description="how long blue is watched before the swap counts as done")
    ready_timeout_s: float = Field(120.0, gt=0, description="how long blue may take to become ready")
    project: str | None = Field(None, description="Compose project name")
    files: tuple[str, ...] = Field((), description="compose files, relative to this file")


def load(path: Path) -> Settings:
    """Read `cutover.yaml`; a file that is not there says nothing.

    Raises:
        UsageError: it is not valid YAML, or says something unknown, with file, line and the nearest valid key.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("config-unreadable", f"{path} cannot be read: {error}") from error
    content = _parse(path, text)
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise _explain(path, content, error) from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        content = YAML(typ="rt", pure=True).load(text)
    except YAMLError as error:
        line = error.problem_mark.line + 1 if isinstance(error, MarkedYAMLError) and error.problem_mark else None
        problem = error.problem if isinstance(error, MarkedYAMLError) else str(error)
        raise UsageError("config-invalid", f"{path}:{line or 1}: not valid YAML: {problem}") from error
    except (ValueError, LookupError, TypeError) as error:  # ruamel takes `._` for a number, 2001-13-45 for a date
        raise UsageError("config-invalid", f"{path}: not valid YAML: {error}", hint="quote the odd value") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(
            "config-invalid", f"{path}:1: expected a mapping (green: ..., blue: ...).", hint="cutover init"
        )
    return content


def _explain(path: Path, content: dict[str, Any], error: ValidationError) -> UsageError:
    evidence = []
    for problem in error.errors():
        key = str(problem["loc"][0]) if problem["loc"] else ""
        line = _line_of(content, key)
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, Settings.model_fields, n=1)
            meant = f"; did you mean `{near[0]}`?" if near else f"; known: {', '.join(Settings.model_fields)}"
            evidence.append(f"{path}:{line}: unknown key `{key}`{meant}")
        else:
            evidence.append(f"{path}:{line}: `{key}`: {problem['msg']}")
    return UsageError("config-invalid", evidence[0], evidence=evidence[1:], hint="cutover init --print shows every key")


def _line_of(content: Any, key: str) -> int:
    marks = getattr(getattr(content, "lc", None), "data", None) or {}
    return int(marks[key][0]) + 1 if key in marks else 1
