"""A project as a swap observes it, built by hand: two services, green with two ports, blue with none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cutover.config import Strategy
from cutover.files import FileState
from cutover.flow.observed import ObservedState, SourceFile
from cutover.flow.plan import FileEdit
from cutover.flow.request import SwapRequest
from cutover.model import Container, ContainerState, Endpoint, PortBinding
from cutover.probes import parse

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
FOLDER = Path("/srv/shop")
FILE = FOLDER / "compose.yaml"
PORTS = (PortBinding("", 5570, 5570), PortBinding("127.0.0.1", 6570, 6570))
GREEN = Container(
    "g" * 64,
    "shop-old-1",
    "shop",
    "old",
    ContainerState.RUNNING,
    published=PORTS,
    wanted=PORTS,
    endpoints=(Endpoint("shop_default", "n1", "172.20.0.2"),),
)
BLUE = Container("b" * 64, "shop-new-1", "shop", "new", ContainerState.EXITED)
EDIT = FileEdit(FILE, "before", "after", b"services: {}\n", "--- a\n+++ b\n")


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        """Return the seconds that were slept."""
        return self.seconds

    def now(self) -> datetime:
        """Return the wall time that belongs to them."""
        return START + timedelta(seconds=self.seconds - 100.0)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


def model(**services: dict[str, Any]) -> dict[str, Any]:
    """Return Compose's model of the project; what is given is added to a service's own entries."""
    plain = {"old": {"image": "shop:1"}, "new": {"image": "shop:2"}}
    named = {name: {"networks": {"default": None}, **entry} for name, entry in plain.items()}
    return {"name": "shop", "services": {**named, **{n: {**named.get(n, {}), **s} for n, s in services.items()}}}


def observed(**changes: Any) -> ObservedState:
    """Return a state in which a swap may begin, with some of it changed."""
    state = ObservedState(
        project="shop",
        folder=FOLDER,
        files=(SourceFile(FILE, b"", FileState("before", 0o644, 0, 0), writable=True),),
        model=model(),
        environment={},
        containers=(GREEN,),
        images={"shop:1": "sha256:1", "shop:2": "sha256:2"},
        listeners=(),
        park_parent="br-1",
        free_bytes=2**30,
    )
    return replace(state, **changes)


def asked(**changes: Any) -> SwapRequest:
    """Return a request for all of green's ports, with some of it changed."""
    request = SwapRequest("old", "new", (), Strategy.RELINK, (parse("http://:6570/health"),), 10.0, 120.0)
    return replace(request, **changes)
