"""What a person reads of a standing edge."""

from __future__ import annotations

from dataclasses import replace

from cutover.edge.shape import PortStats, Slot, SlotStats
from cutover.errors import EdgeError
from cutover.flow.edge_status import EdgeStatus, mended_by
from cutover.model import Container, ContainerState
from tests.unit.flow.test_strategy import RECORD

RUNS = Container("e" * 64, "shop-edge-edge-zmq-1-1", "shop-edge", "edge-zmq-1", ContainerState.RUNNING, image="edge:1")
GREEN = SlotStats("shop-old-1", up=True, requests=95, errors=1, in_flight=2)
BLUE = SlotStats("shop-new-1", up=False, requests=5, lost=3, replayed=1)
STATS = PortStats(5570, Slot.B, Slot.A, {Slot.A: GREEN, Slot.B: BLUE})


def status(stats: PortStats = STATS) -> EdgeStatus:
    """Return an edge whose blue has died."""
    return EdgeStatus(RECORD, (RUNS,), {5570: stats})


def test_an_edge_that_went_back_by_itself_says_so() -> None:
    """With what each colour was given, and what was lost."""
    assert status().fell_back
    assert status().text() == (
        "edge of shop, generation 1, from edge:1\n"
        "  shop-edge-edge-zmq-1-1: running\n"
        "  5570  zmq-rep  -> old\n"
        "    old (shop-old-1): up, 95 requests, 1 errors, 2 in flight\n"
        "    new (shop-new-1): down, 5 requests, 0 errors, 0 in flight, 3 lost, 1 asked again\n"
        "it went back by itself: the colour that was switched to died (cutover status)"
    )
    assert [service for _, service in status().serving()] == ["old"]


def test_what_waits_and_what_is_shared() -> None:
    """In the line of the port."""
    held = replace(STATS, serving=None, holding=True, held=12, share_percent=5.0)
    assert "  5570  zmq-rep  -> nobody, 5 % to the other, 12 requests wait" in status(held).text()
    assert not status(held).fell_back


def test_an_edge_that_does_not_answer() -> None:
    """Its ports are told all the same, and why nothing more is known of them; so in JSON."""
    silent = EdgeStatus(RECORD, (), {}, EdgeError("edge-silent", "The edge does not answer."))
    assert silent.text().splitlines()[1:] == [
        "  no container of it is left",
        "  5570  zmq-rep",
        "it does not answer: The edge does not answer.",
        "next: cutover recover (makes its containers again from shop-edge.yml)",
    ]
    told = silent.as_dict()
    assert told["ports"] == [{"published": ["5570:5570"], "mode": "zmq-rep"}]
    assert told["error"]["reference"] == "edge-silent"


def test_what_has_a_silent_edge_answer_again() -> None:
    """A container that stopped is started, one that runs is restarted, and one that is gone is made again."""
    stopped = replace(RUNS, name="shop-edge-edge-http-1-1", state=ContainerState.EXITED)
    assert mended_by(RECORD, (RUNS, stopped)) == "docker start shop-edge-edge-http-1-1"
    assert mended_by(RECORD, (RUNS,)).startswith("docker restart shop-edge-edge-zmq-1-1 ")
    assert mended_by(RECORD, ()).startswith("cutover recover ")


def test_the_json_names_services_not_slots() -> None:
    """Slots are ours; nobody else knows them."""
    (port,) = status().as_dict()["ports"]
    assert (port["active"], port["serving"], set(port["services"])) == ("new", "old", {"old", "new"})
    assert port["services"]["new"]["lost"] == 3
