"""What may be wrong, in the order of cause: what is found first explains what is found later."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cutover.model import Finding
from cutover.ports.facts import Facts
from cutover.ports.rules import answers, host, listening, process

RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    process.gpu_refused,
    host.host_port_held,
    process.oom_killed,
    process.died_on_import,
    process.port_wanted_twice,
    process.not_started,
    process.paused,
    process.exited,
    process.restarting,
    listening.not_where_published,
    listening.loopback_only,
    listening.ipv6_only,
    host.firewall,
    answers.unhealthy,
    answers.answers,
    answers.other_network,
    answers.alias_missing,
    host.ephemeral,
    listening.not_published,
    host.one_address,
)
