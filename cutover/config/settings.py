"""`cutover.yaml`: what cutover is told when the command line says nothing."""

from __future__ import annotations

import difflib
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field

from cutover.config.backup import Backup
from cutover.config.base import Model
from cutover.config.edge import Canary, Edge
from cutover.config.messages import Errors
from cutover.config.parity import Parity
from cutover.config.reading import read_yaml, validated
from cutover.config.suites import Suite, SuiteOrFile
from cutover.config.surface import Recording, Surface
from cutover.errors import UsageError

NAME = "cutover.yaml"
EXAMPLE_SUITE = """\
suites:
  works:
    to: zmq://:5570                 # the legacy port; which colour is asked decides where it leads
    steps:
      - name: health_check
        request: {method: health_check}
        expect:
          json: {status: ok}
      - name: health over HTTP
        to: http://:6570/health
        expect:
          within_s: 1
"""


class Strategy(StrEnum):
    """How a port changes hands (docs/architecture.md)."""

    AUTO = "auto"
    EDGE = "edge"
    RELINK = "relink"
    RECREATE = "recreate"


class Settings(Model):
    """Everything that `cutover.yaml` may say. Durations are seconds."""

    green: str | None = Field(None, description="the service that answers on the legacy ports now")
    blue: str | None = Field(None, description="the service that is to replace it")
    ports: tuple[int | str, ...] = Field((), description="legacy ports; 5570:9901 where blue listens on 9901 inside")
    strategy: Strategy = Field(Strategy.AUTO, description="auto: edge if it can be had, else relink, else recreate")
    exclusive: bool = Field(False, description="both colours do not fit at once: hold requests, stop green, start blue")
    retain_s: float | None = Field(None, ge=0, description="how long green stays warm until cutover commit --due")
    probes: tuple[str | dict[str, Any], ...] = Field((), description="questions that a working service answers")
    observe_s: float = Field(10.0, ge=0, description="how long blue is watched before the swap counts as done")
    ready_timeout_s: float = Field(120.0, gt=0, description="how long blue may take to become ready")
    project: str | None = Field(None, description="Compose project name")
    files: tuple[str, ...] = Field((), description="compose files, relative to this file")
    suites: dict[str, SuiteOrFile] = Field({}, description="name -> steps that a working service takes, or a file")
    errors: Errors = Field(Errors(), description="how an error looks in a reply")
    parity: Parity = Field(Parity(), description="questions to both colours, and how their replies are compared")
    surface: Surface = Field(Surface(), description="how the methods of a service are found")
    edge: Edge = Field(Edge(), description="what the edge cannot see by itself")
    canary: Canary = Field(Canary(), description="when a canary may go on")
    backup: Backup = Field(Backup(), description="what a backup before a swap holds, and which are kept")
    record: Recording = Field(Recording(), description="what a recording of live traffic leaves out")


def suite_named(settings: Settings, name: str, path: Path) -> Suite:
    """Return a suite, read from its own file where it has one; `path` is where `cutover.yaml` is.

    Raises:
        UsageError: there is no such suite, or its file is not there or does not hold.

    """
    if name not in settings.suites:
        raise _unknown_suite(settings, name, path)
    suite = settings.suites[name]
    if not suite.file:
        return suite
    file = path.parent / suite.file
    try:
        content = read_yaml(file)
    except FileNotFoundError as error:
        message = f"{file} is not there; {path} names it as suite {name!r}."
        raise UsageError("no-such-file", message, hint="write it, or mend the name") from error
    return _from_file(suite, content, file)


def _from_file(suite: Suite, content: Any, file: Path) -> Suite:
    """Return the suite of a file; what `cutover.yaml` says beside `file:` holds where the file does not say it."""
    if isinstance(content, dict):
        if "file" in content:
            raise UsageError("config-invalid", f"{file}: the file of a suite cannot name another `file:`.")
        for key in suite.model_fields_set - {"file", *content}:
            content[key] = getattr(suite, key)
    return validated(Suite, content, file)


def _unknown_suite(settings: Settings, name: str, path: Path) -> UsageError:
    if not settings.suites:
        hint = "write one, for example:\n" + EXAMPLE_SUITE.rstrip()
        return UsageError("no-suites", f"{path} has no suites, so there is no {name!r}.", hint=hint)
    near = difflib.get_close_matches(name, settings.suites, n=1)
    return UsageError(
        "unknown-suite",
        f"There is no suite {name!r} in {path}.",
        evidence=[f"suites: {', '.join(settings.suites)}"],
        hint=f"did you mean {near[0]}?" if near else "write one under `suites:`; cutover schema prints every key",
    )


def load(path: Path) -> Settings:
    """Read `cutover.yaml`; a file that is not there says nothing.

    Raises:
        UsageError: it is not valid YAML, or says something unknown, with file, line and the nearest valid key.

    """
    try:
        content = read_yaml(path)
    except FileNotFoundError:
        return Settings()
    return Settings() if content is None else validated(Settings, content, path)
