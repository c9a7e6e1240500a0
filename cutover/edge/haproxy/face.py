"""HAProxy as an edge that runs: what a swap asks of it, told over the socket and kept in its files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from cutover.clock import Deadline
from cutover.config import Edge
from cutover.edge.haproxy import counters
from cutover.edge.haproxy.render import (
    HOLD_MAP,
    MOUNT,
    RING,
    ROUTE_MAP,
    SOCKET,
    WAIT,
    Layout,
    backend,
    files,
    orders,
    route,
)
from cutover.edge.haproxy.runtime import RuntimeSocket
from cutover.edge.haproxy.state import State, load, save
from cutover.edge.shape import EdgePort, Hold, Mode, PortStats, Sample, Slot, Target, Targets
from cutover.errors import EdgeError, UsageError
from cutover.files import private_folder, write_atomic

NAME_TIMEOUT_S = 3.0
IPV6 = Path("/proc/net/if_inet6")
"""There only where the kernel has IPv6; containers share it."""


class HaproxyFace:
    """The edge of the HTTP and TCP ports, through its folder on the host. `mount` is that folder as HAProxy sees it."""

    def __init__(
        self, folder: Path, ports: Sequence[EdgePort], settings: Edge, *, mount: PurePosixPath = MOUNT
    ) -> None:
        self._folder = folder
        self._layout = Layout(tuple(ports), settings, mount, IPV6.exists())
        self._socket = RuntimeSocket(folder / SOCKET)
        self._known: frozenset[str] = frozenset()

    def write(self, targets: Mapping[Slot, Targets], active: Slot = Slot.A) -> None:
        """Write every file of a new edge, which HAProxy then starts with.

        Raises:
            UsageError: a port or a name cannot stand in HAProxy's configuration.

        """
        self._keep(State(active=active, slots={slot: self._own(aims) for slot, aims in targets.items()}))

    def aim(self, slot: Slot, targets: Targets) -> None:
        """Have a slot lead to a container; no request goes there before `switch` or `share`."""
        mine = self._own(targets)
        state = load(self._folder)
        if slot is not state.active and state.share_percent > 0 and state.leads(slot) != mine:
            raise _refused(
                "edge-slot-shared", f"Slot {slot} gets requests now; end the canary before it leads elsewhere."
            )
        new = state.aimed(slot, mine)
        self._aim(slot, new)
        self._keep(new)

    def clear(self, slot: Slot) -> None:
        """Have a slot lead nowhere: it is nobody's way back any more."""
        state = load(self._folder)
        if slot is state.active:
            raise _refused("edge-slot-active", f"Slot {slot} is active; another has to be before it leads nowhere.")
        cleared = replace(state.aimed(slot, {}), share_percent=0.0)
        self._socket.tell(*self._routed(cleared))
        self._aim(slot, cleared)
        self._keep(cleared)

    def down(self, slot: Slot) -> Mapping[int, str]:
        """Return the ports on which the edge does not see the slot's container alive, with why; empty: all is well."""
        state, found = load(self._folder), self._servers()
        why: dict[int, str] = {}
        for port in self._layout.ports:
            server = found[backend(port.port), slot.value]
            if port.port not in state.leads(slot):
                why[port.port] = "leads nowhere"
            elif not server.up:
                why[port.port] = server.why_down
        return why

    def switch(self, slot: Slot) -> None:
        """Send every new request on every port to a slot; the other, where it is aimed, is the way back if it dies."""
        state = load(self._folder)
        self._need(state, slot)
        self._change(state.switched(slot), self._routed)

    def share(self, slot: Slot, percent: float) -> None:
        """Send this share of new requests to a slot that is not active, the rest to the active one; 0 ends it."""
        if not 0 <= percent <= 100:  # noqa: PLR2004
            raise UsageError("bad-share", f"{percent:g} % is no share of the requests.")
        state = load(self._folder)
        if percent > 0:
            self._need(state, slot)
            if slot is state.active:
                raise _refused("edge-slot-active", f"Slot {slot} gets all requests already; a canary is the other one.")
        self._change(replace(state, share_percent=float(percent)), self._routed)

    def hold(self, hold: Hold) -> None:
        """Let requests wait from now on instead of forwarding them.

        One whose connection fails in this moment was forwarded before it: where it had a place to wait, it keeps that.
        """
        self._change(replace(load(self._folder), hold=hold), lambda state: [self._ordered("hold", state)])

    def release(self, *, alone: Hold | None = None) -> None:
        """Let the requests that wait go, at the pace of the hold; `alone`: but what the active slot cannot take waits.

        That one goes on when the active slot answers its checks again, or with the next `release`. An edge that was
        started by an older cutover has no room for it: there it fails.
        """
        found = counters.servers(self._socket.ask("show stat"))
        rooms = all((backend(p.port), WAIT) in found for p in self._layout.ports)
        new = replace(load(self._folder), hold=None, alone=alone if rooms else None)
        self._change(new, self._released if rooms else lambda state: [self._ordered("hold", state)])

    def part(self, *, on: bool) -> None:
        """Have each HTTP answer say that it is the last on its connection: nobody asks on one that is then cut."""
        self._socket.tell(f"set map {self._layout.inside(HOLD_MAP)} part {'on' if on else 'off'}")

    def in_flight(self, slot: Slot) -> int:
        """Return how many requests a slot has been given and not answered (HTTP; TCP does not count)."""
        found = self._servers()
        http = (p for p in self._layout.ports if p.mode is Mode.HTTP)
        return sum(found[backend(p.port), slot.value].count("scur") for p in http)

    def stats(self) -> Mapping[int, PortStats]:
        """Return the counters of every port."""
        state, found = load(self._folder), self._servers()
        held = counters.held_by_port(self._socket.ask("cutover held"))
        nobody = counters.Held()
        return {p.port: counters.port_stats(p, state, found, held.get(p.port, nobody)) for p in self._layout.ports}

    def samples(self) -> list[Sample]:
        """Return what was answered since the last call, as far as the ring remembers it (4 MiB, some 70,000)."""
        lines = self._socket.ask(f"show events {RING}").splitlines()
        fresh = [line for line in lines if line not in self._known]
        self._known = frozenset(lines)
        return list(counters.samples(fresh))

    def _own(self, targets: Targets) -> dict[int, Target]:
        return {p.port: targets[p.port] for p in self._layout.ports if p.port in targets}

    def _need(self, state: State, slot: Slot) -> None:
        if not state.leads(slot):
            raise _refused("edge-slot-empty", f"Slot {slot} leads nowhere; no request can be sent there.")

    def _change(self, new: State, commands: Callable[[State], Sequence[str]]) -> None:
        """Tell HAProxy, then write it down: what it refused must not come into force by a restart."""
        self._socket.tell(*commands(new))
        self._keep(new)

    def _keep(self, state: State) -> None:
        content = files(self._layout, state)
        private_folder(self._folder)
        for name, text in content.items():
            path = self._folder / name
            if not path.exists() or path.read_bytes() != text:
                write_atomic(path, text, mode=0o600)
        save(self._folder, state)

    def _servers(self) -> Mapping[tuple[str, str], counters.Server]:
        found = counters.servers(self._socket.ask("show stat"))
        missing = [p.port for p in self._layout.ports for s in Slot if (backend(p.port), s.value) not in found]
        if missing:
            raise _refused("edge-other", f"HAProxy does not know port {missing[0]}: it was started with other files.")
        return found

    def _routed(self, state: State) -> list[str]:
        """Return the words that say who gets requests: who may step in, then, for all ports at once, who is next."""
        return [*self._weights(state), f"set map {self._layout.inside(ROUTE_MAP)} route {route(state)}"]

    def _weights(self, state: State) -> Iterator[str]:
        for port in self._layout.ports:
            for slot in Slot:
                if port.port in state.leads(slot):
                    yield f"set server {backend(port.port)}/{slot} weight {int(state.takes(slot))}"

    def _ordered(self, key: str, state: State) -> str:
        return f"set map {self._layout.inside(HOLD_MAP)} {key} {orders(state)[key]}"

    def _released(self, state: State) -> list[str]:
        hold, alone = self._ordered("hold", state), self._ordered("alone", state)
        ready = "ready" if state.alone else "maint"
        rooms = [f"set server {backend(port.port)}/{WAIT} state {ready}" for port in self._layout.ports]
        # Before anybody is let go the waiting rooms have to be there, with the order that keeps who is sent to them.
        if state.alone:
            return [alone, *self._weights(state), *rooms, hold]
        return [hold, *self._weights(state), *rooms, alone]

    def _aim(self, slot: Slot, state: State) -> None:
        """Have a slot's servers lead to its container: by address now, by name whenever that changes."""
        before = load(self._folder).leads(slot)
        for port in self._layout.ports:
            server, target = f"set server {backend(port.port)}/{slot}", state.leads(slot).get(port.port)
            if target is None:
                self._socket.tell(f"{server} state maint", f"{server} weight 0")
                self._rest(server, state.leads(state.active).get(port.port))
            elif slot is state.active:  # it is serving: nothing may stand between its old address and its new one
                self._lead(server, target)
                self._socket.tell(f"{server} weight 1", f"{server} state ready")
            elif before.get(port.port) == target:
                self._lead(server, target)
                self._socket.tell(f"{server} state ready")
            else:  # a server that comes back counts as well until a check fails: it has to be the other way about
                self._socket.tell(f"{server} state maint", f"{server} weight 0")
                self._lead(server, target)
                self._socket.tell(f"{server} state ready", f"{server} health down")

    def _lead(self, server: str, target: Target) -> None:
        """Give a server its address and its name.

        One whose name has not resolved for a week has lost its address, and HAProxy gives it no other: it gets the
        name first, and the address (with the port) as soon as that resolves.
        """
        address, name = f"{server} addr {target.address} port {target.port}", f"{server} fqdn {target.name}"
        try:
            self._socket.tell(address, name)
        except EdgeError as error:
            if not any("address family" in line for line in error.evidence):
                raise
            self._retry(address)

    def _retry(self, address: str) -> None:
        deadline = Deadline(NAME_TIMEOUT_S)
        while True:
            try:
                return self._socket.tell(address)
            except EdgeError:
                if deadline.passed:
                    raise
            time.sleep(0.05)

    def _rest(self, server: str, active: Target | None) -> None:
        """Have a server without a slot's container carry the name of one that is there, so that it keeps an address."""
        if active is not None:
            with contextlib.suppress(EdgeError):
                self._socket.tell(f"{server} addr {active.address}", f"{server} fqdn {active.name}")


def _refused(reference: str, message: str) -> EdgeError:
    return EdgeError(reference, message, hint="cutover edge status")
