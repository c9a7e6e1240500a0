"""Suites: steps that a working service takes, one after the other."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cutover.config.base import Model, Texts
from cutover.config.messages import Codec, Message, Socket


class NumberRange(Model):
    """What a number must be: near `value` within `abs` or `rel`, or between `min` and `max`."""

    value: float | None = Field(None, description="the number that is expected")
    abs: float = Field(0.0, ge=0, description="how far off it may be")
    rel: float = Field(0.0, ge=0, description="how far off it may be, as a share of the expected number")
    min: float | None = Field(None, description="not below")
    max: float | None = Field(None, description="not above")


class Expect(Model):
    """What a reply must be; everything that is said must hold. JSONPath as in RFC 9535."""

    status: int | str | None = Field(None, description="HTTP status: 200, 2xx; a 2xx if left out")
    json_: Any = Field(None, alias="json", description="a part of the reply: every key named must be there and equal")
    paths: dict[str, Any] = Field({}, description="JSONPath -> the value that must stand there, at least once")
    numbers: dict[str, NumberRange] = Field({}, description="JSONPath -> the range of every number there")
    matches: dict[str, str] = Field({}, description="JSONPath -> a regular expression found in every text there")
    text: str | None = Field(None, description="a regular expression found in the whole reply as text")
    absent: Texts = Field((), description="JSONPaths at which nothing may stand")
    within_s: float | None = Field(None, gt=0, description="how long the answer may take")
    error: bool = Field(False, description="the reply has to be an error: HTTP 4xx or 5xx, or what `errors:` describes")

    @field_validator("text")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        return value if value is None else _pattern(value)

    @field_validator("matches")
    @classmethod
    def _are_patterns(cls, value: dict[str, str]) -> dict[str, str]:
        return {path: _pattern(text) for path, text in value.items()}


class Retry(Model):
    """How often a step is asked again where the reply is not as expected."""

    times: int = Field(0, ge=0, description="how many more times")
    every_s: float = Field(0.5, ge=0, description="seconds between")


def _retry(value: Any) -> Any:
    return {"times": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Step(Message):
    """One question of a suite. `${name}` stands for what an earlier step saved."""

    expect: Expect = Field(Expect(), description="what the reply must be")
    save: dict[str, str] = Field({}, description="name -> JSONPath of the value that later steps use as ${name}")
    retry: Annotated[Retry, BeforeValidator(_retry, json_schema_input_type=int | Retry)] = Field(
        Retry(), description="a number, or {times: 3, every_s: 0.5}"
    )


class Suite(Model):
    """Steps in their order; what is said here is said for each step that does not say otherwise."""

    to: str | None = Field(None, description="where the steps ask that do not say it")
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
        for number, step in enumerate(self.steps, start=1):
            if not (step.to or self.to):
                named = step.name or "no name"
                raise ValueError(f"step {number} ({named}) does not say `to:`, and neither does the suite")
        return self

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


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text
