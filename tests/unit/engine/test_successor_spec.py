"""What is kept of a container, and what belongs to that one container only."""

from __future__ import annotations

from typing import Any

from cutover.engine.successor_spec import spec_from

SHORT = "0123456789ab"
DETAILS: dict[str, Any] = {
    "Id": SHORT + "0" * 52,
    "Name": "/p-web-1",
    "Image": "sha256:" + "a" * 64,
    "Config": {"Hostname": SHORT, "Image": "app:v1", "Entrypoint": None, "Env": ["A=1"], "Labels": {"x": "y"}},
    "HostConfig": {"NetworkMode": "p_front", "Binds": None},
    "NetworkSettings": {
        "Networks": {
            "0-parked": {"Aliases": [SHORT]},
            "p_back": {"Aliases": ["web", SHORT], "IPAddress": "10.0.0.2", "MacAddress": "02:42:0a:00:00:02"},
            "p_front": {"Aliases": ["web"], "Links": ["p-db-1:db"], "IPAMConfig": {"IPv4Address": "10.1.0.9"}},
        }
    },
    "Mounts": [],
}


def test_the_spec_has_what_was_asked_for_and_not_what_docker_chose() -> None:
    """No generated host name, address or ID; the network that it is created on comes first."""
    spec = spec_from(DETAILS, without=("0-parked",))
    assert spec["name"] == "p-web-1"
    assert spec["image_id"] == DETAILS["Image"]
    assert spec["config"] == {"Image": "app:v1", "Env": ["A=1"], "Labels": {"x": "y"}}
    assert spec["networks"] == [
        ["p_front", {"Aliases": ["web"], "Links": ["p-db-1:db"], "IPAMConfig": {"IPv4Address": "10.1.0.9"}}],
        ["p_back", {"Aliases": ["web"]}],
    ]


def test_a_host_name_of_its_own_is_kept() -> None:
    """Only the one that Docker makes of the ID goes."""
    details = DETAILS | {"Config": DETAILS["Config"] | {"Hostname": "mine"}}
    assert spec_from(details)["config"]["Hostname"] == "mine"


def test_a_container_without_networks_of_its_own_names_none() -> None:
    """Docker itself joins those modes."""
    for mode in ("host", "none", "bridge", "container:abc"):
        assert spec_from(DETAILS | {"HostConfig": {"NetworkMode": mode}})["networks"] == []


def test_what_was_inspected_stays_as_it_is() -> None:
    """The spec is a copy."""
    spec = spec_from(DETAILS)
    spec["config"]["Labels"]["x"] = "z"
    spec["networks"][0][1]["Aliases"].append("more")
    assert DETAILS["Config"]["Labels"] == {"x": "y"}
    assert DETAILS["NetworkSettings"]["Networks"]["p_front"]["Aliases"] == ["web"]
