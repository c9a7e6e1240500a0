"""Who was asked in vain: the container to which an address leads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutover.flow.explain import asked_there
from cutover.model import Container, ContainerState, Endpoint, PortBinding, Protocol
from cutover.validate.talk import Address

SERVES = Container(
    "z" * 64,
    "shop-zeta-1",
    "shop",
    "zeta",
    ContainerState.RUNNING,
    published=(PortBinding("", 5570, 8000), PortBinding("", 5570, 8001, Protocol.UDP)),
    wanted=(PortBinding("", 5570, 8000),),
    endpoints=(Endpoint("shop_default", "n", "172.21.0.6"),),
)
STOPPED = replace(SERVES, id="a" * 64, name="shop-alpha-1", service="alpha", state=ContainerState.EXITED, published=())
OTHERS = replace(STOPPED, name="else-alpha-1", project="else")
LOCAL = replace(SERVES, name="shop-local-1", published=(PortBinding("10.0.0.5", 5571, 8000),), endpoints=())


@pytest.mark.parametrize(
    ("everyone", "address", "expected"),
    [
        ((STOPPED, SERVES), Address("127.0.0.1", 5570), ("shop-zeta-1", 8000)),
        ((STOPPED, SERVES), Address("localhost", 5570), ("shop-zeta-1", 8000)),
        ((STOPPED, SERVES), Address("172.21.0.6", 8001), ("shop-zeta-1", 8001)),
        ((STOPPED,), Address("127.0.0.1", 5570), ("shop-alpha-1", 8000)),
        ((OTHERS,), Address("127.0.0.1", 5570), None),
        ((LOCAL,), Address("127.0.0.1", 5571), None),
        ((LOCAL,), Address("10.0.0.5", 5571), ("shop-local-1", 8000)),
        ((SERVES,), Address("198.51.100.1", 5570), None),
        ((), Address("127.0.0.1", 5570), None),
    ],
)
def test_it_is_the_one_that_serves_the_address(
    everyone: tuple[Container, ...], address: Address, expected: tuple[str, int] | None
) -> None:
    """Not one that would want the port, unless nobody has it; and nobody of another project."""
    found = asked_there(everyone, address, "shop")
    assert (found and (found[0].name, found[1])) == expected
