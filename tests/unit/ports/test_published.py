"""Who holds a host port."""

from __future__ import annotations

import pytest

from cutover.model import Container, ContainerState, Endpoint, Listener, PortBinding, Protocol
from cutover.ports.published import conflicts, overlap, published

GREEN = Container(
    "g" * 64,
    "shop-green-1",
    "shop",
    "green",
    ContainerState.RUNNING,
    published=(PortBinding("0.0.0.0", 5570, 5571), PortBinding("::", 5570, 5571)),
    endpoints=(Endpoint("shop_default", "n", "172.21.0.6"),),
)
PROXY = "/usr/sbin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 5570 -container-ip {} -container-port 5571"
WANTED = PortBinding("", 5570, 5570)


def test_published_ports_lead_to_their_containers() -> None:
    """Every binding is listed under its port and protocol."""
    other = Container(
        "o", "a-first", "", "", ContainerState.RUNNING, published=(PortBinding("", 53, 53, Protocol.UDP),)
    )
    found = published([GREEN, other])
    assert found[53, Protocol.UDP] == [(other.published[0], other)]
    assert [container.name for _, container in found[5570, Protocol.TCP]] == ["shop-green-1", "shop-green-1"]


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("0.0.0.0", "", True),
        ("", "::1", True),
        ("::", "::1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "::", False),
        ("0.0.0.0", "::1", False),
        ("::", "127.0.0.1", False),
    ],
)
def test_addresses_overlap(one: str, other: str, both: bool) -> None:
    """The rule of `bind` with V6ONLY, as Docker binds; in either order."""
    assert overlap(one, other) is both
    assert overlap(other, one) is both


def test_a_container_that_holds_the_port_is_named_once_per_binding() -> None:
    """Its docker-proxy is not a conflict of its own."""
    proxies = [Listener("0.0.0.0", 5570, pid=9, command=PROXY.format("172.21.0.6"))]
    found = conflicts([PortBinding("127.0.0.1", 5570, 1)], [GREEN], proxies)
    assert [str(conflict) for conflict in found] == [
        "127.0.0.1:5570:1 is held by container shop-green-1 (service green), which publishes 0.0.0.0:5570:5571"
    ]


def test_who_is_leaving_is_no_conflict() -> None:
    """Green's own ports, and its docker-proxies, are free once green is gone."""
    proxies = [Listener("0.0.0.0", 5570, pid=9, command=PROXY.format("172.21.0.6")), Listener("::", 5570)]
    assert conflicts([WANTED], [GREEN], proxies, leaving=frozenset({GREEN.id})) == []


def test_a_foreign_process_is_named() -> None:
    """PID and command say whom to stop."""
    (found,) = conflicts([WANTED], [], [Listener("127.0.0.1", 5570, pid=812, command="nc -l 5570")])
    assert str(found) == "5570:5570 is held by process 812 (nc -l 5570)"
    assert not found.stale_proxy


def test_a_process_that_cannot_be_seen_is_a_conflict_too() -> None:
    """Without root the owner is unknown, but the port is taken all the same."""
    (found,) = conflicts([WANTED], [], [Listener("::", 5570)])
    assert "only root can see" in str(found)


def test_a_docker_proxy_that_leads_nowhere_is_stale() -> None:
    """Its container is gone, and it still holds the port."""
    (found,) = conflicts([WANTED], [], [Listener("0.0.0.0", 5570, pid=9, command=PROXY.format("172.21.0.9"))])
    assert found.stale_proxy
    assert "leads to no container" in str(found)


@pytest.mark.parametrize(
    ("wanted", "listener"),
    [
        (PortBinding("", 5570, 1, Protocol.UDP), Listener("0.0.0.0", 5570, pid=1)),
        (PortBinding("", 5571, 1), Listener("0.0.0.0", 5570, pid=1)),
        (PortBinding("127.0.0.2", 5570, 1), Listener("127.0.0.1", 5570, pid=1)),
        (PortBinding("::1", 5570, 1), Listener("0.0.0.0", 5570, pid=1)),
    ],
)
def test_other_protocols_ports_and_addresses_are_no_conflict(wanted: PortBinding, listener: Listener) -> None:
    """Only what cannot be bound beside it stands in the way."""
    assert conflicts([wanted], [], [listener]) == []


def test_a_foreign_dual_stack_socket_holds_ipv4_too() -> None:
    """Most programs that listen on :: take IPv4 with it."""
    assert conflicts([PortBinding("127.0.0.1", 5570, 1)], [], [Listener("::", 5570, pid=1, command="node")])
