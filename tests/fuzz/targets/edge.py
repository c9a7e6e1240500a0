"""What the edge answers and keeps: HAProxy's counters and samples, the state beside it, the broker's replies."""

from __future__ import annotations

import json
from contextlib import suppress

from cutover.edge import brokerface
from cutover.edge.haproxy import counters, state
from cutover.edge.shape import EdgePort, Hold, Mode, Slot
from cutover.edge.shape import Target as Place
from tests.fuzz.target import Target, file_with, see, text_of, told

HEAD = b"# pxname,svname,scur,stot,econ,eresp,wredis,status,weight,check_status,hrsp_5xx,last_chk,req_tot,\n"
STAT = (
    HEAD
    + b"f80,FRONTEND,,,,,,OPEN,,,,,\np80,a,2,9,1,2,3,UP,1,L7OK,4,passed,8,\np80,b,0,0,0,0,0,DOWN,0,L4CON,0,refused,,\n\n"
)
SAMPLES = b"samples 80 a 1 20 3 200 -- 1795369345 1\nsamples 80 b 0 -1 -1 502 SH 1795369345 2\n"
PORT = EdgePort(80, Mode.HTTP, ())
TOLD = state.State(slots={Slot.A: {80: Place("green", "10.0.0.2", 80)}}, hold=Hold(), alone=Hold())
STATE = json.dumps(
    {
        "active": "a",
        "slots": {"a": {"80": {"name": "green", "address": "10.0.0.2", "port": 80}}},
        "ways": ["a"],
        "share_percent": 0.5,
        "hold": {"limit": 1, "timeout_s": 1.0, "release_per_s": 2.0},
        "alone": None,
    }
).encode()
SLOT = {"aimed_at": "green", "up": True, "requests": 1, "clients": {"x": 1}, "why": ""}
STATS = {
    "80": {
        "active": "a", "serving": "b", "slots": {"a": SLOT, "b": SLOT}, "share_percent": 1, "holding": False, "held": 1,
        "overflowed": 0, "rejected": 0,
    }
}  # fmt: skip
REPLY = json.dumps({"ok": True, "result": STATS}).encode()


def haproxy(data: bytes) -> None:
    """Read what HAProxy answers to `show stat`, `cutover held` and `show events`."""
    text = data.decode("utf-8", "replace")
    found = told(lambda: counters.servers(text))
    if found is not None:
        for server in found.values():
            see(isinstance(server.why_down, str), "no words")
            server.up  # noqa: B018
        told(lambda: counters.port_stats(PORT, TOLD, found, counters.Held()))
    told(lambda: counters.held_by_port(text))
    told(lambda: list(counters.samples(text.splitlines())))


def kept(data: bytes) -> None:
    """Read the state that a HAProxy edge has beside its files; what is read is what is written."""
    path = file_with(data, "haproxy/state.json")
    found = told(lambda: state.load(path.parent))
    if found is not None:
        state.save(path.parent, found)
        see(state.load(path.parent) == found, "the state is read as something else")


def broker(data: bytes) -> None:
    """Read a reply of the broker, whichever verb it was for."""
    with suppress(ValueError, RecursionError):
        text_of(data)
        result = json.loads(data)
        if isinstance(result, dict):
            told(lambda: brokerface.read_stats(result.get("result")))
            told(lambda: brokerface.read_samples(result.get("result")))
            told(lambda: brokerface.read_down(result.get("result")))
            told(lambda: brokerface.read_count(result.get("result")))


NUMBERS = (b"1e999", b"NaN", b"-1", b"null", b"9" * 5000, b"[]", b"{}", b'""', b"true")
TARGETS = (
    Target(
        "haproxy-words",
        haproxy,
        lambda: (STAT, SAMPLES, b"80 1 2 3\n81 0 0 0\n\n"),
        (b",", b"\0", b'"', b"\r", b"p80,a,", b"samples ", b"9" * 5000),
    ),
    Target("haproxy-state", kept, lambda: (STATE,), NUMBERS),
    Target(
        "broker-reply",
        broker,
        lambda: (REPLY, b'{"ok":true,"result":{"80":"AAAAAAAAAAA="}}', b'{"ok":true,"result":3}'),
        NUMBERS,
    ),
)
