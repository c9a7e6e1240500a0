"""Parking: a container that runs, warm, on all of its networks, with none of its host ports.

Docker publishes a container's ports through one endpoint only, its gateway endpoint (source: moby/libnetwork,
`sandbox.go`, `getGatewayEndpoint`, and `endpoint.go`, `sbJoin`, where the external connectivity is revoked from the old
gateway endpoint and programmed on the new one). The macvlan driver publishes nothing. So a container that joins a
macvlan network that comes before its others loses its host ports at once, and gets them back when it leaves, while its
own networks, addresses, aliases and open connections stay as they are. Compose does not mind an additional network.
What a parked container lacks is the way out: its default route leads nowhere.

What comes first, as seen on 20.10.24, 26.1.5 and 28.5.2: the higher gateway priority (Engine 28 on; `gw_priority` in a
compose file), then a network with IPv4 and IPv6 before one with IPv4 alone, then the name. So the park network is named
`0-...`, has IPv6 where a network with IPv6 or an even lower name is to be beaten, and is joined with the highest
priority where there are priorities.

A start joins the networks in random order (source: moby, `daemon/container_operations.go`, `allocateNetwork`: a map).
When the park network does not come first, Docker tries to bind the ports that green holds, and refuses the start before
any process ran, 38 ms later (28.5: 250 ms). Measured on 20.10 with two networks: 13 of 40 starts take; 26.1 and 28.5
are no different, nor does the priority change that order. So it is tried again.
"""

from __future__ import annotations

from cutover.errors import EngineError, StepError
from cutover.flow.context import Context
from cutover.flow.plan import Step
from cutover.flow.steps.base import Passive, Prior
from cutover.model import Colour, Container

START_TRIES = 80
"""With three networks beside the park network one start in five takes: all of these fail once in 10 million times."""
COMMAND_FAILED = frozenset({126, 127})
"""Docker's exit codes for a command that is no program, or is not there: trying again does not help."""


class ParkNetwork(Passive):
    """Makes the network that parks containers."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Create it over the bridge of green's network, where it is not there yet."""
        del step, prior
        ensure_park_network(ctx)

    def check(self, ctx: Context, step: Step, prior: Prior) -> bool:
        """Say whether it is there."""
        del step, prior
        return ctx.daemon.network_exists(ctx.plan.park_network)

    def undo(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Remove it, unless a container is still parked on it."""
        del step, prior
        remove_park_network(ctx)


class RemoveParkNetwork(Passive):
    """Takes the network away again when nobody is parked any more."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Remove it."""
        del step, prior
        remove_park_network(ctx)


def ensure_park_network(ctx: Context) -> None:
    """Create the park network where it is not there yet, or lacks the IPv6 that blue's networks turn out to ask for.

    Raises:
        StepError: green has no bridge network to stand on.

    """
    containers = ctx.containers(Colour.GREEN) + ctx.containers(Colour.BLUE)
    ipv6 = _needs_ipv6(ctx, containers)
    if ctx.daemon.network_exists(ctx.plan.park_network):
        if not ipv6 or ctx.daemon.has_ipv6(ctx.plan.park_network):
            return
        remove_park_network(ctx)
        if ctx.daemon.network_exists(ctx.plan.park_network):  # a container runs on it
            return
    parent = ctx.daemon.first_bridge(containers)
    if parent is None:
        raise StepError(
            "no-bridge",
            f"{ctx.plan.green} is on no bridge network, so nothing can be parked beside it.",
            hint="cutover swap --strategy recreate",
        )
    labels = {"io.cutover.project": ctx.plan.project}
    ctx.daemon.create_macvlan(ctx.plan.park_network, parent, labels, ipv6=ipv6)


def _needs_ipv6(ctx: Context, containers: list[Container]) -> bool:
    """Say whether the park network comes before all networks of these containers only when it has IPv6."""
    others = {e.network: e.network_id for c in containers for e in c.endpoints if e.network != ctx.plan.park_network}
    return any(n < ctx.plan.park_network or ctx.daemon.has_ipv6(i or n) for n, i in others.items())


def remove_park_network(ctx: Context) -> None:
    """Remove the park network; stopped containers are taken off it first, and while one runs on it, it stays."""
    ours = (ctx.plan.project, f"{ctx.plan.project}-edge")
    on_it = [
        c
        for project in ours
        for c in ctx.daemon.containers(project)
        if any(e.network == ctx.plan.park_network for e in c.endpoints)
    ]
    if any(c.running for c in on_it):
        return
    for container in on_it:
        ctx.daemon.disconnect(ctx.plan.park_network, container.id)
    ctx.daemon.remove_network(ctx.plan.park_network)


def park(ctx: Context, container: Container) -> None:
    """Take a container's host ports from it, or keep it from having them when it starts."""
    if not is_parked(ctx, container):
        ctx.daemon.connect(ctx.plan.park_network, container.id)


def unpark(ctx: Context, container: Container) -> None:
    """Give a container its host ports."""
    if is_parked(ctx, container):
        ctx.daemon.disconnect(ctx.plan.park_network, container.id)


def is_parked(ctx: Context, container: Container) -> bool:
    """Say whether a container is on the park network now, running or not."""
    return ctx.daemon.on_network(container, ctx.plan.park_network)


def start_parked(ctx: Context, container: Container) -> None:
    """Park a stopped container, start it, and see that it holds no host port.

    Raises:
        StepError: it does not start, or this Engine publishes its ports all the same.

    """
    ensure_park_network(ctx)
    park(ctx, container)
    for tries_left in reversed(range(START_TRIES)):
        try:
            ctx.daemon.start(container.id)
            break
        except EngineError as error:
            refused = _never_ran(ctx, container)
            if tries_left and refused:
                continue
            raise StepError(
                "start-failed",
                f"{container.name} does not start: {error.message}",
                evidence=[*error.evidence, *ctx.daemon.logs(container.id)],
                hint="cutover swap --strategy recreate" if refused else f"docker logs {container.name}",
            ) from error
    now = ctx.daemon.container(container.id)
    if now is not None and now.published:
        raise StepError(
            "parking-failed",
            "This Engine publishes the ports of a parked container all the same.",
            evidence=[f"{now.name} holds {', '.join(map(str, now.published))}"],
            hint="cutover swap --strategy recreate",
        )


def _never_ran(ctx: Context, before: Container) -> bool:
    """Say whether the start was refused for its surroundings: the exit code may be that of an earlier run."""
    now = ctx.daemon.container(before.id)
    return (
        now is not None
        and not now.running
        and now.started_at == before.started_at
        and now.exit_code not in COMMAND_FAILED
    )
