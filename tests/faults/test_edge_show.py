"""What the edge has to show: nobody refused, nobody cut, exact shares, and back at once; on a real Engine under load.

CUTOVER_SHOW_ALL=1 takes the numbers by which the edge is judged; without it, what a test run has time for.
"""

from __future__ import annotations

import json
import statistics
import time
from datetime import datetime

import pytest

from tests.scenarios.edge_show_world import (
    LARGE,
    Crowd,
    address_of_host,
    behind_an_edge,
    done,
    established,
    over_http,
    over_zmq,
)
from tests.scenarios.edge_world import Clients, EdgeRig, green_up

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600 if LARGE else 240)]
REQUESTS = 20_000 if LARGE else 4_000
WITHIN_PERCENT = 0.5 if LARGE else 1.0
CANARY = "{steps: [20, 50, 100], every_s: 3, min_requests: 20}"
BACK_WITHIN_S = 0.25
LATE_S = 5 * BACK_WITHIN_S
"""What a machine with better things to do may take in a test run."""


@pytest.fixture
def rig(engine, edge_image, tmp_path):
    """Give the project of the swaps by the edge, with green up."""
    with green_up(EdgeRig, edge_image, tmp_path) as up:
        yield up


@pytest.fixture(scope="module")
def show(engine, edge_image, tmp_path_factory):
    """Give such a project; each test leaves it with `old` serving."""
    with behind_an_edge(edge_image, tmp_path_factory.mktemp("show"), canary=CANARY) as rig:
        yield rig


def figure(record_property, name, value):
    """Keep a figure in the report, and print it for whoever looks (-s, -rP)."""
    record_property(name, value)
    print(f"{name}: {value}")  # noqa: T201


def test_adopted_from_everywhere(rig, record_property):
    """A stack that Compose alone started is adopted, and given back, under clients of three addresses of the host."""
    hosts = ("127.0.0.1", "::1", address_of_host())
    with Clients(rig.http, rig.zmq, hosts=hosts) as there:
        told = rig.swap("--observe", "0")
        assert told.code == 0, f"{told!r}"
    with Clients(rig.http, rig.zmq, hosts=hosts) as back:
        done(rig.cutover("rollback"))
    for name, clients in (("adopted", there), ("given back", back)):
        figure(record_property, f"{name}: answered", sum(clients.answered.values()))
        figure(record_property, f"{name}: failed", clients.failed)
        figure(record_property, f"{name}: longest_s", round(clients.longest_s, 3))
    assert there.failed == back.failed == []
    assert {name for _, name in there.answered} == {"old", "new"}
    assert len({kind for kind, _ in there.answered}) == 9
    assert rig.traces() == []


def test_exclusive_waits_for_loading(rig, record_property):
    """Blue loads for long while green has gone: everybody waits for about that long, and is answered."""
    load_s = 10 if LARGE else 3
    rig.env["NEW_LOAD_S"] = str(load_s)
    done(rig.swap("--observe", "0"))
    done(rig.swap("--green", "new", "--blue", "old", "--observe", "0", "--commit"))
    with Clients(rig.http, rig.zmq) as clients:
        began = time.monotonic()
        told = rig.swap("--exclusive", "--observe", "0")
        took = time.monotonic() - began
    assert told.code == 0, f"{told!r}"
    figure(record_property, "exclusive: blue loads_s", load_s)
    figure(record_property, "exclusive: the swap took_s", round(took, 2))
    figure(record_property, "exclusive: longest wait_s", round(clients.longest_s, 2))
    figure(record_property, "exclusive: answered", sum(clients.answered.values()))
    assert clients.failed == [], f"{clients.failed[:20]}"
    assert load_s < clients.longest_s < load_s + 10


def test_back_within_a_quarter_second(rig, record_property):
    """From the first record of the way back in the journal to the last answer of blue, and the first of green."""
    done(rig.swap("--observe", "0"))
    took = []
    for _ in range(8 if LARGE else 3):
        with Clock(rig.http, rig.zmq) as clients:
            done(rig.cutover("rollback"))
        assert clients.failed == [], f"{clients.failed[:20]}"
        decided = decision(rig)
        last = max(at for at, name in clients.told if name == clients.told[0][1])
        first = min(at for at, name in clients.told if name != clients.told[0][1])
        took.append((first - decided, last - decided))
        # the first was an adoption, which the rollback took back; from then on the edge stands
        done(rig.swap("--observe", "0"))
        if len(took) == 1:
            done(rig.swap("--green", "new", "--blue", "old", "--observe", "0", "--commit"))
            done(rig.swap("--observe", "0"))
    took = took[1:]
    figure(record_property, "back: first answer of green, ms", [round(1000 * f) for f, _ in took])
    figure(record_property, "back: last answer of blue, ms", [round(1000 * b) for _, b in took])
    figure(record_property, "back: median of the last, ms", round(1000 * statistics.median(b for _, b in took)))
    assert statistics.median(b for _, b in took) < (BACK_WITHIN_S if LARGE else LATE_S)


class Clock(Clients):
    """Clients that note when each answer came, by the clock of the journal."""

    def __enter__(self):
        """Begin to ask."""
        self.told = []
        return super().__enter__()

    def _each(self, kind, ask):
        def timed(number):
            name, echo = ask(number)
            self.told.append((time.time(), name))
            return name, echo

        super()._each(kind, timed)


def decision(rig):
    """Return when the newest run began to go back."""
    at = next(r["at"] for r in reversed(rig.records()) if r["kind"] == "failed")
    return datetime.fromisoformat(at).timestamp()


def test_open_connections_survive(show, record_property):
    """Idle connections of every kind go on after a swap: TCP and WebSockets with green, requests with blue."""
    counts = (300, 300, 100, 400) if LARGE else (45, 45, 10, 50)
    with Crowd(show, *counts) as crowd:
        before = crowd.ask()
        local = {port: established(port) for port in (show.tcp, show.http, show.zmq)}
        done(show.swap("--observe", "0"))
        after = crowd.ask()
        kept = {port: established(port) & was for port, was in local.items()}
    figure(record_property, "open connections", sum(counts))
    figure(record_property, "who answered before", {k: dict(v) for k, v in before.items()})
    figure(record_property, "who answered after", {k: dict(v) for k, v in after.items()})
    figure(record_property, "cut", len(crowd.cut))
    assert crowd.cut == []
    assert kept == local
    assert sum(map(len, local.values())) == sum(counts)
    assert [dict(after[k]) for k in ("tcp", "websocket")] == [{"old": n} for n in counts[:2]]
    assert [dict(after[k]) for k in ("http", "zmq")] == [{"new": n} for n in counts[2:]]
    done(show.cutover("rollback"))


def test_canary_of_five_percent(show, record_property):
    """One request in twenty goes to blue, over HTTP and ZeroMQ, and no client's answers change places."""
    done(show.cutover("canary", "5", "--json"))
    for name, seen in (("http", over_http(show.http, REQUESTS)), ("zmq", over_zmq(show.zmq, REQUESTS))):
        figure(record_property, f"canary {name}: requests", seen.names.total())
        figure(record_property, f"canary {name}: blue %", round(seen.blue_percent, 3))
        figure(record_property, f"canary {name}: out of order", len(seen.disordered))
        assert seen.names.total() == REQUESTS
        assert set(seen.names) == {"old", "new"}
        assert abs(seen.blue_percent - 5) <= WITHIN_PERCENT
        assert seen.disordered == []
    done(show.cutover("rollback"))


STICKY = {"X-Client": "header: X-Client", "colour": "cookie: colour"}


@pytest.mark.parametrize("mark", STICKY if LARGE else ["X-Client"])
def test_sticky(engine, edge_image, tmp_path, mark, record_property):
    """A client keeps its colour by its header, its cookie, or its ZeroMQ identity, while others get the other one."""
    sticky = f", sticky: {{{STICKY[mark]}, identity: true}}"
    clients = 40
    with behind_an_edge(edge_image, tmp_path, more=sticky) as rig:
        done(rig.cutover("canary", "50", "--json"))
        for name, seen in (
            (mark, over_http(rig.http, clients * 10, clients, mark=mark)),
            ("identity", over_zmq(rig.zmq, clients * 10, clients, depth=3)),
        ):
            figure(record_property, f"sticky by {name}", dict(seen.names))
            assert {c: names for c, names in seen.by_client.items() if len(names) > 1} == {}
            assert set(seen.names) == {"old", "new"}
            assert seen.disordered == []


@pytest.mark.parametrize("fail", ["slow", "errors", ""])
def test_gates(show, fail, record_property):
    """A blue that is slow or answers errors is turned back, with the figures; a good one is promoted step by step."""
    show.env["NEW_FAIL"] = fail
    done(show.cutover("canary", "20", "--json"))
    with Clients(show.http, show.zmq, pause_s=0.005) as clients:
        told = show.cutover("promote", "--steps", "--json", timeout=180)
        names = {show.answers() for _ in range(5)}
    assert all("500" in f for f in clients.failed) if fail == "errors" else clients.failed == [], clients.failed
    if not fail:
        done(told)
        assert [s["kind"] for s in told.json["steps"]].count("watch-canary") == 2
        assert names == {"new"}
        done(show.cutover("rollback"))
        return
    assert told.code == 3, told
    error = told.json["error"]
    figure(record_property, f"gate against {fail}", json.dumps([error["message"], *error["evidence"]]))
    assert error["reference"] == "canary-failed"
    assert {line.split(":")[0] for line in error["evidence"]} >= {"green", "blue"}
    assert names == {"old"}


def test_upgraded_from_everywhere(rig, record_property):
    """The edge itself is replaced under clients of three addresses of the host."""
    done(rig.swap("--observe", "0"))
    with Clients(rig.http, rig.zmq, hosts=("127.0.0.1", "::1", address_of_host())) as clients:
        told = rig.cutover("edge", "upgrade", "--force")
        assert told.code == 0, f"{told!r}"
    figure(record_property, "upgrade: answered", sum(clients.answered.values()))
    figure(record_property, "upgrade: failed", clients.failed)
    figure(record_property, "upgrade: longest_s", round(clients.longest_s, 3))
    assert clients.failed == [], f"{clients.failed[:20]}"
    assert rig.tables() == []
