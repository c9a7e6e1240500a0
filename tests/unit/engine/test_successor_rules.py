"""What forbids a second container of a service beside the first, and what is only said."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.engine.successor_rules import expected_name, see_successor
from cutover.errors import RefusedError
from cutover.model import Container, ContainerState

ONE = [Container("1" * 64, "p-web-1", "p", "web", ContainerState.RUNNING)]


def model(web: dict[str, Any], **others: dict[str, Any]) -> dict[str, Any]:
    """Return a canonical model with these services."""
    return {"name": "p", "services": {"web": web, **others}}


@pytest.mark.parametrize(
    ("web", "reference", "word"),
    [
        ({"scale": 2}, "successor-scaled", "scale it to 1"),
        ({"scale": 0}, "successor-scaled", "scale it to 1"),
        ({"deploy": {"replicas": 3}}, "successor-scaled", "scale it to 1"),
        ({"provider": {"type": "x"}}, "successor-provider", "docker compose up -d web"),
        ({"network_mode": "host"}, "successor-network", "recreate"),
        ({"network_mode": "service:vpn"}, "successor-network", "recreate"),
        ({"network_mode": "container:vpn"}, "successor-network", "recreate"),
        ({"networks": {"n": {"ipv4_address": "10.0.0.2"}}}, "successor-address", "remove ipv4_address"),
        ({"networks": {"n": {"ipv6_address": "fd00::2"}}}, "successor-address", "remove ipv6_address"),
        ({"networks": {"n": {"mac_address": "02:00:00:00:00:01"}}}, "successor-address", "remove mac_address"),
        ({"mac_address": "02:00:00:00:00:01"}, "successor-address", "recreate"),
        ({"post_start": [{"command": ["x"]}]}, "successor-hooks", "docker compose up -d web"),
    ],
)
def test_what_only_one_container_can_have_is_refused(web: dict[str, Any], reference: str, word: str) -> None:
    """With the reason and the way that does without."""
    with pytest.raises(RefusedError) as caught:
        see_successor(model(web), "web", ONE)
    assert caught.value.reference == reference
    assert word in (caught.value.hint or "")


@pytest.mark.parametrize(
    "web", [{"networks": {"n": {"ipv4_address": "10.0.0.2"}}}, {"mac_address": "02:00:00:00:00:01"}]
)
def test_an_address_passes_on_where_the_first_stops_before_the_second_starts(web: dict[str, Any]) -> None:
    """What the hint of the refusal says is so."""
    assert see_successor(model(web), "web", ONE, alone=True) == ()


@pytest.mark.parametrize(
    "other",
    [
        {"network_mode": "service:web"},
        {"network_mode": "container:mine"},
        {"ipc": "service:web"},
        {"pid": "service:web"},
        {"volumes_from": ["web:ro"]},
    ],
)
def test_a_service_that_lives_in_the_old_container_forbids_it(other: dict[str, Any]) -> None:
    """It would be left with the container that goes."""
    with pytest.raises(RefusedError, match="'side'") as caught:
        see_successor(model({"container_name": "mine"}, side=other), "web", ONE)
    assert caught.value.reference == "successor-shared"


@pytest.mark.parametrize("count", [0, 2])
def test_exactly_one_container_has_a_successor(count: int) -> None:
    """The refusal names those that there are."""
    with pytest.raises(RefusedError) as caught:
        see_successor(model({}), "web", ONE * count)
    assert caught.value.reference == "successor-count"
    assert ("p-web-1, p-web-1" if count else "none") in caught.value.message


def test_an_unknown_service_is_refused() -> None:
    """Compose shows what there is."""
    with pytest.raises(RefusedError, match="no service 'red'"):
        see_successor(model({}), "red", ONE)


def test_what_a_swap_does_not_do_is_said() -> None:
    """Dependants that want a restart, and hooks that nobody runs."""
    dependant = {"depends_on": {"web": {"condition": "service_started", "restart": True}}}
    found = see_successor(model({"pre_stop": [{"command": ["x"]}]}, api=dependant), "web", ONE)
    assert [f.code for f in found] == ["dependant-not-restarted", "hook-not-run"]
    assert "docker compose restart api" in (found[0].cure or "")


def test_an_ordinary_service_is_let_through() -> None:
    """Names, aliases, one replica, peers that link or depend, networks without addresses."""
    web = {"scale": 1, "deploy": {"replicas": 1}, "networks": {"n": {"aliases": ["x"]}, "m": None}, "ipc": "shareable"}
    peer = {"links": ["web"], "depends_on": {"web": {"condition": "service_started"}}, "volumes_from": ["website"]}
    assert see_successor(model(web, peer=peer), "web", ONE) == ()


def test_the_name_that_compose_gives() -> None:
    """Its own where it has one, else project, service and number."""
    assert expected_name(model({}), "web", "3") == "p-web-3"
    assert expected_name(model({"container_name": "mine"}), "web", "3") == "mine"
