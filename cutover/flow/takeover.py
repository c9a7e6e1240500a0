"""Host ports move from the containers that hold them to others that wait, and nobody who connects is refused.

New connections are redirected to the new containers by way of a helper, old ones are ended where nothing is under way
on them, Docker moves the ports, the redirect goes. The order matters: nothing is cut before the redirect stands and is
seen to work, and it stands until Docker has bound the ports again.

A cutover that is killed leaves a helper that looks after itself (`cutover.edge.helper.redirect`); `clear_traces`
removes whatever there is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cutover.clock import Clock, SystemClock
from cutover.edge.redirect import Redirect, Rule, removal, table_name
from cutover.engine.daemon import Daemon
from cutover.engine.helpers import Surroundings, Talk, helpers, remove_helpers, surroundings
from cutover.errors import EngineError
from cutover.flow.takeover_helpers import Site, Way, ask, from_peers, heard, start_cutter, start_helpers
from cutover.model import Container, Protocol

__all__ = ["Survey", "TakenOver", "Way", "clear_traces", "end_connections", "survey", "take_over"]

MARGIN_S = 10.0
GONE_S = 5.0
POLL_S = 0.02

Act = Callable[[], None]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What a take-over did to connections, and how long the redirect stood.

    `at_rest` and `late` count connections of the old containers that were cut between two requests, and at the
    deadline, `closed` ended by themselves, `reset` of all saw a RST. `passing_at_rest` and `passing_late` are those
    that came while the redirect stood, cut in `drain_s`. `raced`, at most, of all got a question in that very moment.
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
        return f"redirected for {self.redirect_s:.1f} s; {ended(rest, late, self.raced, self.reset)}"


def ended(at_rest: int, late: int, raced: int, reset: int) -> str:
    """Return how many connections ended, and how; a request that was lost with one is told, as far as it was seen."""
    lost = f"; up to {raced} got another request in that very moment, which nobody answers" if raced else ""
    harsh = f", {reset} of them by a reset" if reset else ""
    return f"{at_rest} connections ended at rest, {late} at the deadline{harsh}{lost}"


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
        redirect, cutters = start_helpers(Site(daemon, project, image), tcp, sources, opened)
        try:
            redirect.say({"do": "redirect"})
            heard(redirect, "redirecting")
            stood = clock.monotonic()
            if prove is not None:
                prove()
            cut = _cut(cutters, cut_after_s)
        except BaseException:
            with contextlib.suppress(EngineError):
                _withdraw(redirect, cut_after_s)
            opened.close()  # it is what the helpers inside wait for
            _see_gone(daemon, project, clock)
            raise
        cut_s = clock.monotonic() - stood
        note(ended(_sum(cut, "at_rest"), sum(map(_late, cut)), _sum(cut, "raced"), _sum(cut, "reset")))
        park()
        unpark()
        held = clock.monotonic()
        passed = _withdraw(redirect, cut_after_s)
    _see_gone(daemon, project, clock)
    return TakenOver(
        at_rest=_sum(cut, "at_rest"),
        late=sum(map(_late, cut)),
        raced=_sum([*cut, passed], "raced"),
        reset=_sum(cut, "reset"),
        closed=_sum(cut, "by_themselves"),
        passing_at_rest=passed["at_rest"],
        passing_late=passed["late"],
        cut_s=cut_s,
        redirect_s=held - stood,
        drain_s=passed["seconds"],
        total_s=clock.monotonic() - began,
    )


def _sum(told: Iterable[Mapping[str, Any]], key: str) -> int:
    """Add up what helpers told; those of an older edge's image tell less."""
    return sum(int(one.get(key, 0)) for one in told)


def _late(cut: dict[str, Any]) -> int:
    return int(cut["late"]) + int(cut["left"])


def _cut(cutters: Sequence[Talk], within_s: float) -> list[dict[str, Any]]:
    for talk in cutters:
        talk.say({"do": "cut", "within_s": within_s})
    found = [heard(talk, "cut", within_s + MARGIN_S) for talk in cutters]
    for talk in cutters:
        talk.close()
    return found


def _withdraw(redirect: Talk, within_s: float) -> dict[str, Any]:
    redirect.say({"do": "withdraw", "within_s": within_s})
    return heard(redirect, "ended", within_s + MARGIN_S)


def _see_gone(daemon: Daemon, project: str, clock: Clock) -> None:
    """Wait for the helpers to end by themselves, and remove what does not."""
    end = clock.monotonic() + GONE_S
    while helpers(daemon, project) and clock.monotonic() < end:
        clock.sleep(POLL_S)
    remove_helpers(daemon, project)


def end_connections(
    daemon: Daemon,
    project: str,
    image: str,
    source: Container,
    *,
    ports: Collection[int],
    peers: Collection[str],
    within_s: float,
    clock: Clock | None = None,
) -> str:
    """End the connections that `peers` (addresses) have to the ports of a container, each when it rests.

    Returns how many there were, in words.

    Raises:
        StepError: the helper cannot do it.
        EngineError: the Engine refused.

    """
    site = Site(daemon, project, image)
    try:
        with start_cutter(site, "end", source, from_peers(ports, peers)) as talk:
            heard(talk, "ready")
            (cut,) = _cut([talk], within_s)
    finally:
        _see_gone(daemon, project, clock or SystemClock())
    return ended(_sum([cut], "at_rest"), _late(cut), _sum([cut], "raced"), _sum([cut], "reset"))


@dataclass(frozen=True, slots=True)
class Survey:
    """What a take-over would meet on this host.

    `refusal` says why it cannot be had, None where it can. `external_blocked` says what may keep new connections from
    other machines waiting while the redirect stands: they pass the host's firewall as any service of the host does,
    and a dropped first packet is sent again after a second.
    """

    refusal: str | None = None
    external_blocked: str | None = None


def survey(daemon: Daemon, project: str, image: str) -> Survey:
    """Find out whether ports can be taken over here, by trying everything but the act."""
    refusal = "the Engine is on another host" if not daemon.address.local else _refusal(surroundings(daemon))
    if refusal is None and daemon.image_id(image) is None:
        refusal = f"there is no image {image}"
    return Survey(refusal) if refusal is not None else _tried(Site(daemon, project, image))


def _refusal(around: Surroundings) -> str | None:
    if "docker desktop" in around.system.lower():
        return "Docker Desktop keeps the host's ports out of reach of containers"
    if around.rootless:
        return "a rootless Engine has no rights on the host's network"
    return None


def _tried(site: Site) -> Survey:
    """Have a helper check a redirect that is never made."""
    example = Redirect("try", (Rule("", 1, 2),))
    scripts = [example.script(owned=True), example.script(owned=False)]
    try:
        facts = ask(site, {"do": "check", "scripts": scripts})
    except EngineError as error:
        return Survey("; ".join([error.message, *error.evidence]))
    if facts["event"] != "checked" or facts["takes"] is None:
        return Survey(f"nftables refuses a redirect: {facts.get('why', '')}".strip())
    return Survey(external_blocked=facts["blocked"])


def clear_traces(daemon: Daemon, project: str, image: str) -> bool:
    """Remove the helpers and the table of a project, whatever is there of them; say whether anything was.

    To be called when somebody holds the ports again: until then the redirect is what keeps them answered.

    Raises:
        EngineError: the Engine refused, or the table cannot be removed.

    """
    found = remove_helpers(daemon, project)
    table = table_name(project)
    facts = ask(Site(daemon, project, image), {"do": "clear", "table": table})
    if facts["event"] != "cleared":
        raise EngineError(
            "table-left", f"The table {table} cannot be removed.", evidence=[str(facts.get("why"))], hint=removal(table)
        )
    _see_gone(daemon, project, SystemClock())  # the one that was asked, too
    return bool(found or facts["found"])
