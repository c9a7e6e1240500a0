"""What a standing edge is told, word for word, by a stand-in for its two control sockets."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from cutover.config import Edge
from cutover.edge.haproxy.state import State
from cutover.edge.shape import EdgePort, Hold, Mode, Slot, Target
from cutover.flow.rollback_script import tell
from cutover.flow.rollback_script.edge import broker_state, layout_of, settled, told

PORTS = (EdgePort(5570, Mode.REP, ()), EdgePort(6570, Mode.HTTP, ()))
OLD, NEW = Target("shop-old-1.shop_default", "172.20.0.2", 6570), Target("shop-new-1.shop_default", "172.20.0.3", 6570)
BEFORE = State(active=Slot.A, slots={Slot.A: {6570: OLD}}, ways=frozenset({Slot.A}))
BROKER = {"slots": {"a": {"5570": {"name": OLD.name, "address": OLD.address, "port": 5570}}}, "active": "a"}


AIMED = {"slot": "a", "targets": {"5570": {"address": "172.20.0.9", "name": OLD.name, "port": 5570}}}


class Living:
    """Stands where HAProxy and the broker would: remembers what it was told, and says what a living edge says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.http: list[str] = []
        self.zmq: list[str] = []
        self.status = {"a": "DRAIN", "b": "UP"}
        self.route, self.active, self.address = "b", "b", "172.20.0.9"
        monkeypatch.setattr(tell, "_http", self._http)
        monkeypatch.setattr(tell, "_zmq", self._zmq)
        monkeypatch.setattr(tell, "_address", lambda name: {OLD.name: self.address}[name])
        monkeypatch.setattr(tell, "ALIVE_S", 0.0)

    def _http(self, command: str) -> list[str]:
        if command == "show stat":
            rows = [f"p6570,{slot},{status},172.20.0.2:6570" for slot, status in self.status.items()]
            return ["# pxname,svname,status,addr", "ring,r,UP,", *rows, "p6570,wait,UP,"]
        if command.startswith("show map"):
            return [f"0x1 route {self.route}"] if "route" in command else ["0x1 hold off", "0x2 alone off"]
        self.http.append(command)
        if "route a" in command:
            self.route = "a"
        return []

    def _zmq(self, verb: str, **words: object) -> Any:
        if verb == "stats":
            return {"5570": {"active": self.active, "holding": False}}
        if verb == "down":
            return {}
        self.zmq.append(f"{verb} {json.dumps(words, sort_keys=True)}")
        self.active = "a" if verb == "switch" else self.active
        return None


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Living:
    """Give an edge that serves blue, from slot b."""
    return Living(monkeypatch)


def words() -> dict[str, Any]:
    """Return what the script keeps of the edge as it was before the swap."""
    made = told(Slot.A, Hold(7, 8.0, 9.0), layout_of(PORTS, Edge(), ipv6=False), BEFORE, BROKER)
    read: dict[str, Any] = json.loads(json.dumps(made))
    return read


def test_back(edge: Living) -> None:
    """Green is aimed at by the address that it has now, everything goes there at once, and nothing leads to blue."""
    tell.back(words())
    assert edge.http == [
        "set server p6570/a state maint; set server p6570/a weight 0",
        "set server p6570/a addr 172.20.0.9 port 6570; set server p6570/a fqdn shop-old-1.shop_default",
        "set server p6570/a state ready; set server p6570/a health down",
        (
            "set server p6570/a weight 1; set server p6570/b weight 0; set map /run/cutover/haproxy/route.map route a; "
            "set server p6570/wait state maint; set map /run/cutover/haproxy/hold.map hold off; "
            "set map /run/cutover/haproxy/hold.map alone off"
        ),
        "set server p6570/b state maint",
    ]
    assert edge.zmq == [
        f"aim {json.dumps(AIMED, sort_keys=True)}",
        'share {"percent": 0, "slot": "b"}',
        'switch {"slot": "a"}',
        "release {}",
        'clear {"slot": "b"}',
    ]
    tell.serves(words())


def test_one_that_is_aimed_at_already_is_left_alone(edge: Living) -> None:
    """A green that never went away is not taken out for a moment."""
    edge.address = "172.20.0.2"
    tell.back(words())
    assert len(edge.http) == 2


def test_hold(edge: Living) -> None:
    """As `cutover.yaml` bounds it."""
    tell.hold(words())
    assert edge.http == ["set map /run/cutover/haproxy/hold.map hold 7:8000:9.000"]
    assert edge.zmq == ['hold {"limit": 7, "release_per_s": 9.0, "timeout_s": 8.0}']


@pytest.mark.parametrize(("verb", "why"), [("serves", "do not go to green"), ("back", "green is DOWN")])
def test_what_it_does_not_do_is_told(
    edge: Living, verb: str, why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, with the reason: the script restarts the edge then."""
    edge.status["a"] = "DOWN"
    monkeypatch.setattr(sys, "argv", ["tell.py", verb, json.dumps(words())])
    assert tell.main() == 1
    assert why in capsys.readouterr().err
    assert edge.route == "b"


def test_no_socket(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An edge that is not there is told, too."""
    monkeypatch.setattr(sys, "argv", ["tell.py", "serves", json.dumps(words())])
    assert tell.main() == 1
    assert "edge: " in capsys.readouterr().err


def test_settled() -> None:
    """What the edge starts with: green alone, no share, no hold, and blue a way back only if it was one before."""
    both = State(active=Slot.B, slots={Slot.A: {6570: OLD}, Slot.B: {6570: NEW}}, share_percent=5.0, hold=Hold())
    found = settled(both, Slot.A)
    assert (found.active, found.share_percent, found.hold, found.alone) == (Slot.A, 0.0, None, None)
    assert found.takes(Slot.A)


def test_broker_state(tmp_path: Any) -> None:
    """The broker's own file, with green active, and what else it was told left out."""
    (tmp_path / "state.json").write_text(json.dumps({**BROKER, "active": "b", "share": 5.0, "hold": {"limit": 1}}))
    assert broker_state(tmp_path, Slot.A) == BROKER
