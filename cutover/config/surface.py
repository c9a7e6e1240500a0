"""The surface of a service: how its methods are asked for and read, and what a recording masks."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from cutover.config.base import Model, Texts
from cutover.config.messages import Message, WebTarget
from cutover.config.paths import JSONPath, Paths, Wanted, pattern


def _are_patterns(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        pattern(text)
    return texts


Patterns = Annotated[Texts, AfterValidator(_are_patterns)]
"""One regular expression, or a list of them."""


class Surface(Message):
    """How to find out which methods there are. `{method}` in the request, path or envelope stands for the name."""

    methods: Texts = Field((), description="methods to ask for, beside those that are found")
    unknown: dict[JSONPath, Wanted] = Field(
        {}, description="JSONPath -> value (or /regular expression/) of `no such method`"
    )
    stubbed: dict[JSONPath, Wanted] = Field(
        {}, description="JSONPath -> value (or /regular expression/) of `not implemented`"
    )
    green_source: Texts = Field((), description="Python files or folders of green, relative to cutover.yaml")
    blue_source: Texts = Field((), description="Python files or folders of blue")
    keys: Texts = Field(("action", "method", "command", "type", "op"), description="names that hold a method's name")
    classes: Texts = Field((), description="classes whose public methods count as methods")
    openapi: WebTarget | None = Field(None, description="where OpenAPI is served: http://:8000/openapi.json")
    http: WebTarget | None = Field(None, description="where the HTTP routes of the source are asked: http://:6570")
    ask_all: bool = Field(False, description="ask also for methods whose names sound destructive, and send unsafe HTTP")
    recordings: Texts = Field((), description="recordings (.jsonl) whose methods count; * is allowed")
    ignore: Texts = Field((), description="methods that may be missing")


class Recording(Model):
    """What a recording of live traffic leaves out."""

    mask: Paths = Field((), description="JSONPaths whose values are masked, in JSON and msgpack")
    mask_names: Patterns = Field(
        (),
        description="regular expressions of names whose values are masked: of keys, headers, fields, tags, parameters",
    )
    mask_text: Patterns = Field((), description="regular expressions of texts that are masked wherever they stand")
    keep_undecoded: bool = Field(
        False, description="write what is neither JSON, msgpack nor text as it was; else it is masked whole"
    )
