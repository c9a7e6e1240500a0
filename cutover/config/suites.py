"""Suites: steps that a working service takes, one after the other."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cutover.config.base import AtError, Model
from cutover.config.messages import Codec, Message, Socket, Target
from cutover.config.paths import JSONPath, Paths, Pattern
from cutover.config.placeholders import NAME, names_in

_STATUS = re.compile(r"[1-5][0-9x]{2}")


class NumberRange(Model):
    """What a number must be: near `value` within `abs` or `rel`, or between `min` and `max`."""

    value: float | None = Field(None, description="the number that is expected")
    abs: float = Field(0.0, ge=0, description="how far off it may be")
    rel: float = Field(0.0, ge=0, description="how far off it may be, as a share of the expected number")
    min: float | None = Field(None, description="not below")
    max: float | None = Field(None, description="not above")


def _status(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and not _STATUS.fullmatch(value):
        raise ValueError(f"{value!r} is no HTTP status: 200 and 2xx are")
    return value


Status = Annotated[str, BeforeValidator(_status, json_schema_input_type=int | str)]
"""An HTTP status in which x stands for any digit."""


class Expect(Model):
    """What a reply must be; everything that is said must hold. JSONPath as in RFC 9535."""

    status: Status | None = Field(None, description="HTTP status: 200, 2xx; a 2xx if left out")
    json_: Any = Field(None, alias="json", description="a part of the reply: every key named must be there and equal")
    paths: dict[JSONPath, Any] = Field({}, description="JSONPath -> the value that must stand there, at least once")
    numbers: dict[JSONPath, NumberRange] = Field({}, description="JSONPath -> the range of every number there")
    matches: dict[JSONPath, Pattern] = Field(
        {}, description="JSONPath -> a regular expression found in every text there"
    )
    text: Pattern | None = Field(None, description="a regular expression found in the whole reply as text")
    absent: Paths = Field((), description="JSONPaths at which nothing may stand")
    within_s: float | None = Field(None, gt=0, description="how long the answer may take")
    error: bool = Field(False, description="the reply has to be an error: HTTP 4xx or 5xx, or what `errors:` describes")

    @field_validator("numbers")
    @classmethod
    def _are_ranges(cls, value: dict[str, NumberRange]) -> dict[str, NumberRange]:
        for path, wanted in value.items():
            if wanted.value is None and wanted.min is None and wanted.max is None:
                raise AtError("a range needs `value:`, `min:` or `max:`", (path,))
        return value

    @property
    def names_json(self) -> bool:
        """Say whether `json:` is said at all: null may be what is expected."""
        return "json_" in self.model_fields_set


class Retry(Model):
    """How often a step is asked again where the reply is not as expected."""

    times: int = Field(0, ge=0, description="how many more times")
    every_s: float = Field(0.5, ge=0, description="seconds between")


def _retry(value: Any) -> Any:
    return {"times": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Step(Message):
    """One question of a suite. `${name}` stands for what an earlier step saved."""

    expect: Expect = Field(Expect(), description="what the reply must be")
    save: dict[str, JSONPath] = Field({}, description="name -> JSONPath of the value that later steps use as ${name}")
    retry: Annotated[Retry, BeforeValidator(_retry, json_schema_input_type=int | Retry)] = Field(
        Retry(), description="a number, or {times: 3, every_s: 0.5}"
    )

    @field_validator("save")
    @classmethod
    def _are_names(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not NAME.fullmatch(name):
                raise AtError(f"{name!r} is no name: letters, digits and _ make one", (name,))
        return value

    def names(self) -> set[str]:
        """Return the names for which `${name}` stands in this step."""
        said = {name: getattr(self, name) for name in type(self).model_fields if name not in {"name", "expect"}}
        return names_in([*said.values(), self.expect.model_dump(by_alias=True)])


class Suite(Model):
    """Steps in their order; what is said here is said for each step that does not say otherwise."""

    to: Target | None = Field(None, description="where the steps ask that do not say it")
    socket: Socket | None = Field(None, description="ZeroMQ socket of the steps that do not say it")
    codec: Codec | None = Field(None, description="codec of the steps that do not say it")
    timeout_s: float | None = Field(None, gt=0, description="seconds for a step that does not say it")
    swap: bool = Field(True, description="whether `cutover swap` runs it before and after the move")
    steps: tuple[Step, ...] = Field((), description="what is asked, in this order")
    file: str | None = Field(None, description="a YAML file with the suite, relative to cutover.yaml")

    @model_validator(mode="after")
    def _is_whole(self) -> Suite:
        if not self.steps and not self.file:
            raise ValueError("a suite needs `steps:`, or `file:`")
        if self.steps and self.file:
            raise ValueError("a suite has `steps:` or `file:`, not both")
        for number, step in enumerate(self.steps, start=1):
            if not (step.to or self.to):
                named = step.name or "no name"
                told = f"step {number} ({named}) does not say `to:`, and neither does the suite"
                raise AtError(told, ("steps", number - 1))
        self._check_names()
        return self

    def _check_names(self) -> None:
        """Refuse `${name}` where no earlier step saves that name: it is a typo, or stands for itself."""
        saved: list[str] = []
        for number, step in enumerate(self.steps):
            for name in sorted(step.names() - set(saved)):
                near = difflib.get_close_matches(name, saved, n=1)
                known = f"did you mean ${{{near[0]}}}?" if near else f"saved before: {', '.join(saved) or 'nothing'}"
                told = f"no earlier step saves `{name}` for ${{{name}}}; {known} (a text with ${{ is written $${{)"
                raise AtError(told, ("steps", number))
            saved += step.save

    def complete(self) -> tuple[Step, ...]:
        """Return the steps with what the suite says for them."""
        ours = {"to": self.to, "socket": self.socket, "codec": self.codec, "timeout_s": self.timeout_s}
        return tuple(
            step.model_copy(update={k: v for k, v in ours.items() if v is not None and k not in step.model_fields_set})
            for step in self.steps
        )


def suite_or_file(value: Any) -> Any:
    """Take a text for the name of the suite's file."""
    return {"file": value} if isinstance(value, str) else value


SuiteOrFile = Annotated[Suite, BeforeValidator(suite_or_file, json_schema_input_type=str | Suite)]
