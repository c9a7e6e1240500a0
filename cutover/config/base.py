"""What all models of `cutover.yaml` have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

Location = tuple[str | int, ...]


class AtError(ValueError):
    """What a validator of a whole says about a part of it; `location` leads from the whole to that part."""

    def __init__(self, message: str, location: Location) -> None:
        self.location = location
        super().__init__(message)


class Model(BaseModel):
    """A mapping that may hold only what it knows, and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_tuple(value: Any) -> Any:
    return value if isinstance(value, list | tuple) or value is None else [value]


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple, json_schema_input_type=str | tuple[str, ...])]
"""One text, or a list of them."""
