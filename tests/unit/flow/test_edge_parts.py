"""Plans by the edge as text, and the ports that an edge has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutover.config import Strategy
from cutover.edge.shape import EdgePort, Mode, Slot
from cutover.flow.edge_parts import edge_ports, health_path, targets
from cutover.flow.edge_plan import EdgePlan
from cutover.flow.edits import Edited
from cutover.flow.plan import Move, Plan
from cutover.flow.planner import moves_of, plan_swap
from cutover.model import PortBinding
from cutover.probes import parse
from tests.unit.flow.test_strategy import RECORD
from tests.unit.flow.world import BLUE, EDIT, asked, observed

EDGE = EdgePlan(adopt=True, redirect=True, generation=1, image="edge:1", networks=("n",), ports=(), green_slot=Slot.A)
ASKED = asked(strategy=Strategy.EDGE)


def planned(edge: EdgePlan, **request: object) -> Plan:
    """Return the plan of a swap by this edge."""
    wanted = replace(ASKED, **request)
    state = observed() if edge.adopt else observed(edge=RECORD, edge_active=Slot.A)
    edited = Edited((EDIT,)) if edge.adopt else Edited()
    return plan_swap(state, wanted, moves_of(state, wanted), edited, edge=edge, why="the project can take one")


def test_the_first_swap_adopts() -> None:
    """Blue is proven before the ports leave green; the flip comes after the edge serves green."""
    assert (
        planned(EDGE).text()
        == """\
swap old -> new in project shop by edge: ports 5570:5570, 127.0.0.1:6570:6570
  s01 backup compose.yaml                                  nothing is changed before it is saved
  s02 create-blue new                                      from the edited file
  s03 start-blue new                                       old serves meanwhile
  s04 prove-inside new                                     nothing changes for clients before it answers
  s05 park-network for old                                 a container on it runs without its host ports
  s06 make-edge 5570, 6570                                 there is none yet; it forwards to old at first
  s07 edit-files compose.yaml                              the edge publishes the ports
  s08 adopt 5570, 6570                                     from old to the edge; the redirect catches whoever connects \
meanwhile
  s09 aim-edge new                                         the edge sees it alive before 5570, 6570 go there
  s10 switch-edge 5570, 6570                               every new request; those in flight end where they are
  s11 prove-outside new                                    through the legacy ports; the edge says who answers
  s12 watch new                                            for 10 s; the edge itself goes back if it dies
by edge: the project can take one
predicted silence of the legacy ports: 0.00 s (the first swap moves the ports to the edge under a redirect; open \
connections are cut at rest)"""
    )


def steps(plan: Plan) -> list[str]:
    """Return the kinds of the steps."""
    return [str(s.kind) for s in plan.steps]


def test_a_standing_edge_only_flips() -> None:
    """No file is edited, nothing is parked, no port moves."""
    plan = planned(replace(EDGE, adopt=False), ports=())
    assert steps(plan) == [
        *("backup", "create-blue", "start-blue", "prove-inside"),
        *("aim-edge", "switch-edge", "prove-outside", "watch"),
    ]
    assert [str(m.binding) for m in plan.moves] == ["5570:5570"]
    assert plan.stall_text() == "0.00 s (the edge flips; open connections stay)"


def test_exclusive_holds_while_green_stops_and_blue_loads() -> None:
    """Green is stopped only once requests wait, and they are let go once blue is proven."""
    plan = planned(replace(EDGE, adopt=False, exclusive=True), ports=(), suites=("works",))
    assert steps(plan) == [
        *("backup", "create-blue", "hold", "stop-green", "start-blue", "prove-inside", "smoke-inside"),
        *("aim-edge", "switch-edge", "release", "prove-outside", "smoke-outside", "watch", "trust-blue"),
    ]
    assert "requests are held while" in plan.stall_text()


def test_a_canary_shares_and_does_not_switch() -> None:
    """What proves blue through the legacy ports comes with the promotion."""
    plan = planned(replace(EDGE, adopt=False, share_percent=5.0), ports=())
    assert [s.title for s in plan.steps][-2:] == ["aim-edge new", "share-edge 5 %"]


def test_a_gap_is_predicted_where_nothing_can_be_redirected() -> None:
    """As long as relink's."""
    plan = planned(replace(EDGE, redirect=False))
    assert (plan.stall_predicted_s or 0) > 0.1
    assert "a redirect cannot be had here" in plan.stall_text()


def test_the_journal_knows_the_edge_again() -> None:
    """What going back needs."""
    port = EdgePort(6570, Mode.HTTP, (PortBinding("127.0.0.1", 6570, 6570),), "/health")
    plan = planned(replace(EDGE, ports=(port,)))
    assert Plan.from_header(plan.header()).edge == plan.edge


def test_one_port_for_each_that_is_meant_inside() -> None:
    """Two addresses of one port are one; one host port on two addresses that means two has two numbers."""
    moves = (
        Move(PortBinding("127.0.0.1", 6570, 6570), 1),
        Move(PortBinding("::1", 6570, 6570), 1),
        Move(PortBinding("192.0.2.1", 6570, 7000), 2),
        Move(PortBinding("", 5570, 5570), 3),
    )
    ports = edge_ports(moves, {6570: Mode.HTTP, 5570: Mode.REP}, (parse("http://:6570/health"),), None)
    assert [(p.port, p.mode, len(p.bindings), p.check_path) for p in ports] == [
        (6570, Mode.HTTP, 2, "/health"),
        (20001, Mode.HTTP, 1, "/health"),
        (5570, Mode.REP, 1, None),
    ]
    assert targets(ports, moves, blue=False) == {6570: 6570, 20001: 7000, 5570: 5570}
    assert targets(ports, moves, blue=True) == {6570: 1, 20001: 2, 5570: 3}


@pytest.mark.parametrize(
    ("probe", "path"),
    [
        ("http://:6570/health", "/health"),
        ("http://:6570", "/"),
        ("http://:6571/health", None),
        ("http://:6570/health?header=A:1", None),
        ("tcp://:6570", None),
    ],
)
def test_haproxy_asks_what_a_plain_probe_asks(probe: str, path: str | None) -> None:
    """What it cannot ask it leaves, and only connects."""
    assert health_path((parse(probe),), 6570) == path


def test_blue_that_runs_is_taken_as_it_is() -> None:
    """No word of replacing it."""
    state = observed(edge=RECORD, edge_active=Slot.A, containers=(*observed().containers, BLUE))
    wanted = replace(ASKED, ports=())
    plan = plan_swap(state, wanted, moves_of(state, wanted), Edited(), edge=replace(EDGE, adopt=False))
    assert not any("replaced" in w for w in plan.warnings)
