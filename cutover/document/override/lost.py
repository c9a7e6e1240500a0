"""What a test service lost because `extends` does not read all that makes the origin what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cutover.document.override.service import Facts
from cutover.document.override.texts import variables
from cutover.document.override.values import RESET, Override, Service, instead


def lost(facts: Facts, override: Override, found: Service) -> dict[str, Any]:
    """Return what has to be written for Compose to show `found` as it was meant, by key.

    Values come from the files as they are written. Of the environment only the variables that differ are taken.
    """
    written: Service = (facts.written.get("services") or {}).get(facts.origin) or {}
    repaired: dict[str, Any] = dict(facts.extra)
    for key in sorted({*override.expected, *found}):
        expected, shown = override.expected.get(key), found.get(key)
        if _same(expected, shown):
            continue
        if key == "environment":
            repaired[key] = _variables(expected or {}, shown or {}, variables(written))
        elif _empty(expected):
            repaired[key] = RESET
        else:
            repaired[key] = instead(written.get(key, expected))
    return repaired


def _variables(expected: Mapping[str, Any], shown: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    gone = {name: RESET for name in shown if name not in expected}
    return {n: written.get(n, v) for n, v in expected.items() if shown.get(n) != v or n not in shown} | gone


def _same(one: object, other: object) -> bool:
    return one == other or (_empty(one) and _empty(other))


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, dict | list) and not value)
