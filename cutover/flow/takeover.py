"""Host ports move from the containers that hold them to others that wait, and nobody who connects is refused.

New connections are redirected to the new containers by way of a helper, old ones are ended where nothing is under way
on them, Docker moves the ports, the redirect goes. The order matters: nothing is cut before the redirect stands and is
seen to work, and it stands until Docker has bound the ports again.

A cutover that is killed leaves a helper that looks after itself (`cutover.edge.helper.redirect`); `clear_traces`
removes whatever there is.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cutover.clock import Clock, SystemClock
from cutover.edge.redirect import REDIRECTING, Redirect, Rule, removal, table_name
from cutover.engine.daemon import Daemon
from cutover.engine.helpers import (
    Helper,
    Talk,
    helpers,
    neighbourhood,
    remove_helpers,
    start_helper,
    surroundings,
)
from cutover.errors import EngineError, StepError
from cutover.model import Container, PortBinding, Protocol
from cutover.ports.allocate import FreePorts, allocate
from cutover.ports.witness import host_addresses

MODULES = "cutover.edge.helper"
READY_S = 15.0
MARGIN_S = 10.0
GONE_S = 5.0
POLL_S = 0.02
TRIES = 3
LOOPBACK = ("127.0.0.0/8", "::1/128")
INSIDE = ("NET_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH")
"""In a container's namespaces: to see and end its sockets; to do the latter in the name of the process that holds it,
which may be of another user. Without the last two clients see a RST instead of an orderly end."""

Act = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Way:
    """One host port that moves, and the address and port at which its new container answers already."""

    binding: PortBinding
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What a take-over did to connections, and how long the redirect stood.

    `at_rest` and `late` count connections of the old containers that were cut between two requests, and at the
    deadline; `raced` of the former got a question in that very moment. `passing_at_rest` and `passing_late` those that came in while the redirect stood; `reset` of them saw a
    RST. `closed` ended by themselves meanwhile.
    """

    at_rest: int = 0
    late: int = 0
    raced: int = 0
    reset: int = 0
    closed: int = 0
    passing_at_rest: int = 0
    passing_late: int = 0
    cut_s: float = 0.0
    redirect_s: float = 0.0
    drain_s: float = 0.0
    total_s: float = 0.0

    def __str__(self) -> str:
        rest, late = self.at_rest + self.passing_at_rest, self.late + self.passing_late
        return f"redirected for {self.redirect_s:.1f} s; {rest} connections ended at rest, {late} at the deadline"


def take_over(
    daemon: Daemon,
    project: str,
    image: str,
    *,
    ways: Sequence[Way],
    sources: Sequence[Container],
    park: Act,
    unpark: Act,
    cut_after_s: float = 5.0,
    prove: Act | None = None,
    note: Callable[[str], None] | None = None,
    clock: Clock | None = None,
) -> TakenOver:
    """Move host ports from `sources` to whoever answers at the ends of `ways`.

    `park` takes the ports from the sources, `unpark` gives them to the others; `prove`, if given, sees that requests
    on the legacy ports are answered by the others, and raises where they are not. UDP ports only have their short gap.

    Raises:
        StepError: the redirect cannot be had, or does not work; the sources still hold their ports.
        EngineError: the Engine refused. Whatever `park` and `unpark` raise is passed on, and the redirect stands until
            somebody holds the ports again, so that requests are answered meanwhile; then `clear_traces` is due.

    """
    clock, note = clock or SystemClock(), note or (lambda _: None)
    began = clock.monotonic()
    remove_helpers(daemon, project)
    tcp = [w for w in ways if w.binding.protocol is Protocol.TCP]
    if not tcp:
        park()
        unpark()
        return TakenOver(total_s=clock.monotonic() - began)
    with contextlib.ExitStack() as opened:
        redirect, cutters = _helpers(daemon, project, image, tcp, sources, opened)
        try:
            redirect.say({"do": "redirect"})
            _heard(redirect, "redirecting")
            stood = clock.monotonic()
            if prove is not None:
                prove()
            cut = _cut(cutters, cut_after_s)
        except BaseException:
            with contextlib.suppress(EngineError):
                _withdraw(redirect, cut_after_s)
            _see_gone(daemon, project, clock)
            raise
        cut_s = clock.monotonic() - stood
        note(f"{sum(c['at_rest'] for c in cut)} connections ended at rest, {sum(map(_late, cut))} at the deadline")
        park()
        unpark()
        held = clock.monotonic()
        passed = _withdraw(redirect, cut_after_s)
    _see_gone(daemon, project, clock)
    return TakenOver(
        at_rest=sum(c["at_rest"] for c in cut),
        late=sum(map(_late, cut)),
        raced=sum(c["raced"] for c in cut),
        reset=sum(c["reset"] for c in cut),
        closed=sum(c["by_themselves"] for c in cut),
        passing_at_rest=passed["at_rest"],
        passing_late=passed["late"],
        cut_s=cut_s,
        redirect_s=held - stood,
        drain_s=passed["seconds"],
        total_s=clock.monotonic() - began,
    )


def _late(cut: dict[str, Any]) -> int:
    return int(cut["late"]) + int(cut["left"])


def _helpers(
    daemon: Daemon,
    project: str,
    image: str,
    ways: Sequence[Way],
    sources: Sequence[Container],
    opened: contextlib.ExitStack,
) -> tuple[Talk, list[Talk]]:
    """Start the helper that redirects and those that cut, and wait until each is ready; none does anything yet."""
    try:
        with _ports(daemon, ways) as free:
            cutters = [
                opened.enter_context(_start_cutter(daemon, project, image, number, source, ways))
                for number, source in enumerate(sources)
                if source.running
            ]
            free.release()
            redirect = opened.enter_context(_start_redirect(daemon, project, image, free.ports, ways, sources))
            for talk in (redirect, *cutters):
                _heard(talk, "ready")
    except BaseException:
        opened.close()
        remove_helpers(daemon, project)
        raise
    return redirect, cutters


def _ports(daemon: Daemon, ways: Sequence[Way]) -> FreePorts:
    return allocate(len(ways), containers=daemon.containers(), taken=[w.binding.host_port for w in ways])


def _start_redirect(
    daemon: Daemon,
    project: str,
    image: str,
    temporary: Sequence[int],
    ways: Sequence[Way],
    sources: Sequence[Container],
) -> Talk:
    pairs = list(zip(ways, temporary, strict=True))
    redirect = Redirect(project, tuple(Rule(w.binding.host_ip, w.binding.host_port, t) for w, t in pairs))
    near = {
        g for s in sources for g in neighbourhood(daemon, s.id).gateways
    }  # Docker masquerades what comes from these
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
    return start_helper(daemon, _on_the_host(daemon, project, image, "redirect"), first)


def _on_the_host(daemon: Daemon, project: str, image: str, role: str) -> Helper:
    return Helper(
        name=f"cutover-{role}-{project}",
        project=project,
        role=role,
        image=image,
        module=f"{MODULES}.{role}",
        network="host",
        userns="host" if surroundings(daemon).remapped else None,
    )


def _start_cutter(
    daemon: Daemon, project: str, image: str, number: int, source: Container, ways: Sequence[Way]
) -> Talk:
    """Start a helper in a container's own namespaces: its sockets are nowhere else to be seen."""
    near = neighbourhood(daemon, source.id)
    helper = Helper(
        name=f"cutover-cut-{project}-{number}",
        project=project,
        role="cut",
        image=image,
        module=f"{MODULES}.cut",
        network=f"container:{source.id}",
        pid=f"container:{source.id}",
        capabilities=INSIDE,
    )
    host_ports = {w.binding.host_port for w in ways}
    inside = {b.target for b in source.published if b.host_port in host_ports and b.protocol is Protocol.TCP}
    spare = [*near.networks, *LOOPBACK]
    return start_helper(daemon, helper, {"ports": sorted(inside), "spare": spare, "only": list(near.gateways)})


def _cut(cutters: Sequence[Talk], within_s: float) -> list[dict[str, Any]]:
    for talk in cutters:
        talk.say({"do": "cut", "within_s": within_s})
    found = [_heard(talk, "cut", within_s + MARGIN_S) for talk in cutters]
    for talk in cutters:
        talk.close()
    return found


def _withdraw(redirect: Talk, within_s: float) -> dict[str, Any]:
    redirect.say({"do": "withdraw", "within_s": within_s})
    return _heard(redirect, "ended", within_s + MARGIN_S)


def _heard(talk: Talk, event: str, timeout_s: float = READY_S) -> dict[str, Any]:
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


def _see_gone(daemon: Daemon, project: str, clock: Clock) -> None:
    """Wait for the helpers to end by themselves, and remove what does not."""
    end = clock.monotonic() + GONE_S
    while helpers(daemon, project) and clock.monotonic() < end:
        clock.sleep(POLL_S)
    remove_helpers(daemon, project)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a take-over would meet on this host.

    `refusal` says why it cannot be had, None where it can. `external_blocked` says what may keep new connections from
    other machines waiting while the redirect stands: they pass the host's firewall as any service of the host does,
    and a dropped first packet is sent again after a second.
    """

    refusal: str | None = None
    external_blocked: str | None = None


def survey(daemon: Daemon, image: str) -> Survey:
    """Find out whether ports can be taken over here, by trying everything but the act."""
    if not daemon.address.local:
        return Survey("the Engine is on another host")
    around = surroundings(daemon)
    if "docker desktop" in around.system.lower():
        return Survey("Docker Desktop keeps the host's ports out of reach of containers")
    if around.rootless:
        return Survey("a rootless Engine has no rights on the host's network")
    if daemon.image_id(image) is None:
        return Survey(f"there is no image {image}")
    example = Redirect("try", (Rule("", 1, 2),))
    scripts = [example.script(owned=True), example.script(owned=False)]
    try:
        facts = _asked(daemon, "try", image, {"do": "check", "scripts": scripts})
    except EngineError as error:
        return Survey("; ".join([error.message, *error.evidence]))
    if facts["event"] != "checked" or facts["takes"] is None:
        return Survey(f"nftables refuses a redirect: {facts.get('why', '')}".strip())
    return Survey(external_blocked=facts["blocked"])


def can_take_over(daemon: Daemon, image: str) -> str | None:
    """Say why ports cannot be taken over without a gap here, None where they can."""
    return survey(daemon, image).refusal


def clear_traces(daemon: Daemon, project: str, image: str) -> bool:
    """Remove the helpers and the table of a project, whatever is there of them; say whether anything was.

    To be called when somebody holds the ports again: until then the redirect is what keeps them answered.

    Raises:
        EngineError: the Engine refused, or the table cannot be removed.

    """
    found = remove_helpers(daemon, project)
    table = table_name(project)
    facts = _asked(daemon, project, image, {"do": "clear", "table": table})
    if facts["event"] != "cleared":
        raise EngineError(
            "table-left", f"The table {table} cannot be removed.", evidence=[str(facts.get("why"))], hint=removal(table)
        )
    return bool(found or facts["found"])


def _asked(daemon: Daemon, project: str, image: str, question: dict[str, Any]) -> dict[str, Any]:
    """Ask a helper one thing."""
    helper = _on_the_host(daemon, project, image, "ask")
    helper = replace(helper, name=f"{helper.name}-{secrets.token_hex(3)}")
    with start_helper(daemon, helper, question) as talk:
        return talk.hear(READY_S)
