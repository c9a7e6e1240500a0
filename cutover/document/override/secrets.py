"""Secrets that stand in the file in plain text: what `--env NAME=VALUE` or `--also` put there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cutover.document.override.names import holds_secret, literal, says_secret
from cutover.document.override.text import Line
from cutover.document.override.texts import HEALTHCHECK, VARIABLE
from cutover.document.override.values import Tagged


def secrets_in(lines: Iterable[Line]) -> Iterator[str]:
    """Yield a warning for each place in the file that may hold a secret; the value is not shown."""
    for line in lines:
        value = line.value.value if isinstance(line.value, Tagged) else line.value
        if line.key == "environment" and isinstance(value, Mapping):
            names = [str(n) for n, v in value.items() if isinstance(v, str) and _is_secret(str(n), v)]
            yield from (_variable(name) for name in names)
        elif line.key in {"command", "entrypoint"} and _words_hold_secret(value):
            yield f"{line.key} {_READABLE}"
        elif line.key == "healthcheck" and isinstance(value, Mapping) and _words_hold_secret(value.get("test")):
            yield f"{HEALTHCHECK} {_READABLE}"


def _is_secret(name: str, value: str) -> bool:
    return (says_secret(name) and literal(value) != "") or (not value.isdigit() and holds_secret(value))


def _words_hold_secret(value: object) -> bool:
    return holds_secret(" ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def _variable(name: str) -> str:
    return f"{VARIABLE}{name} {_READABLE}; --env {name} without a value takes it from outside instead"


_READABLE = "looks like a secret and is in the file in plain text, which only its owner may read"
