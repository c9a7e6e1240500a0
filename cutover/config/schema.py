"""The JSON Schema of what people write, for editors and for other programs."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from cutover.config.parity import Case
from cutover.config.settings import Settings
from cutover.config.suites import Suite

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SOURCES: dict[str, tuple[Any, str]] = {
    "settings": (Settings, "cutover.yaml"),
    "suite": (Suite, "A suite of cutover in a file of its own"),
    "cases": (tuple[Case, ...], "Parity cases of cutover in a file of their own"),
}


def json_schema(what: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `settings` (cutover.yaml), a `suite`'s own file, or parity `cases`."""
    model, title = _SOURCES[what]
    made = TypeAdapter[Any](model).json_schema(by_alias=True)
    return {"$schema": _DIALECT, "$id": f"urn:cutover:schema:{what}", **made, "title": title}
