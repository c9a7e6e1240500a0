"""What HAProxy's counters and its ring of answers say, as values; pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from cutover.edge.haproxy.render import RING, backend
from cutover.edge.haproxy.state import State
from cutover.edge.shape import EdgePort, Mode, PortStats, Sample, Slot, SlotStats
from cutover.errors import EdgeError

NUMBER = re.compile(r"-?[0-9]{1,18}")
SWITCHED = 101
FAILED = 500


@dataclass(frozen=True, slots=True)
class Held:
    """What hold.lua counts on one port: who waits now, who found no room, who waited too long."""

    held: int = 0
    overflowed: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Server:
    """One line of `show stat`: a slot of a port."""

    facts: Mapping[str, str]

    def count(self, name: str) -> int:
        """Return a counter; one that HAProxy leaves empty is 0."""
        with _readable("show stat"):
            return int(self.facts.get(name) or 0)

    @property
    def up(self) -> bool:
        """Say whether it would get a request; DRAIN is what HAProxy calls a living server of weight 0."""
        return (self.facts.get("status") or "").startswith(("UP", "DRAIN", "no check"))

    @property
    def why_down(self) -> str:
        """Return how its health is, in HAProxy's words."""
        said = [(self.facts.get(name) or "").strip() for name in ("status", "check_status", "last_chk")]
        return ": ".join(word for word in said if word)


def servers(answer: str) -> Mapping[tuple[str, str], Server]:
    """Return the lines of `show stat`, by backend and server."""
    with _readable("show stat"):
        rows = csv.DictReader(answer.lstrip("# ").splitlines())
        return {(row["pxname"], row["svname"]): Server(row) for row in rows if row.get("svname")}


def held_by_port(answer: str) -> Mapping[int, Held]:
    """Return what `cutover held` answers."""
    found: dict[int, Held] = {}
    with _readable("cutover held"):
        for line in filter(str.strip, answer.splitlines()):
            port, held, over, late = map(int, line.split())  # a port has a line for each of its queues
            before = found.get(port, Held())
            found[port] = Held(before.held + held, before.overflowed + over, before.rejected + late)
    return found


@contextmanager
def _readable(asked: str) -> Iterator[None]:
    """Name the question whose answer makes no sense.

    Raises:
        EdgeError: `edge-garbled`.

    """
    try:
        yield
    except (ValueError, KeyError, csv.Error) as error:
        raise EdgeError(
            "edge-garbled", f"What HAProxy answered to `{asked}` cannot be read: {error}.", hint="cutover edge status"
        ) from error


def port_stats(port: EdgePort, state: State, found: Mapping[tuple[str, str], Server], held: Held) -> PortStats:
    """Return the counters of a port."""
    with _readable("show stat"):
        by_slot = {slot: found[backend(port.port), slot.value] for slot in Slot}
    return PortStats(
        port=port.port,
        active=state.active,
        serving=_serving(port, state, by_slot),
        slots={slot: _slot_stats(port, state, slot, server) for slot, server in by_slot.items()},
        share_percent=state.share_percent,
        holding=state.hold is not None,
        held=held.held,
        overflowed=held.overflowed,
        rejected=held.rejected,
    )


def _serving(port: EdgePort, state: State, by_slot: Mapping[Slot, Server]) -> Slot | None:
    order = (state.active, state.active.other)
    return next((s for s in order if port.port in state.leads(s) and state.takes(s) and by_slot[s].up), None)


def _slot_stats(port: EdgePort, state: State, slot: Slot, server: Server) -> SlotStats:
    target = state.leads(slot).get(port.port)
    http = port.mode is Mode.HTTP
    return SlotStats(
        aimed_at=target.name if target else None,
        up=target is not None and server.up,
        requests=server.count("req_tot" if http else "stot"),
        errors=server.count("hrsp_5xx") + server.count("econ") + server.count("eresp"),
        lost=server.count("eresp"),
        replayed=server.count("wredis"),
        in_flight=server.count("scur"),
    )


def samples(lines: Iterable[str]) -> Iterator[Sample]:
    """Return the answers that a slot gave or failed to give; who was turned away at the edge is nobody's sample.

    A line: `samples PORT SLOT CONNECT_MS FIRST_BYTE_MS REST_MS STATUS STATE STARTED NUMBER`, -1 for what never came.
    """
    for line in lines:
        words = line.split()
        if len(words) != 10 or words[0] != RING or words[2] not in (Slot.A, Slot.B):  # noqa: PLR2004
            continue
        if not all(NUMBER.fullmatch(word) for word in (words[1], *words[3:7])):
            continue
        connect, first, rest, status = (int(word) for word in words[3:7])
        # A tunnel's end says nothing about how fast it was opened; neither does that of a client who left.
        took = (connect, first) if status == SWITCHED else (connect, first, rest)
        failed = status >= FAILED or words[7].startswith(("S", "s"))
        yield Sample(int(words[1]), Slot(words[2]), sum(max(0, ms) for ms in took) / 1000, failed)
