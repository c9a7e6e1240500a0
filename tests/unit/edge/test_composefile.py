"""The edge's compose file: what it says, whatever the names in it are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cutover.edge.broker.broker import LEAVE_S
from cutover.edge.composefile import GRACE_S, EdgeFile, Part, generation_of, render, service_name
from cutover.edge.shape import EdgePort, Mode
from cutover.errors import UsageError
from cutover.model import PortBinding, Protocol

ZMQ = EdgePort(5570, Mode.REP, (PortBinding("", 5570, 5570), PortBinding("::1", 5571, 5570)))
HTTP = EdgePort(80, Mode.HTTP, (PortBinding("127.0.0.1", 6570, 80),))
TCP = EdgePort(5432, Mode.TCP, (PortBinding("", 5432, 5432),))
NO_PROXIES = ", ".join(
    f'{name}: ""'
    for kind in ("HTTP", "HTTPS", "FTP", "NO", "ALL")
    for name in (f"{kind}_PROXY", f"{kind.lower()}_proxy")
)
FILE = EdgeFile("demo", 3, "cutover-edge:1", Path("/srv/demo"), 1000, 1001, ("demo_default", "other"), (ZMQ, HTTP, TCP))
ODD = "/a b $HOME ${X:-y} \"q' \\ é日\u2028\x85\x7f\t\n🦊: ,#{}[]&*!|>%@`"


def read(file: EdgeFile) -> Any:
    """Return what the file says."""
    return YAML(typ="safe", pure=True).load(render(file).decode())


def test_the_whole_file() -> None:
    """As a person reads it."""
    assert render(replace(FILE, ports=(HTTP,), networks=("demo_default",))).decode() == (
        """\
# The edge of demo, generation 3
#
# The containers that own its legacy ports and forward to one colour. Written by cutover, and written anew
# when the edge changes: what is edited here is lost.
# To take it away by hand, which interrupts its clients: write the ports below into the service that serves,
# in the compose file of the project, and then, FILE being this one:
#   docker compose -p demo-edge -f FILE down
#   docker compose -p demo up -d

name: "demo-edge"

services:
  edge-http-3:
    image: "cutover-edge:1"
    command: ["haproxy", "-W", "-db", "-f", "/run/cutover/haproxy/haproxy.cfg"]
    user: "1000:1001"
    restart: unless-stopped
    stop_grace_period: 2s
    read_only: true
    cap_drop: ["ALL"]
    security_opt: ["no-new-privileges:true"]
    environment: {proxies}
    labels:
      io.cutover.project: "demo"
      io.cutover.edge: "3"
    volumes:
      - type: bind
        source: "/srv/demo"
        target: /run/cutover
        bind:
          create_host_path: false
    networks: [net-1]
    ports:
      - target: 80
        published: "6570"
        host_ip: "127.0.0.1"
        protocol: tcp

networks:
  net-1:
    name: "demo_default"
    external: true
""".replace("{proxies}", "{" + NO_PROXIES + "}")
    )


def test_each_container_has_its_own_ports() -> None:
    """HAProxy those of HTTP and TCP, the broker those of ZeroMQ, with the addresses that they had."""
    said = read(FILE)["services"]
    assert list(said) == list(FILE.services) == ["edge-http-3", "edge-zmq-3"]
    assert [(p["published"], p.get("host_ip")) for p in said["edge-http-3"]["ports"]] == [
        ("6570", "127.0.0.1"),
        ("5432", None),
    ]
    assert [(p["published"], p.get("host_ip")) for p in said["edge-zmq-3"]["ports"]] == [
        ("5570", None),
        ("5571", "::1"),
    ]
    assert said["edge-zmq-3"]["command"] == ["python3", "-m", "cutover.edge.broker", "/run/cutover/broker"]


def test_a_container_without_ports_is_left_out() -> None:
    """One container is enough for one protocol."""
    assert list(read(replace(FILE, ports=(ZMQ,)))["services"]) == [service_name(Part.ZMQ, 3)]


@pytest.mark.parametrize("part", ["edge-http-3", "edge-zmq-3"])
def test_both_run_without_any_right(part: str) -> None:
    """And both are on every network, see the folder, and come back after a restart of the Engine."""
    said = read(FILE)["services"][part]
    assert (said["cap_drop"], said["security_opt"], said["read_only"]) == (["ALL"], ["no-new-privileges:true"], True)
    assert (said["user"], said["restart"], said["networks"]) == ("1000:1001", "unless-stopped", ["net-1", "net-2"])
    assert said["volumes"][0]["target"] == "/run/cutover"
    assert "ulimits" not in said  # an Engine that may not raise its own limit would refuse to start it
    assert said["labels"] == {"io.cutover.project": "demo", "io.cutover.edge": "3"}


def test_odd_names_say_only_themselves() -> None:
    """Neither YAML nor Compose's interpolation finds anything in them."""
    said = read(replace(FILE, folder=Path(ODD), image=ODD, networks=(ODD, "x")))
    meant = ODD.replace("$", "$$")
    assert said["services"]["edge-http-3"]["volumes"][0]["source"] == meant
    assert said["services"]["edge-zmq-3"]["image"] == meant
    assert said["networks"]["net-1"] == {"name": meant, "external": True}
    assert render(replace(FILE, folder=Path(ODD))).isascii() is False


def test_the_same_facts_give_the_same_bytes_and_a_port_is_said_once() -> None:
    """Compose refuses a list with the same entry twice."""
    twice = replace(FILE, ports=(*FILE.ports, TCP), networks=(*FILE.networks, "other"))
    assert render(twice) == render(FILE)


@pytest.mark.parametrize(
    ("change", "reference"),
    [
        ({"project": "x\nname: y"}, "unsafe-name"),
        ({"folder": Path("here")}, "relative-folder"),
        ({"ports": ()}, "edge-empty"),
        ({"networks": ()}, "edge-empty"),
        ({"ports": (EdgePort(53, Mode.TCP, (PortBinding("", 53, 53, Protocol.UDP),)),)}, "edge-tcp-only"),
        ({"folder": Path("/a\udcff")}, "not-text"),
    ],
    ids=["project", "relative", "no ports", "no networks", "udp", "no text"],
)
def test_what_no_file_can_say_is_refused(change: dict[str, Any], reference: str) -> None:
    """Before anything is written."""
    with pytest.raises(UsageError) as caught:
        render(replace(FILE, **change))
    assert caught.value.reference == reference


@pytest.mark.parametrize(
    ("content", "generation"),
    [
        (render(FILE), 3),
        (render(replace(FILE, project="other")), None),
        (render(replace(FILE, generation=12)), 12),
        (b"services: {}\n", None),
        (b"\n" + render(FILE), None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
    ids=["ours", "of another project", "later", "no edge", "moved", "binary", "empty"],
)
def test_a_file_tells_its_generation(content: bytes, generation: int | None) -> None:
    """And a file of somebody else tells none, so that nobody writes over it."""
    assert generation_of(content, "demo") == generation


def test_the_broker_has_time_to_leave_and_a_start_that_is_cut_short_is_soon_gone() -> None:
    """A recovery takes 5 s at most, and each of two containers may be stopped before it hears SIGTERM."""
    assert LEAVE_S < GRACE_S <= 2
