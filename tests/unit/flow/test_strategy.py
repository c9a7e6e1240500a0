"""Which way of handing over is taken, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cutover.config import Strategy
from cutover.edge.shape import EdgePort, Mode, Slot
from cutover.errors import RefusedError
from cutover.flow.edge_record import EdgeRecord, Place
from cutover.flow.strategy import chosen
from cutover.model import PortBinding, Protocol
from tests.unit.flow.world import GREEN, asked, model, observed

UDP = PortBinding("", 5571, 5571, Protocol.UDP)
PORT = EdgePort(5570, Mode.REP, (PortBinding("", 5570, 5570),))
RECORD = EdgeRecord(
    "shop",
    1,
    "edge:1",
    Path("/srv/shop/overrides/shop-edge.yml"),
    ("shop_default",),
    (PORT,),
    {
        Slot.A: Place("old", "shop-old-1", "g" * 64, {5570: 5570}),
        Slot.B: Place("new", "shop-new-1", "b" * 64, {5570: 1}),
    },
)
ABLE = {"edge_image": "edge:1"}


def auto(**changes: Any) -> Any:
    """Return a request that leaves the choice to cutover."""
    return asked(strategy=Strategy.AUTO, **changes)


@pytest.mark.parametrize(
    ("state", "strategy", "why"),
    [
        ({**ABLE}, Strategy.EDGE, "the project can take one, and no request fails then"),
        ({"edge": RECORD, "edge_active": Slot.A}, Strategy.EDGE, "the project has one"),
        ({}, Strategy.RELINK, "the edge cannot be had: the edge's image is not on this Engine. (cutover edge build)"),
        ({**ABLE, "engine_local": False}, Strategy.RELINK, "the Engine is on another."),
        (
            {**ABLE, "containers": (replace(GREEN, published=(*GREEN.published, UDP)),)},
            Strategy.RELINK,
            "the edge forwards TCP, and old publishes 5571:5571/udp.",
        ),
        ({**ABLE, "park_parent": None}, Strategy.RECREATE, "old is on no bridge network, so it cannot be parked."),
        (
            {"model": model(old={"network_mode": "host"})},
            Strategy.RECREATE,
            "only a container on bridge networks can be parked.",
        ),
    ],
    ids=["can", "has", "no-image", "remote", "udp", "no-bridge", "network-mode"],
)
def test_auto_takes_the_first_that_can_be_had(state: dict[str, Any], strategy: Strategy, why: str) -> None:
    """And says why it is that one."""
    request, told = chosen(observed(**state), auto())
    assert request.strategy is strategy
    assert why in told


@pytest.mark.parametrize(
    ("state", "reference"),
    [
        ({}, "edge-image-missing"),
        ({"edge": RECORD, "edge_active": Slot.B}, "green-not-serving"),
        ({"edge": replace(RECORD, slots={}), "edge_active": None}, "edge-of-another"),
        ({"edge_trouble": RefusedError("edge-silent", "It does not answer.")}, "edge-silent"),
    ],
)
def test_what_was_asked_for_by_name_is_refused_where_it_cannot_be_had(state: dict[str, Any], reference: str) -> None:
    """With the reason and the next command."""
    with pytest.raises(RefusedError) as caught:
        chosen(observed(**state), asked(strategy=Strategy.EDGE))
    assert caught.value.reference == reference


@pytest.mark.parametrize("ask", [{"exclusive": True}, {"share_percent": 5.0}], ids=["exclusive", "canary"])
def test_only_the_edge_holds_and_shares(ask: dict[str, Any]) -> None:
    """Nothing else is taken instead in silence."""
    with pytest.raises(RefusedError) as caught:
        chosen(observed(**ABLE), asked(strategy=Strategy.RELINK, **ask))
    assert caught.value.reference == "needs-edge"
    with pytest.raises(RefusedError) as caught:
        chosen(observed(), auto(**ask))
    assert caught.value.reference == "edge-image-missing"


def test_what_the_user_named_is_taken_without_a_word() -> None:
    """Nobody need be told why."""
    assert chosen(observed(), asked()) == (asked(), "")
