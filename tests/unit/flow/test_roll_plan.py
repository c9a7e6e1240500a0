"""Plans of a service that is replaced by a new container of itself, as text; and which ports it keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cutover.config import Settings, Strategy
from cutover.errors import RefusedError, UsageError
from cutover.flow import planner
from cutover.flow.edits import Edited
from cutover.flow.observed import ObservedState
from cutover.flow.plan import Plan
from cutover.flow.planner import moves_of, plan_swap
from cutover.flow.request import Options, PortRequest, SwapRequest, swap_request
from cutover.model import Colour, PortBinding
from tests.unit.flow.world import EDIT, GREEN, asked, model, observed

OLD = replace(GREEN, name="shop-web-1", service="web", image="shop:1")
WEB: dict[str, Any] = {"image": "shop:1", "networks": {"default": None}}
DECLARED = [
    {"published": "5570", "target": 5570, "protocol": "tcp", "mode": "ingress"},
    {"published": "6570", "target": 6570, "protocol": "tcp", "host_ip": "127.0.0.1"},
]


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold what the bench measures still: the rule is tested here, not the machine."""
    monkeypatch.setattr(planner, "RELINK_BASE_S", 0.12)
    monkeypatch.setattr(planner, "RELINK_PER_BINDING_S", 0.03)
    monkeypatch.setattr(planner, "RECREATE_BASE_S", 0.9)


def world(*ports: dict[str, Any], **entries: Any) -> ObservedState:
    """Return a state in which the service may roll; what is given is added to its entries."""
    return observed(containers=(OLD,), model=model(web=WEB | {"ports": list(ports) or DECLARED, **entries}))


def rolling(**changes: Any) -> SwapRequest:
    """Return a request to roll the service."""
    return replace(asked(green="web", blue="web", rolls=True, commit=True), **changes)


def planned(state: ObservedState, request: SwapRequest, edited: Edited | None = None) -> Plan:
    """Return the plan."""
    return plan_swap(state, request, moves_of(state, request), edited or Edited())


def notes(plan: Plan) -> list[str]:
    """Return the notes under the plan."""
    return [line.removeprefix("note: ") for line in plan.text().splitlines() if line.startswith("note: ")]


def test_a_new_image() -> None:
    """The file changes late, both containers are told apart, and the old one goes at the end."""
    request = rolling(image="shop:2")
    assert (
        planned(world(), request, Edited((EDIT,))).text()
        == """\
roll web (shop:1 -> shop:2) in project shop by relink: ports 5570:5570, 127.0.0.1:6570:6570
  s01 backup compose.yaml                                  nothing is changed before it is saved
  s02 park-network for new web                             a container on it runs without its host ports
  s03 create-blue new web                                  with its final ports 5570, 6570, from the edited file
  s04 start-parked new web                                 old web still holds 5570, 6570; inside its networks web \
leads to both from now on
  s05 prove-inside new web                                 old web is not touched before new web answers
  s06 edit-files compose.yaml                              web has the image shop:2 from now on
  s07 relink 5570, 6570                                    park old web, unpark new web
  s08 prove-outside new web                                through the legacy ports, with proof of who answers
  s09 watch new web                                        for 10 s; two failures in a row turn it back
  s10 retire-green old web                                 its container is removed and can be made again; the new \
one gets its name
  s11 remove-park-network of new web                       nobody is parked any more
predicted silence of the legacy ports: 0.18 s (Docker moves the ports between running containers)"""
    )


def test_what_the_user_edited_already() -> None:
    """No file changes; with `recreate` nothing is parked, and the silence rests on what the service took to load."""
    state = replace(world(), load_seconds={"web": 7.25})
    assert (
        planned(state, rolling(strategy=Strategy.RECREATE, observe_s=0.0)).text()
        == """\
roll web (shop:1, made anew) in project shop by recreate: ports 5570:5570, 127.0.0.1:6570:6570
  s01 backup compose files                                 nothing is changed before it is saved
  s02 create-blue new web                                  with its final ports 5570, 6570, as the files say now, \
while old web serves
  s03 recreate 5570, 6570                                  stop old web, start new web
  s04 prove-inside new web                                 it loads now, and nobody is served meanwhile
  s05 prove-outside new web                                through the legacy ports, with proof of who answers
  s06 retire-green old web                                 its container is removed and can be made again; the new \
one gets its name
predicted silence of the legacy ports: 8.15 s (web took 7.2 s to load in an earlier run)"""
    )


def test_what_the_journal_keeps() -> None:
    """Who the old container is and what both are made from: a crash must not lose it."""
    plan = planned(world(), rolling(image="shop:2"))
    again = Plan.from_header(plan.header())
    assert (again.rolls, again.images) == (OLD.id, ("shop:1", "shop:2"))
    assert again.what == "web (shop:1 -> shop:2)"
    assert (again.called(Colour.GREEN), again.called(Colour.BLUE)) == ("old web", "new web")
    assert plan.as_dict()["images"] == ["shop:1", "shop:2"]


def test_both_write_to_what_both_mount() -> None:
    """Named volumes and folders of the host are told while both run; what is read only, nameless or a socket is not."""
    volumes = [
        {"type": "volume", "source": "data", "target": "/data"},
        {"type": "bind", "source": "/srv/conf", "target": "/conf", "read_only": True},
        {"type": "bind", "source": "/run/docker.sock", "target": "/run/docker.sock"},
        {"type": "volume", "target": "/nameless"},
        {"type": "tmpfs", "target": "/tmp/x"},
    ]
    assert notes(planned(world(volumes=volumes), rolling())) == [
        (
            "both containers write to /data while both run; if only one may have its files (a database), "
            "use --strategy recreate"
        )
    ]
    assert notes(planned(world(volumes=volumes), rolling(strategy=Strategy.RECREATE))) == []


def test_a_port_that_leads_elsewhere_inside() -> None:
    """The new container is asked where the files now say that it listens."""
    moves = moves_of(world(DECLARED[0] | {"target": 9901}, DECLARED[1]), rolling())
    assert [(m.binding.host_port, m.binding.target, m.blue_target) for m in moves] == [
        (5570, 5570, 9901),
        (6570, 6570, 6570),
    ]


def test_a_port_that_went() -> None:
    """It is told, not handed over."""
    plan = planned(world(DECLARED[1]), rolling())
    assert [m.binding.host_port for m in plan.moves] == [6570]
    assert notes(plan) == ["5570:5570 of old web is not handed over: the files give it no such fixed port"]


@pytest.mark.parametrize(
    "ports", [[{"published": "7000", "target": 5570}], [{"target": 5570}], [{"published": "5570-5580", "target": 5570}]]
)
def test_no_port_that_stays(ports: list[dict[str, Any]]) -> None:
    """There is nothing that a swap could keep answering: Compose does it."""
    with pytest.raises(RefusedError, match="no fixed port that stays") as caught:
        moves_of(world(*ports), rolling())
    assert caught.value.reference == "port-not-published"
    assert caught.value.hint == "docker compose up -d web"


def test_a_port_bound_to_another_address() -> None:
    """Both cannot be bound at once."""
    with pytest.raises(RefusedError, match=r"127\.0\.0\.1:5570:5570") as caught:
        moves_of(world(DECLARED[0] | {"host_ip": "127.0.0.1"}, DECLARED[1]), rolling())
    assert caught.value.reference == "port-rebound"


def test_every_address_is_none() -> None:
    """Docker says 0.0.0.0 where the file says nothing, or the other way round."""
    moves = moves_of(world(DECLARED[0] | {"host_ip": "0.0.0.0"}, DECLARED[1]), rolling())
    assert moves[0].binding == PortBinding("", 5570, 5570)


def test_a_new_port_that_somebody_else_holds() -> None:
    """It is refused before anything is touched."""
    other = replace(GREEN, id="x" * 64, name="other", service="other", published=(PortBinding("", 7000, 7000),))
    state = replace(world(*DECLARED, {"published": "7000", "target": 7000}), containers=(OLD, other))
    with pytest.raises(RefusedError) as caught:
        moves_of(state, rolling())
    assert caught.value.reference == "port-held"
    assert moves_of(replace(state, containers=(OLD,)), rolling())


def test_ports_of_cutover_yaml_are_for_two_services() -> None:
    """Where blue listens says nothing of a service that replaces itself; and --port has no place."""
    settings = Settings(green="old", blue="new", ports=("5570:9901",))
    assert swap_request(Options(), settings).ports == (PortRequest(5570, 9901),)
    assert swap_request(Options(service="web"), settings).ports == ()
    with pytest.raises(UsageError) as caught:
        swap_request(Options(service="web", ports=("5570",)), settings)
    assert caught.value.reference == "service-and-ports"


def test_an_unknown_service_has_no_colour() -> None:
    """Nobody named green or blue."""
    with pytest.raises(UsageError, match="There is no service 'wbe' in project shop; did you mean 'web'") as caught:
        moves_of(world(), rolling(green="wbe"))
    assert caught.value.reference == "unknown-service"
