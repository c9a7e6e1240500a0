"""Compose is the judge: what it makes of the override must be what was meant, and nothing else may have changed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cutover.document.override import Facts, Override, OverrideRequest, TestPort, derive, lost
from cutover.errors import RefusedError
from cutover.flow.override_world import World

MOST_DIFFERENCES = 12


def proven(facts: Facts, world: World, ports: tuple[TestPort, ...], request: OverrideRequest) -> Override:
    """Return the override that Compose agrees with.

    A service that several files define is extended from each of them in turn. Where that loses something (`!reset` in a
    file, a relative path), what is lost is taken from the files as they are written, `${VARIABLES}` included.

    Raises:
        RefusedError: Compose rejects it, or makes something else of it; the evidence names the keys, never a value.
        UsageError: as `derive`.

    """
    problem: RefusedError | None = None
    for sources in _candidates(facts.sources):
        tried = replace(facts, sources=sources)
        for _ in range(2):
            override = derive(tried, ports, request)
            try:
                model = _judged(world, override)
            except RefusedError as error:
                problem = problem or error
                break
            wrong = list(_differences(world, override, model))
            if not wrong:
                return override
            problem = problem or _disagrees(facts, wrong)
            tried = replace(tried, extra=lost(tried, override, model["services"].get(override.service) or {}))
    assert problem is not None
    raise problem


def _candidates(sources: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield all files, then fewer and fewer, the base alone last."""
    yield sources
    yield from (sources[:count] for count in range(len(sources) - 1, 0, -1))


def _judged(world: World, override: Override) -> Mapping[str, Any]:
    """Return the canonical model of the project together with the override."""
    source = world.stack.source
    descriptor, name = tempfile.mkstemp(prefix="cutover-override-", suffix=".yml")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(override.text.encode())
        stack = world.stack.read_from(replace(source, files=(*source.files, Path(name)), directory=source.folder))
        try:
            return stack.config()
        except RefusedError as error:
            raise _rejected(override, error, name) from error
    finally:
        Path(name).unlink()


def _rejected(override: Override, error: RefusedError, name: str) -> RefusedError:
    return RefusedError(
        "override-rejected",
        f"Docker Compose rejects the override for {override.service}; nothing was written.",
        evidence=[line.replace(name, "the override") for line in error.evidence if "level=warning" not in line],
        hint="cutover override --from-image --image IMAGE starts from an image instead of extending the service",
    )


def _differences(world: World, override: Override, model: Mapping[str, Any]) -> Iterator[str]:
    """Yield every place where Compose's model is not as it was meant."""
    yield from _places(override.expected, model["services"].get(override.service), override.service)
    others = {n: s for n, s in model["services"].items() if n != override.service}
    yield from _places(world.services, others, "services")
    volumes = dict(model.get("volumes") or {})
    for own in override.expected_volumes:
        if volumes.pop(own, None) is None:
            yield f"volumes.{own}"
    for key in ("networks", "secrets", "configs"):
        yield from _places(world.model.get(key), model.get(key), key)
    yield from _places(world.model.get("volumes"), volumes, "volumes")


def _places(expected: object, found: object, path: str) -> Iterator[str]:
    """Yield the paths at which two models differ; what is empty counts as absent. No value is shown."""
    expected, found = _bare(expected), _bare(found)
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}):
            yield from _places(expected.get(key), found.get(key), f"{path}.{key}")
    elif expected != found:
        yield f"{path}: {'missing' if found is None else 'unexpected' if expected is None else 'not as expected'}"


def _bare(value: object) -> object:
    if isinstance(value, dict):
        return {k: b for k, v in value.items() if (b := _bare(v)) is not None} or None
    if isinstance(value, list):
        return [_bare(v) for v in value] or None
    return value


def _disagrees(facts: Facts, wrong: list[str]) -> RefusedError:
    return RefusedError(
        "override-differs",
        f"Docker Compose makes something else of {facts.name} than was meant; nothing was written.",
        evidence=[*wrong[:MOST_DIFFERENCES], f"extended from: {', '.join(facts.sources)}"],
        hint="--env NAME=VALUE says what a variable is to be; --from-image --image IMAGE starts from an image instead",
    )
