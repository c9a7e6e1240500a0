"""Proof that a colour answers: inside, at its own address; outside, through the legacy port, and that it was this one.

Behind an edge, the edge says which colour gets the requests, and the answer's identity has to agree. Without one,
three things must agree before an answer on the legacy port counts: the Engine says that this colour, and no other
container, holds the port; the answer is as the probe expects; and it names the same sender as the answer that was had
at the colour's own address (`identity=` in the probe), or, where the probe names no sender, a connection opened through
the legacy port is seen among the connections of this colour's own network namespace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cutover.errors import CutoverError, EngineError, ProbeError, StepError
from cutover.flow.context import Context
from cutover.flow.edge import holding_edge, see_serves
from cutover.flow.ready import Place, Wait, wait_for, wait_ready
from cutover.flow.witness import witness
from cutover.model import Answer, Colour, Container, Health, Protocol
from cutover.ports.witness import Proof
from cutover.probes import ProbeSpec, ask

ATTEMPT_TIMEOUT_S = 5.0
OUTSIDE_TIMEOUT_S = 10.0
STALL_TIMEOUT_S = 0.5
COMPLAINT_TIMEOUT_S = 3.0


def wait_inside(ctx: Context, colour: Colour) -> list[Answer]:
    """Wait until a colour answers every probe at its own address and its healthcheck, if it has one, is content.

    Raises:
        StepError: it exits, becomes unhealthy, or does not answer in time; with the end of its log as evidence.

    """
    container = ctx.need(colour)
    with _as_step(ctx, colour):
        return wait_ready(_waiting(ctx, container, ctx.plan.ready_timeout_s), inside(ctx, container, colour))


def inside(ctx: Context, container: Container, colour: Colour) -> Iterator[Place]:
    """Yield the probes with a colour's own address; none where this machine cannot reach it (a remote Engine)."""
    address = inside_address(ctx, container)
    for spec in asked_of(ctx, colour):
        target = ctx.target(colour, spec.port)
        if address and target and not spec.host:
            yield Place(spec, address, target)


def asked_of(ctx: Context, colour: Colour) -> tuple[ProbeSpec, ...]:
    """Return the probes that a colour must satisfy: green need not do better than it did before the swap."""
    excused = ctx.plan.green_fails if colour is Colour.GREEN else ()
    return tuple(p for p in ctx.probes if str(p) not in excused)


def complaints(ctx: Context) -> dict[str, str]:
    """Ask every probe through the legacy ports, and return what is wrong by probe; a first failure is asked again."""
    wrong: dict[str, str] = {}
    for place in outside(ctx):
        for _ in range(2):
            answer = ask(place.spec, place.host, place.port, timeout_s=COMPLAINT_TIMEOUT_S)
            if answer.ok:
                break
        else:
            wrong[answer.probe] = answer.detail
    return wrong


def inside_address(ctx: Context, container: Container) -> str | None:
    """Return a container's own address, None where this machine cannot reach it (a remote Engine)."""
    if not ctx.daemon.address.local:
        return None
    current = ctx.daemon.container(container.id)
    endpoints = current.endpoints if current else ()
    return next((e.ip for e in endpoints if e.ip and e.network != ctx.plan.park_network), None)


def _waiting(ctx: Context, container: Container, timeout_s: float) -> Wait:
    return Wait(ctx.daemon, container, ctx.clock, ctx.clock.monotonic() + timeout_s)


@contextmanager
def _as_step(ctx: Context, colour: Colour) -> Iterator[None]:
    """Turn what the wait says into the failure of a step; the log of a new container is gone with it."""
    try:
        yield
    except ProbeError as error:
        hint = error.hint
        told = explained(ctx, colour)
        if ctx.plan.rolls is not None and colour is Colour.BLUE:
            serving = ctx.plan.called(Colour.GREEN)
            hint = f"mend what is said above, then the same command again; {serving} serves meanwhile"
        raise StepError(error.reference, error.message, evidence=[*told, *error.evidence], hint=hint) from error


def explained(ctx: Context, colour: Colour) -> list[str]:
    """Return what the doctor makes of a colour that does not answer, in a line; nothing where he knows no more."""
    from cutover.flow.explain import explanation  # noqa: PLC0415  (only where something failed)

    with suppress(Exception):  # whatever goes wrong here must not hide what went wrong before
        container = ctx.find(colour)
        if container is not None:
            return explanation(ctx.daemon, ctx.clock, container, list(inside(ctx, container, colour)))
    return []


def outside(ctx: Context, colour: Colour = Colour.BLUE) -> Iterator[Place]:
    """Yield the probes with the address that clients use; for green, those that it ever satisfied."""
    for spec in asked_of(ctx, colour):
        yield Place(spec, spec.host or legacy_host(ctx, spec.port), spec.port)


def legacy_host(ctx: Context, port: int) -> str:
    """Return the address at which clients find a legacy port: the one that it is bound to, or loopback."""
    bound = next((m.binding.host_ip for m in ctx.plan.moves if m.binding.host_port == port), "")
    return bound or ctx.daemon.address.host


def prove_outside(ctx: Context, colour: Colour, *, timeout_s: float = OUTSIDE_TIMEOUT_S) -> list[Answer]:
    """Prove that this colour, and no other, answers on every legacy port.

    Raises:
        StepError: another container holds a port, nobody answers, or somebody else does.

    """
    container = ctx.need(colour)
    see_ports_held(ctx, container, colour)
    own = {id(p.spec): _own_identity(p) for p in inside(ctx, container, colour) if p.spec.identity}
    wait = _waiting(ctx, container, timeout_s)
    answers = []
    for place in outside(ctx, colour):
        with _as_step(ctx, colour):
            answer = wait_for(wait, place)
        _see_identity(place, answer, own.get(id(place.spec)), container)
        answers.append(answer)
    _see_witness(ctx, container, colour)
    return answers


def see_ports_held(ctx: Context, container: Container, colour: Colour) -> None:
    """See that the Engine has bound every legacy port for this container.

    Raises:
        StepError: it has not.

    """
    edge = holding_edge(ctx)
    if edge is not None:
        see_serves(ctx, edge, colour)
        return
    now = ctx.daemon.container(container.id)
    if now is None or not ctx.holds_ports(now, colour):
        bound = ", ".join(map(str, now.published)) if now and now.published else "none"
        raise StepError(
            "not-bound",
            f"{container.name} does not hold the legacy ports.",
            evidence=[f"its published ports: {bound}", *(f"log: {x}" for x in ctx.daemon.logs(container.id, tail=5))],
            hint="cutover ports",
        )


def _own_identity(place: Place) -> str | None:
    """Return what the sender at this address calls itself, None where it says nothing."""
    return ask(place.spec, place.host, place.port, timeout_s=ATTEMPT_TIMEOUT_S).identity


def _see_identity(place: Place, answer: Answer, own: str | None, container: Container) -> None:
    if own is not None and answer.identity != own:
        raise StepError(
            "wrong-answerer",
            f"Somebody else than {container.name} answers on port {place.port}.",
            evidence=[f"{container.name} calls itself {own!r}", f"the legacy port answers as {answer.identity!r}"],
            hint="cutover ports",
        )


def _see_witness(ctx: Context, container: Container, colour: Colour) -> None:
    """See our own connection arrive in the container, for the ports that no probe with an identity has proven."""
    if holding_edge(ctx) is not None:  # our connection ends at the edge, whose word was had in `see_ports_held`
        return
    named = {s.port for s in ctx.probes if s.identity}
    for move in ctx.plan.moves:
        port, target = move.binding.host_port, ctx.target(colour, move.binding.host_port)
        if port in named or move.binding.protocol is not Protocol.TCP or target is None or not ctx.daemon.address.local:
            continue
        seen = witness(container, legacy_host(ctx, port), port, target)
        if seen is None:
            ctx.note(f"port {port}: this user may not look into {container.name}, so Docker's word must do")
        elif seen.proof is Proof.NONE:
            raise StepError(
                "wrong-answerer",
                f"A connection opened on port {port} does not arrive in {container.name}.",
                evidence=[f"Engine: {container.name} publishes {move.binding}", seen.detail],
                hint="cutover ports; another process or firewall rule may catch the port",
            )
        else:
            ctx.note(f"port {port}: {seen.detail} ({seen.proof} proof)")


def alive(ctx: Context, colour: Colour) -> str | None:
    """Ask every probe once, outside, and return what is wrong, None where all is well."""
    container = ctx.find(colour)
    if container is None or not container.running:
        return f"{ctx.plan.called(colour)} does not run any more"
    silent = _not_reached(ctx, container, colour)
    if silent is not None:
        return silent
    if container.health is Health.UNHEALTHY:
        return f"{container.name} is unhealthy: {ctx.daemon.last_health_output(container.id)[:300]}"
    for place in outside(ctx, colour):
        answer = ask(place.spec, place.host, place.port, timeout_s=ATTEMPT_TIMEOUT_S)
        if not answer.ok:
            return f"{answer.probe}: {answer.detail}"
    return None


def _not_reached(ctx: Context, container: Container, colour: Colour) -> str | None:
    """Return why what is asked on the legacy ports does not reach a colour, None where it does."""
    edge = holding_edge(ctx)
    if edge is None:
        return None if ctx.holds_ports(container, colour) else f"{container.name} does not hold the legacy ports"
    try:
        see_serves(ctx, edge, colour)
    except CutoverError as error:
        return error.message
    return None


def answered(ctx: Context) -> bool:
    """Say whether every legacy port answers at this moment, whoever it is; the question of the stall meter."""
    return all(ask(p.spec, p.host, p.port, timeout_s=STALL_TIMEOUT_S).ok for p in outside(ctx))


def describe_health(ctx: Context, colour: Colour) -> list[str]:
    """Return the end of a colour's log as evidence, nothing where the Engine does not answer."""
    try:
        container = ctx.find(colour)
        return [f"log: {line}" for line in ctx.daemon.logs(container.id, tail=8)] if container else []
    except EngineError:
        return []
