"""What HAProxy is told, in which order, and what is kept on disk."""

from __future__ import annotations

import pytest

from cutover.config import Edge
from cutover.edge.haproxy.face import HaproxyFace
from cutover.edge.haproxy.state import load
from cutover.edge.shape import EdgePort, Hold, Mode, Slot, Target
from cutover.errors import EdgeError, UsageError
from tests.unit.edge.haproxy.talkers import Answering

GREEN, BLUE = {80: Target("green", "10.0.0.2", 8080)}, {80: Target("blue", "10.0.0.3", 8080)}
ROUTE, HOLD = "set map /run/cutover/haproxy/route.map route", "set map /run/cutover/haproxy/hold.map hold"
ALONE = "set map /run/cutover/haproxy/hold.map alone"


class Made:
    """A face, and the HAProxy that it talks to; `refuse` is what that says no to, by a part of the command."""

    def __init__(self, folder):
        self.folder = folder
        self.face = HaproxyFace(folder, (EdgePort(80, Mode.HTTP, (), "/health"),), Edge())
        self.face.write({Slot.A: GREEN}, Slot.A)
        self.refuse, self.stat = {}, "# pxname,svname,\np80,wait,\n"
        self.there = Answering(folder / "admin.sock", self._say)

    def _say(self, line):
        for part, said in list(self.refuse.items()):
            if part in line:
                del self.refuse[part]
                return f"{said}\n\n"
        return f"{self.stat}\n" if line.strip() == "show stat" else "\n"

    def told(self):
        """Return what HAProxy was told since the last look."""
        return [command for command in self.there.commands() if command != "show stat"]


@pytest.fixture
def made(tmp_path):
    """Give an edge whose slot a leads to green, and is active."""
    edge = Made(tmp_path / "haproxy")
    yield edge
    edge.there.close()


def test_a_new_edge_is_private(made):
    """Files for their owner only, in a folder of their own."""
    names = {p.name: p.stat().st_mode & 0o777 for p in made.folder.iterdir()}
    del names["admin.sock"]
    assert names == dict.fromkeys(["haproxy.cfg", "hold.lua", "route.map", "hold.map", "state.json"], 0o600)
    assert made.folder.stat().st_mode & 0o777 == 0o700


def test_a_new_target_proves_itself_before_it_counts(made):
    """Out, without weight, elsewhere, back, and down until a check says otherwise."""
    made.face.aim(Slot.B, BLUE)
    assert made.told() == [
        "set server p80/b state maint",
        "set server p80/b weight 0",
        "set server p80/b addr 10.0.0.3 port 8080",
        "set server p80/b fqdn blue",
        "set server p80/b state ready",
        "set server p80/b health down",
    ]
    assert "server b blue:8080 check weight 0 init-addr libc,10.0.0.3" in (made.folder / "haproxy.cfg").read_text()
    made.face.aim(Slot.B, BLUE)
    assert "set server p80/b state maint" not in made.told()


def test_who_serves_is_moved_without_a_pause(made):
    """The active slot's new address takes effect at once."""
    made.face.aim(Slot.A, {80: Target("green", "10.0.0.9", 8080)})
    told = made.told()
    assert "set server p80/a addr 10.0.0.9 port 8080" in told
    assert not [command for command in told if "maint" in command or "down" in command]


def test_a_flip_is_the_last_word(made):
    """First who may step in, then one word for all ports; it ends a canary in the same word."""
    made.face.aim(Slot.B, BLUE)
    made.face.share(Slot.B, 5)
    assert made.told()[-1] == f"{ROUTE} a/500"
    made.face.switch(Slot.B)
    assert made.told() == ["set server p80/a weight 1", "set server p80/b weight 1", f"{ROUTE} b"]
    assert (made.folder / "route.map").read_text() == "route b\n"


def test_a_canary_that_ends_is_no_way_back(made):
    """It was never active: when green dies it gets nothing."""
    made.face.aim(Slot.B, BLUE)
    made.face.share(Slot.B, 5)
    made.told()
    made.face.share(Slot.B, 0)
    assert made.told() == ["set server p80/a weight 1", "set server p80/b weight 0", f"{ROUTE} a"]


def test_what_was_refused_is_not_kept(made):
    """A restarted container must not come up with what HAProxy said no to."""
    made.face.aim(Slot.B, BLUE)
    made.refuse = {"set map": "entry not found."}
    with pytest.raises(EdgeError) as refused:
        made.face.switch(Slot.B)
    assert refused.value.reference == "edge-refused"
    assert load(made.folder).active is Slot.A
    assert (made.folder / "route.map").read_text() == "route a\n"


def test_a_slot_whose_address_was_forgotten_gets_its_name_first(made):
    """HAProxy gives no address to a server that lost its own: the name does, and then the port."""
    made.refuse = {"addr 10.0.0.3": "Update for the current server address family is only supported through file"}
    made.face.aim(Slot.B, BLUE)
    told = made.told()
    assert told.count("set server p80/b addr 10.0.0.3 port 8080") == 2
    assert told.index("set server p80/b fqdn blue") < told.index("set server p80/b state ready")


def test_a_cleared_slot_keeps_an_address(made):
    """That of who serves, whose name resolves: without one it could not be aimed again."""
    made.face.aim(Slot.B, BLUE)
    made.face.switch(Slot.B)
    made.told()
    made.face.clear(Slot.A)
    told = made.told()
    assert told.index("set server p80/a state maint") < told.index("set server p80/a fqdn blue")
    assert "server a 127.0.0.1:1 check weight 0 disabled" in (made.folder / "haproxy.cfg").read_text()


def test_hold_and_release(made):
    """Kept, as it was told last; nobody has a place to wait any more when it is over."""
    made.face.hold(Hold(10, 2.0, 50))
    assert made.told() == [f"{HOLD} 10:2000:50.000"]
    made.face.release()
    assert made.told() == [
        f"{HOLD} off",
        "set server p80/a weight 1",
        "set server p80/wait state maint",
        f"{ALONE} off",
    ]
    assert (made.folder / "hold.map").read_text() == "hold off\nalone off\npart off\n"


def test_who_is_alone_gets_a_waiting_room_first(made):
    """Before anybody is let go; no slot that was active before gets what fails, and a hold takes no place away."""
    made.face.aim(Slot.B, BLUE)
    made.face.switch(Slot.B)
    made.told()
    made.face.release(alone=Hold(10, 2.0, 50))
    assert made.told() == [
        f"{ALONE} 10:2000:50.000",
        "set server p80/a weight 0",
        "set server p80/b weight 1",
        "set server p80/wait state ready",
        f"{HOLD} off",
    ]
    made.face.hold(Hold(10, 2.0, 50))
    assert made.told() == [f"{HOLD} 10:2000:50.000"]
    assert load(made.folder).alone == load(made.folder).hold == Hold(10, 2.0, 50)
    assert "server wait abns@cutover-wait-80 weight 256\n" in (made.folder / "haproxy.cfg").read_text()


def test_an_edge_of_an_older_cutover_is_let_go_all_the_same(made):
    """It was started without waiting rooms: nothing is said of them, and nothing of them is kept."""
    made.stat = "# pxname,svname,\np80,a,\n"
    made.face.hold(Hold(10, 2.0, 50))
    made.told()
    made.face.release(alone=Hold(10, 2.0, 50))
    assert made.told() == [f"{HOLD} off"]
    assert (load(made.folder).hold, load(made.folder).alone) == (None, None)


def test_what_makes_no_sense_is_refused(made):
    """Nothing is told then."""
    made.face.aim(Slot.B, BLUE)
    made.told()
    wrong = [
        (lambda: made.face.clear(Slot.A), EdgeError, "edge-slot-active"),
        (lambda: made.face.share(Slot.A, 5), EdgeError, "edge-slot-active"),
        (lambda: made.face.share(Slot.B, 101), UsageError, "bad-share"),
    ]
    for act, kind, reference in wrong:
        with pytest.raises(kind) as refused:
            act()
        assert refused.value.reference == reference
    made.face.share(Slot.B, 5)
    made.told()
    with pytest.raises(EdgeError) as refused:
        made.face.aim(Slot.B, GREEN)
    assert refused.value.reference == "edge-slot-shared"
    assert made.told() == []


def test_another_haproxy_is_told_as_such(made):
    """It runs, and knows none of these ports."""
    made.refuse = {"show stat": "# pxname,svname,status,"}
    with pytest.raises(EdgeError) as refused:
        made.face.down(Slot.A)
    assert refused.value.reference == "edge-other"
