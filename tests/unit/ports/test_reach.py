"""Which address of a container leads to it from here: seen on this host's own routes."""

from __future__ import annotations

import pytest

from cutover.model import Container, ContainerState, Endpoint
from cutover.ports.reach import own_address

LOOPBACK, NOBODY = Endpoint("bridge", "b", "127.0.0.7"), Endpoint("macvlan", "m", "198.51.100.7")


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ((LOOPBACK,), "127.0.0.7"),
        ((NOBODY, LOOPBACK), "127.0.0.7"),
        ((NOBODY,), None),
        ((Endpoint("none", "n", ""), LOOPBACK), "127.0.0.7"),
        ((), None),
    ],
)
def test_only_a_route_of_its_own_counts(endpoints: tuple[Endpoint, ...], expected: str | None) -> None:
    """What would take the default route, or has none, is somebody else's; loopback stands for a bridge."""
    container = Container("c" * 64, "c", "p", "s", ContainerState.RUNNING, endpoints=endpoints)
    assert own_address(container) == expected
