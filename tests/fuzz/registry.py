"""All targets, by name."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets import archive, config, document, edge, engine, frames, kernel, ports, probes, state

TARGETS: dict[str, Target] = {
    target.name: target
    for area in (document, ports, probes, kernel, edge, frames, state, archive, config, engine)
    for target in area.TARGETS
}
