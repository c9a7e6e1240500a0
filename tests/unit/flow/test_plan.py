"""A plan survives the journal with all that going back needs."""

from __future__ import annotations

import json
from dataclasses import replace

from cutover.flow.edits import Edited
from cutover.flow.plan import Move, Plan, StepKind, numbered
from cutover.flow.planner import moves_of, plan_swap
from cutover.flow.request import PortRequest
from cutover.model import PortBinding, Protocol
from tests.unit.flow.world import EDIT, asked, observed


def test_a_plan_comes_back_from_its_header() -> None:
    """All but what only going forth needs: file contents, diffs, the watch and the prediction."""
    request = asked(ports=(PortRequest(5570, 9901), PortRequest(6570)), commit=True)
    plan = plan_swap(observed(), request, moves_of(observed(), request), Edited((EDIT,)))
    back = Plan.from_header(json.loads(json.dumps(plan.header())))
    edits = tuple(replace(e, after=b"", diff="") for e in plan.edits)
    assert back == replace(plan, edits=edits, observe_s=0.0, stall_predicted_s=None, stall_cause="")


def test_the_header_holds_no_file_contents() -> None:
    """Compose files may hold secrets; the journal keeps their checksums."""
    plan = plan_swap(observed(), asked(), moves_of(observed(), asked()), Edited((EDIT,)))
    assert EDIT.after.decode() not in json.dumps(plan.header())
    assert "services: {}" not in repr(plan)


def test_a_move_comes_back_with_its_address_and_protocol() -> None:
    """IPv6 and UDP included."""
    move = Move(PortBinding("::1", 53, 5353, Protocol.UDP), 9953)
    assert Move.from_dict(json.loads(json.dumps(move.as_dict()))) == move
    assert str(move.to_blue) == "[::1]:53:9953/udp"


def test_steps_depend_on_the_one_before() -> None:
    """Numbers, so that a person can name them."""
    steps = numbered([(StepKind.BACKUP, "a", ""), (StepKind.WATCH, "b", ""), (StepKind.RELINK, "c", "")])
    assert [(s.id, s.depends_on) for s in steps] == [("s01", ()), ("s02", ("s01",)), ("s03", ("s02",))]


def test_the_park_network_sorts_before_every_other() -> None:
    """Docker publishes through the network whose name comes first (flow/steps/park)."""
    plan = plan_swap(observed(), asked(), moves_of(observed(), asked()), Edited((EDIT,)))
    assert min(["shop_default", "1net", "Anet", plan.park_network]) == "0-cutover-shop"
