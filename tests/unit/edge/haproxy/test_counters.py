"""HAProxy's own words read as counters and samples."""

from __future__ import annotations

from cutover.edge.haproxy.counters import Held, held_by_port, port_stats, samples, servers
from cutover.edge.haproxy.state import State
from cutover.edge.shape import EdgePort, Mode, Sample, Slot, Target

HEAD = "# pxname,svname,scur,stot,econ,eresp,wredis,status,weight,check_status,hrsp_5xx,last_chk,req_tot,\n"
TARGET = {80: Target("green", "10.0.0.2", 80)}


def stats(a, b, *, mode=Mode.HTTP, state=None):
    """Return the counters of port 80 from two lines of `show stat`."""
    answer = f"{HEAD}f80,FRONTEND,,,,,,OPEN,,,,,\np80,a,{a}\np80,b,{b}\np80,BACKEND,0,,,,,UP,,,,,\n\n"
    state = state or State(slots={Slot.A: TARGET, Slot.B: TARGET}).switched(Slot.B)
    return port_stats(EdgePort(80, mode, ()), state, servers(answer), Held(1, 2, 3))


def test_a_port():
    """Counters by slot; errors are replies of 5xx, connections that failed and replies that never came."""
    found = stats("2,9,1,2,3,UP,1,L7OK,4,Layer7 check passed,8,", "0,0,0,0,0,DOWN,0,L4CON,0,refused,,")
    assert (found.active, found.serving) == (Slot.B, Slot.A)
    assert (found.held, found.overflowed, found.rejected) == (1, 2, 3)
    a = found.slots[Slot.A]
    assert (a.requests, a.errors, a.lost, a.replayed, a.in_flight, a.up) == (8, 7, 2, 3, 2, True)
    assert not found.slots[Slot.B].up


def test_a_tcp_port_counts_connections():
    """It has no requests."""
    found = stats("2,9,0,0,0,UP,1,L4OK,,,,", "0,0,0,0,0,DRAIN,0,L4OK,,,,", mode=Mode.TCP)
    assert found.slots[Slot.A].requests == 9
    assert found.serving is Slot.B


def test_nobody_serves_where_only_the_unproven_lives():
    """A slot that is aimed at and was never active is not who is next."""
    state = State(slots={Slot.A: TARGET, Slot.B: TARGET})
    found = stats("0,0,0,0,0,DOWN 1/2,1,L4CON,,,,", "0,0,0,0,0,DRAIN,0,L4OK,,,,", state=state)
    assert found.serving is None


def test_why_a_server_is_down():
    """In HAProxy's words, a check that said something included."""
    found = servers(HEAD + "p80,a,0,0,0,0,0,DOWN,1,L7STS,0,HTTP status 503,0,\n")["p80", "a"]
    assert not found.up
    assert found.why_down == "DOWN: L7STS: HTTP status 503"


def test_who_waits():
    """A port a line."""
    assert held_by_port("80 1 2 3\n81 0 0 0\n80 0 0 0\n\n") == {80: Held(1, 2, 3), 81: Held()}


def test_samples_are_answers_of_a_slot():
    """Not those of the edge itself, not what HAProxy says of its servers, not half a line."""
    lines = [
        "samples 80 a 1 20 3 200 -- 1795369345 1",
        "samples 80 b 0 -1 -1 502 SH 1795369345 2",
        "samples 80 a 2 5 60000 101 -- 1795369345 3",
        "samples 81 a 4 0 0 0 -- 1795369345 4",
        "samples 81 a -1 0 0 0 SC 1795369345 5",
        "samples 80 <NOSRV> -1 -1 -1 503 PR 1795369384 6",
        "Server p80/a is UP.",
        "samples 80 a 1",
    ]
    assert list(samples(lines)) == [
        Sample(80, Slot.A, 0.024, error=False),
        Sample(80, Slot.B, 0.0, error=True),
        Sample(80, Slot.A, 0.007, error=False),
        Sample(81, Slot.A, 0.004, error=False),
        Sample(81, Slot.A, 0.0, error=True),
    ]
