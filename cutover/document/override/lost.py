"""What a test service lost because `extends` does not read all that makes the origin what it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cutover.document.override.mounts import beside
from cutover.document.override.service import Facts
from cutover.document.override.texts import variables
from cutover.document.override.values import RESET, Override, Service, instead


def lost(facts: Facts, override: Override, found: Service) -> dict[str, Any]:
    """Return what has to be written for Compose to show `found` as it was meant, by key.

    Values come from the files as they are written, `${VARIABLES}` included. Of the environment only what differs is
    taken; what an `env_file` holds comes from that file again, and is not copied.
    """
    written: Service = (facts.written.get("services") or {}).get(facts.origin) or {}
    repaired: dict[str, Any] = dict(facts.extra)
    for key in sorted({*override.expected, *found}):
        expected, shown = override.expected.get(key), found.get(key)
        if _same(expected, shown):
            continue
        match key:
            case "environment":
                repaired |= _environment(expected or {}, shown or {}, written, facts.folder)
            case _ if _empty(expected):
                repaired[key] = RESET
            case "volumes":
                repaired[key] = instead([beside(m, facts.folder) if isinstance(m, dict) else m for m in expected or ()])
            case "deploy":
                repaired[key] = instead(expected)
            case _ if key in written:  # else only the value itself would be left, and that is nobody's to write down
                repaired[key] = instead(written[key])
    return repaired


def _environment(
    expected: Mapping[str, Any], shown: Mapping[str, Any], service: Service, folder: Path
) -> dict[str, Any]:
    written = variables(service)
    differing = [n for n, v in expected.items() if n not in shown or shown[n] != v]
    known: dict[str, Any] = {n: written[n] for n in differing if n in written}
    known |= {n: RESET for n in shown if n not in expected}
    files = [_file_beside(f, folder) for f in service.get("env_file") or ()]
    again = {"env_file": instead(files)} if files and len(known) < len(differing) else {}
    return {**again, **({"environment": known} if known else {})}


def _file_beside(file: object, folder: Path) -> object:
    if isinstance(file, Mapping):
        return {**file, "path": os.path.relpath(str(file.get("path")), folder)}
    return file


def _same(one: object, other: object) -> bool:
    return one == other or (_empty(one) and _empty(other))


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, dict | list) and not value)
