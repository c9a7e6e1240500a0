"""The helper containers of a take-over: one on the host's network that redirects, one inside each old container.

Two kinds, because each needs little where it is: NET_ADMIN on the host's network makes the redirect, and a container's
sockets are seen and ended from inside its namespaces, for which the host's would take far greater rights.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from cutover.edge.redirect import REDIRECTING, Redirect, Rule
from cutover.engine.daemon import Daemon
from cutover.engine.helpers import Helper, Talk, neighbourhood, remove_helpers, start_helper, surroundings
from cutover.errors import EngineError, StepError
from cutover.model import Container, PortBinding, Protocol
from cutover.ports.allocate import FreePorts, allocate
from cutover.ports.witness import host_addresses

MODULES = "cutover.edge.helper"
READY_S = 15.0
TRIES = 3
ASK_TRIES = 3
LOOPBACK = ("127.0.0.0/8", "::1/128")
EVERYBODY = ["0.0.0.0/0", "::/0"]
INSIDE = ("NET_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH", "SYS_NICE")
"""In a container's namespaces: to end its sockets; to do so in the name of the process that holds one, which may be of
another user (without SYS_PTRACE and DAC_READ_SEARCH clients see a RST, no orderly end); to be woken in time."""


@dataclass(frozen=True, slots=True)
class Way:
    """One host port that moves, and the address and port at which its new container answers already."""

    binding: PortBinding
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Site:
    """Where helpers run, for which project, and from which image."""

    daemon: Daemon
    project: str
    image: str


def start_helpers(
    site: Site, ways: Sequence[Way], sources: Sequence[Container], opened: contextlib.ExitStack
) -> tuple[Talk, list[Talk]]:
    """Start the helper that redirects and those that cut, and wait until each is ready; none does anything yet."""
    try:
        with _ports(site.daemon, ways) as free:
            cutters = [
                opened.enter_context(start_cutter(site, str(number), source, _from_outside(site, source, ways)))
                for number, source in enumerate(sources)
                if source.running
            ]
            free.release()
            redirect = opened.enter_context(_start_redirect(site, free.ports, ways, sources))
            for talk in (redirect, *cutters):
                heard(talk, "ready")
    except BaseException:
        opened.close()
        remove_helpers(site.daemon, site.project)
        raise
    return redirect, cutters


def _ports(daemon: Daemon, ways: Sequence[Way]) -> FreePorts:
    return allocate(len(ways), containers=daemon.containers(), taken=[w.binding.host_port for w in ways])


def _start_redirect(site: Site, temporary: Sequence[int], ways: Sequence[Way], sources: Sequence[Container]) -> Talk:
    pairs = list(zip(ways, temporary, strict=True))
    redirect = Redirect(site.project, tuple(Rule(w.binding.host_ip, w.binding.host_port, t) for w, t in pairs))
    near = {g for s in sources for g in neighbourhood(site.daemon, s.id).gateways}  # Docker masquerades these
    far = [a for s in sources for a in host_addresses(s) if a not in near][:TRIES]
    first = {
        "table": redirect.table,
        "chains": REDIRECTING,
        "scripts": [redirect.script(owned=True), redirect.script(owned=False)],
        "legacy": sorted({w.binding.host_port for w in ways}),
        "ways": [
            {"listen": [rule.listen, rule.temporary], "to": [way.address, way.port]}
            for rule, (way, _) in zip(redirect.rules, pairs, strict=True)
        ],
        "tries": redirect.tries(dict.fromkeys(far)),
    }
    return start_helper(site.daemon, _on_the_host(site, "redirect"), first)


def _on_the_host(site: Site, role: str, suffix: str = "") -> Helper:
    return Helper(
        name=f"cutover-{role}-{site.project}{suffix}",
        project=site.project,
        role=role,
        image=site.image,
        module=f"{MODULES}.{role}",
        network="host",
        userns="host" if surroundings(site.daemon).remapped else None,
    )


def _from_outside(site: Site, source: Container, ways: Sequence[Way]) -> dict[str, Any]:
    """Return which connections of a container came through the host ports that move."""
    near = neighbourhood(site.daemon, source.id)
    host_ports = {w.binding.host_port for w in ways}
    inside = {b.target for b in source.published if b.host_port in host_ports and b.protocol is Protocol.TCP}
    return {"ports": sorted(inside), "spare": [*near.networks, *LOOPBACK], "only": list(near.gateways)}


def from_peers(ports: Collection[int], peers: Collection[str]) -> dict[str, Any]:
    """Return that the connections are meant which these addresses have to these ports, and no others."""
    return {"ports": sorted(ports), "spare": EVERYBODY, "only": sorted(peers)}


def start_cutter(site: Site, suffix: str, source: Container, which: dict[str, Any]) -> Talk:
    """Start a helper in a container's own namespaces: its sockets are nowhere else to be seen."""
    helper = Helper(
        name=f"cutover-cut-{site.project}-{suffix}",
        project=site.project,
        role="cut",
        image=site.image,
        module=f"{MODULES}.cut",
        network=f"container:{source.id}",
        pid=f"container:{source.id}",
        capabilities=INSIDE,
    )
    return start_helper(site.daemon, helper, which)


def heard(talk: Talk, event: str, timeout_s: float = READY_S) -> dict[str, Any]:
    """Return what a helper tells, which has to be `event`.

    Raises:
        StepError: it says that it cannot.

    """
    facts = talk.hear(timeout_s)
    if facts["event"] != event:
        raise StepError(
            "takeover-failed",
            f"The ports cannot be taken over without a gap: {facts.get('why', facts['event'])}.",
            evidence=[str(line) for line in facts.get("evidence", ())],
            hint="cutover swap --strategy relink",
        )
    return facts


def ask(site: Site, question: dict[str, Any]) -> dict[str, Any]:
    """Start a helper on the host's network for one question, and return its answer.

    A helper that died over it is asked once more, and again: libnftables crashes now and then where somebody else
    changes the rules while it reads them ("corrupted double-linked list", 1.0.6).
    """
    for _ in range(ASK_TRIES - 1):
        try:
            return _asked_once(site, question)
        except EngineError as error:
            if error.reference != "helper-gone":
                raise
    return _asked_once(site, question)


def _asked_once(site: Site, question: dict[str, Any]) -> dict[str, Any]:
    helper = _on_the_host(site, "ask", f"-{secrets.token_hex(3)}")
    with start_helper(site.daemon, helper, question) as talk:
        return talk.hear(READY_S)
