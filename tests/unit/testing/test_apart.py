"""A project of its own: what is kept of the user's model, and what must not be."""

from __future__ import annotations

import pytest

from cutover.errors import RefusedError
from cutover.flow.request import PortRequest
from cutover.testing.apart import project_of_its_own, targets_of

MODEL = {
    "name": "shop",
    "services": {
        "old": {
            "image": "shop:1",
            "container_name": "shop-old",
            "restart": "always",
            "ports": [
                {"target": 5570, "published": "5570", "protocol": "tcp"},
                {"target": 53, "published": "53", "protocol": "udp"},
            ],
            "depends_on": {"store": {"condition": "service_healthy", "required": True}},
            "networks": {"default": None, "back": {"aliases": ["manager"], "ipv4_address": "10.0.0.7"}},
            "volumes": [
                {"type": "bind", "source": "/srv/models", "target": "/models"},
                {"type": "volume", "source": "data", "target": "/data"},
            ],
        },
        "new": {"build": {"context": "/srv/shop"}, "links": ["store:redis"], "network_mode": "service:proxy"},
        "store": {"image": "store:1", "ports": [{"target": 6379, "published": "6379"}]},
        "proxy": {"image": "proxy:1", "profiles": ["extra"]},
        "agent": {"image": "agent:1"},
        "rude": {"image": "rude:1", "network_mode": "host"},
    },
    "networks": {"default": {"name": "shop_default"}, "back": {"name": "shared", "external": True}},
    "volumes": {"data": {"name": "shop_data"}},
    "secrets": {"key": {"file": "/srv/key"}},
    "x-notes": "mine",
}


def made() -> dict:
    """Return the project of old and new."""
    return project_of_its_own(MODEL, "t1", {"old": {5570: 5570}, "new": {5570: 9901}}, {"mark": "7"})


def test_only_what_they_need_is_in_it() -> None:
    """What they depend on, link to and share a network with, whatever its profile; nobody else."""
    assert sorted(made()["services"]) == ["new", "old", "proxy", "store"]
    assert made()["name"] == "t1"
    assert "profiles" not in made()["services"]["proxy"]


def test_only_the_ports_asked_for_are_published_and_on_loopback() -> None:
    """Where the Engine finds one free: no port is named, so none can collide."""
    services = made()["services"]
    assert services["old"]["ports"] == [{"target": 5570, "host_ip": "127.0.0.1", "protocol": "tcp"}]
    assert [p["target"] for p in services["new"]["ports"]] == [9901]
    assert services["store"]["ports"] == []


def test_names_volumes_and_networks_are_its_own() -> None:
    """Under the user's names it would write the data of what runs, and answer to its name."""
    project = made()
    assert project["volumes"] == {"data": {}}
    assert project["networks"] == {"default": {}, "back": {}}
    old = project["services"]["old"]
    assert "container_name" not in old
    assert old["restart"] == "no"
    assert old["networks"] == {"default": {}, "back": {"aliases": ["manager"]}}
    assert old["labels"] == {"mark": "7"}


def test_mounts_of_the_host_are_read_only() -> None:
    """They are not the project's own; volumes are."""
    first, second = made()["services"]["old"]["volumes"]
    assert first["read_only"] is True
    assert "read_only" not in second
    assert "read_only" not in MODEL["services"]["old"]["volumes"][0]


def test_nothing_is_built_or_pulled() -> None:
    """An image that Compose has built has the name that Compose gave it."""
    new = made()["services"]["new"]
    assert (new["image"], new["pull_policy"]) == ("shop-new", "never")
    assert "build" not in new
    assert made()["secrets"] == MODEL["secrets"]
    assert "x-notes" not in made()


def test_the_hosts_network_is_refused() -> None:
    """A second one would want the same ports."""
    with pytest.raises(RefusedError, match="host's network"):
        project_of_its_own(MODEL, "t1", {"rude": {}}, {})


def test_a_service_that_is_not_there_is_named() -> None:
    """With those that are."""
    with pytest.raises(RefusedError, match="no service 'gone'") as caught:
        project_of_its_own(MODEL, "t1", {"gone": {}}, {})
    assert "old" in caught.value.evidence[0]


def test_targets_are_what_green_publishes_and_where_blue_listens() -> None:
    """UDP is nothing that can be asked."""
    assert targets_of(MODEL, "old", ()) == ({5570: 5570}, {5570: 5570})
    assert targets_of(MODEL, "old", (PortRequest(5570, 9901),)) == ({5570: 5570}, {5570: 9901})


@pytest.mark.parametrize(
    ("green", "ports", "words"),
    [("old", (PortRequest(6570),), "does not publish port 6570"), ("agent", (), "publishes no port")],
)
def test_a_port_that_green_does_not_publish_is_refused(green: str, ports: tuple, words: str) -> None:
    """It would be asked in vain."""
    with pytest.raises(RefusedError, match=words):
        targets_of(MODEL, green, ports)
