"""What Docker and Compose say: inspected containers, the canonical model."""

from __future__ import annotations

import json

from cutover.engine.inspect import container_from
from cutover.engine.stack import read_model
from tests.fuzz.target import ROOT, Target, see, told


def inspected(data: bytes) -> None:
    """Read one container from what the Engine says."""
    try:
        details = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(details, list) and details:
        details = details[0]
    if isinstance(details, dict):
        found = told(lambda: container_from(details))
        if found is not None:
            see(all(0 < b.host_port < 65536 for b in (*found.published, *found.wanted)), "a port that cannot be")
            repr(found)
            str(found.parked)


def model(data: bytes) -> None:
    """Read the canonical model from what Compose prints."""
    found = told(lambda: read_model(data.decode("utf-8", "replace")))
    see(found is None or isinstance(found["name"], str), "a project without a name")


MODEL = json.dumps(
    {"name": "shop", "services": {"web": {"image": "a", "ports": [{"target": 80, "published": "80"}]}}}
).encode()
WORDS = (
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"1e999",
    b"9" * 5000,
    b'"80/tcp":',
    b'"HostPort":"',
    b"\xc2\xb2",
    b'"Status":"stopping"',
    b"true",
)
TARGETS = (
    Target(
        "docker-inspect",
        inspected,
        lambda: [p.read_bytes() for p in sorted((ROOT / "tests/recorded/inspect").iterdir())],
        WORDS,
    ),
    Target("compose-config", model, lambda: (MODEL,), WORDS),
)
