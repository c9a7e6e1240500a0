"""The surface of a service: how its methods are asked for and read, and what a recording masks."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from cutover.config.base import Model, Texts
from cutover.config.messages import Message


class Surface(Message):
    """How to find out which methods there are. `{method}` in the request, path or envelope stands for the name."""

    methods: Texts = Field((), description="methods to ask for, beside those that are found")
    unknown: dict[str, Any] = Field({}, description="JSONPath -> value (or /regular expression/) of `no such method`")
    stubbed: dict[str, Any] = Field({}, description="JSONPath -> value (or /regular expression/) of `not implemented`")
    green_source: Texts = Field((), description="Python files or folders of green, relative to cutover.yaml")
    blue_source: Texts = Field((), description="Python files or folders of blue")
    keys: Texts = Field(("action", "method", "command", "type", "op"), description="names that hold a method's name")
    classes: Texts = Field((), description="classes whose public methods count as methods")
    openapi: str | None = Field(None, description="where OpenAPI is served: http://:8000/openapi.json")
    recordings: Texts = Field((), description="recordings (.jsonl) whose methods count; * is allowed")
    ignore: Texts = Field((), description="methods that may be missing")


class Recording(Model):
    """What a recording of live traffic leaves out."""

    mask: Texts = Field((), description="JSONPaths whose values are masked")
    mask_names: Texts = Field((), description="regular expressions of key and header names whose values are masked")
    mask_text: Texts = Field((), description="regular expressions of texts that are masked wherever they stand")
