"""What comes back: nothing, late, in another language, or that all is not well."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cutover.model import Certainty, Finding, Health, Severity
from cutover.ports.facts import Facts, Probed, Queue
from cutover.ports.owners import tidy_command
from cutover.ports.rules.common import LOG_LINES, error, log
from cutover.wire.speech import Speech, Tongue

ANSWER_REQ = frozenset({"REP", "ROUTER", None})
"""The sockets that answer a REQ client; None: it did not tell."""
OWN_WAYS = frozenset({"host", "none"})
"""What is no network to share: whoever is there is reached in other ways, or in none."""
HEALTHY = re.compile(r"health|ready|live|status|ping", re.IGNORECASE)
ANSWERS_ANYBODY = frozenset({Tongue.HTTP, Tongue.TLS, Tongue.REDIS, Tongue.NATS})
LOOPBACK = re.compile(r"localhost$|127\.|::1$")
THREAD_DIED = re.compile(r"^\s*(?:Exception in thread |Unhandled exception|thread '.*' panicked at)")
"""Not a traceback alone: who prints one has caught its exception, more often than not."""


def unhealthy(facts: Facts) -> Iterator[Finding]:
    """Say that the healthcheck fails, or cannot be run at all."""
    container = facts.container
    if not container.running or container.health is Health.NONE:
        return
    output = [f"healthcheck: {line}" for line in facts.health_output.splitlines()[-LOG_LINES:]]
    command = next((word for word in facts.health_command if word not in {"CMD", "CMD-SHELL"}), "").split(" ")[0]
    missing = rf"{re.escape(command)}\"?: (?:executable file |command )?not found|{re.escape(command)}: no such file"
    if container.health is not Health.HEALTHY and command and re.search(missing, facts.health_output):
        yield error(
            "healthcheck-missing",
            f"The healthcheck of {container.name} cannot be run: its image has no {command}.",
            [f"healthcheck: {tidy_command(facts.health_command)}", *output],
            f"install {command} in the image, or ask with what is there (python3 -c ..., wget)",
        )
    elif container.health is Health.UNHEALTHY:
        message = f"The healthcheck of {container.name} failed {container.failing_streak} times in a row."
        yield error(
            "unhealthy",
            message,
            output or ["healthcheck: no output"],
            f"docker inspect -f '{{{{json .State.Health}}}}' {container.name}",
        )


def answers(facts: Facts) -> Iterator[Finding]:
    """Say of each failed probe why it failed, where somebody listens."""
    if not facts.container.running:
        return
    for probed in facts.probed:
        if not probed.ok and facts.reachable(probed.target):
            yield _why(facts, probed, facts.speaks.get(probed.target))


def _why(facts: Facts, probed: Probed, heard: Speech | None) -> Finding:
    if heard is not None and (told := _unproxied(facts, probed, heard) or _other_language(facts, probed, heard)):
        return told
    if probed.late_s is not None:
        return error(
            "slow-reply",
            f"{facts.container.name} answers on {probed.target} after {probed.late_s:.1f} s; its client waits for "
            f"{probed.timeout_s:g} s.",
            [f"probe {probed.probe}", *log(facts)],
            f"a timeout above {probed.late_s:.0f} s in the client, or find out what takes so long",
        )
    return _wrong(facts, probed) if probed.replied else _silent(facts, probed, heard)


def _silent(facts: Facts, probed: Probed, heard: Speech | None) -> Finding:
    if probed.kind == "zmq" and heard is not None and heard.tongue is Tongue.ZMTP:
        return _not_reading(facts, probed)
    queue = facts.queues.get(probed.target)
    if queue is not None and (queue.connections or queue.unread):
        return _not_accepting(facts, probed, queue)
    name = facts.container.name
    if probed.host and heard is not None and heard.tongue in ANSWERS_ANYBODY:
        return error(
            "no-answer",
            f"{name} speaks {heard} at its own address, and by way of {probed.host} nothing comes back: "
            f"{probed.detail}.",
            [f"probe {probed.probe}", f"port {probed.target} inside: {heard}"],
            "who has the host's port, and what the firewall does with it: cutover ports; iptables -t nat -nvL DOCKER",
        )
    message = f"{name} listens on {probed.target} and does not answer: {probed.detail}."
    return error("no-answer", message, [f"probe {probed.probe}", *log(facts)], f"docker logs {name}")


def _unproxied(facts: Facts, probed: Probed, heard: Speech) -> Finding | None:
    """Say that the port is a rule of the firewall alone, and what comes over loopback does not meet it."""
    holds = facts.unproxied.get(probed.target)
    if holds is None or probed.replied or not LOOPBACK.match(probed.host) or heard.tongue is Tongue.NOBODY:
        return None
    return error(
        "loopback-unproxied",
        f"{facts.container.name} answers at its own address, and its published port does not at {probed.host}: "
        "Docker's userland proxy is off, so the port is a rule of the firewall, and what comes over loopback may not "
        "meet it.",
        [f"probe {probed.probe}: {probed.detail}", holds, f"port {probed.target} inside: {heard}"],
        "ask at another address of this host; or let Docker start its proxy again (`userland-proxy` in daemon.json)",
    )


def _other_language(facts: Facts, probed: Probed, heard: Speech) -> Finding | None:
    """Say that the client and the service do not speak the same, where that is seen."""
    evidence = [f"probe {probed.probe}: {probed.detail}", f"port {probed.target} inside: {heard}"]
    name, peer = facts.container.name, heard.peer
    asks_zmq = probed.kind == "zmq"
    if peer is None or not asks_zmq:
        speaks = {"zmq": Tongue.ZMTP, "http": Tongue.HTTP, "https": Tongue.TLS}.get(probed.kind)
        known = heard.tongue not in {Tongue.TCP, Tongue.SILENT, Tongue.NOBODY, Tongue.HUNG_UP}
        if speaks is None or heard.tongue is speaks or not known:
            return None
        return error(
            "wrong-protocol",
            f"{name} speaks {heard} on {probed.target}, and is asked over {probed.kind}.",
            evidence,
            "publish the port that speaks it, or ask this one as it speaks",
        )
    if peer.mechanism not in {None, "NULL"}:
        return error(
            "wrong-mechanism",
            f"{name} wants {peer.mechanism} on {probed.target}, and is asked without: libzmq drops such a client, and "
            "says nothing.",
            evidence,
            f"give the client its {peer.mechanism} keys, or start the service without",
        )
    if probed.bare and peer.socket_type in {"REP", "REQ"}:
        return error(
            "wrong-socket-type",
            f"{name} has a {peer.socket_type} socket on {probed.target}, and its client is a DEALER that sends no "
            "empty frame before the request: libzmq drops that, and says nothing.",
            evidence,
            "send an empty frame first, as a REQ does (in a suite: delimiter: true), or answer with a ROUTER",
        )
    if peer.socket_type not in ANSWER_REQ:
        return error(
            "wrong-socket-type",
            f"{name} has a {peer.socket_type} socket on {probed.target}: it never answers a request.",
            evidence,
            f"bind a REP or ROUTER socket there, or connect what belongs to {peer.socket_type}",
        )
    return None


def _not_reading(facts: Facts, probed: Probed) -> Finding:
    died = [f"log: {line}" for line in facts.log if THREAD_DIED.search(line)]
    queue = facts.queues.get(probed.target)
    waits = [f"port {probed.target} inside: {queue}"] if queue is not None else []
    why = "its log shows an exception that nobody caught" if died else "its request loop does not read, most likely"
    waited = f" in {probed.waited_s:g} s" if probed.waited_s else ""
    return error(
        "not-reading",
        f"{facts.container.name} shakes hands on {probed.target} and sends no reply{waited}: {why}; that libzmq still "
        "accepts is the work of its own thread.",
        [
            f"probe {probed.probe}: {probed.detail}",
            *waits,
            *(f"thread: {line}" for line in facts.stack),
            *died,
            *log(facts),
        ],
        f"docker logs {facts.container.name}; py-spy dump --pid {facts.process(probed.target)}; then restart it",
        Certainty.CERTAIN if died or (queue is not None and queue.unread) else Certainty.LIKELY,
    )


def _not_accepting(facts: Facts, probed: Probed, queue: Queue) -> Finding:
    return error(
        "not-reading",
        f"{facts.container.name} listens on {probed.target} and does not take what comes: the kernel accepts "
        "for it, and its own loop does not read.",
        [
            f"port {probed.target} inside: {queue}",
            f"probe {probed.probe}: {probed.detail}",
            *(f"thread: {line}" for line in facts.stack),
            *log(facts),
        ],
        f"docker logs {facts.container.name}; py-spy dump --pid {facts.process(probed.target)}; then restart it",
    )


def _wrong(facts: Facts, probed: Probed) -> Finding:
    evidence = [f"probe {probed.probe}", *log(facts)]
    if probed.kind in {"http", "https"} and HEALTHY.search(probed.path):
        message = f"{facts.container.name} answers on {probed.target}, and says that it is not well: {probed.detail}."
        return error("health-not-ok", message, evidence, f"docker logs {facts.container.name}")
    message = f"{facts.container.name} answers on {probed.target}, and not as expected: {probed.detail}."
    return error("wrong-answer", message, evidence, "mend the service, or `expect` of the probe in cutover.yaml")


def alias_missing(facts: Facts) -> Iterator[Finding]:
    """Say that another service asks for this one, by its port, under a name that nobody has there."""
    for named in facts.misnamed:
        if named.resolves:
            continue
        service = facts.container.service
        tried = named.resolves is False
        yield Finding(
            "alias-missing",
            Severity.ERROR if tried else Severity.WARNING,
            f"{named.service} asks for {named.host}:{named.port}, and no container on its networks has that name; "
            f"{service} listens on {named.port}.",
            (
                f"{named.service}: {named.where} names {named.host}:{named.port}",
                *([f"{named.service}: `getent hosts {named.host}` finds nothing"] if tried else []),
            ),
            f"networks: {{NETWORK: {{aliases: [{named.host}]}}}} in {service}, or write {service} into {named.where}",
            Certainty.LIKELY if tried else Certainty.POSSIBLE,
        )


def other_network(facts: Facts) -> Iterator[Finding]:
    """Say that a service which depends on this one shares no network with it."""
    mine = {e.network for e in facts.container.endpoints}
    if not facts.container.running or mine & OWN_WAYS:
        return
    for dependant in facts.dependants:
        theirs = set(dependant.networks)
        if mine and theirs and not theirs & (mine | OWN_WAYS):
            yield Finding(
                "other-network",
                Severity.ERROR if dependant.names_it else Severity.WARNING,
                f"{dependant.service} depends on {facts.container.service} and shares no network with it: neither its "
                "name nor its address leads anywhere from there.",
                (
                    f"{facts.container.service}: {', '.join(sorted(mine))}",
                    f"{dependant.service}: {', '.join(sorted(dependant.networks))}",
                ),
                f"add one of {', '.join(sorted(mine))} to the networks of {dependant.service}",
            )
