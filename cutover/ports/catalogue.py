"""Every finding of the doctor: what it means, from what it is told, and what helps. Codes are stable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cutover.model import Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding as the documentation tells it."""

    severity: Severity
    meaning: str
    evidence: str
    cure: str


def _error(meaning: str, evidence: str, cure: str) -> Entry:
    return Entry(Severity.ERROR, meaning, evidence, cure)


CATALOGUE: Final[Mapping[str, Entry]] = {
    "gpu-refused": _error(
        "The Engine does not take its GPU reservation.",
        "the Engine's own refusal",
        "install the NVIDIA container toolkit; for a test stack, `--no-gpu`",
    ),
    "host-port-container": _error(
        "Another container publishes the host port that it wants.",
        "that container, its service, what it publishes",
        "stop that container, or publish another host port",
    ),
    "host-port-foreign": _error(
        "A process of the host, in no container, listens on the host port that it wants.",
        "PID and command of the process, as far as this user may see them",
        "end that process, or publish another host port",
    ),
    "stale-proxy": _error(
        "A docker-proxy holds the host port, and leads to no container that there is.",
        "its PID, and where it leads",
        "restart the Engine",
    ),
    "oom-killed": _error(
        "The kernel killed it because it needed more memory than its limit.",
        "the Engine's `OOMKilled`, the end of the log",
        "raise `mem_limit`, or have it need less",
    ),
    "died-on-import": _error(
        "A Python program that ended while it was loaded: a module is missing, or a line cannot be read.",
        "the last line of the traceback",
        "install what is missing in the image, or mend the line",
    ),
    "port-wanted-twice": _error(
        "Two parts of one service want the same port inside: the second ended with `Address already in use`, though "
        "the host's port is free.",
        "the line of the log, and who inside has the port",
        "give each part a port of its own, or start one of them only",
    ),
    "no-container": _error(
        "The compose files declare the service, and nothing was ever made from that.",
        "the ports that it declares",
        "`docker compose up -d SERVICE`",
    ),
    "not-started": _error(
        "Its container was created and never ran.",
        "the Engine's error, if it told one",
        "`docker compose up -d SERVICE`",
    ),
    "paused": _error("Its processes are frozen.", "the container's state", "`docker unpause CONTAINER`"),
    "exited": _error(
        "Its process has ended. A job without ports that ended well is no fault.",
        "exit code and what it means, the Engine's error, the end of the log",
        "`docker logs CONTAINER`",
    ),
    "restarting": _error(
        "Its process ends again and again, and Docker starts it each time.",
        "how often, by which policy, the last exit code, the end of the log",
        "`docker logs CONTAINER`",
    ),
    "port-mismatch": _error(
        "An environment variable or an argument names another port than the published one, and it listens there.",
        "who listens inside, what the probes got",
        "make the two agree",
    ),
    "listens-elsewhere": _error(
        "It listens, but not on the port that is published.",
        "who listens inside, what the probes got",
        "publish the port that it listens on, or have it listen on the other",
    ),
    "still-starting": _error(
        "Nobody listens on a published port yet, and the log says that it loads.",
        "how long ago it was started, the line of the log",
        "wait, and look again",
    ),
    "nothing-listens": _error(
        "Nobody listens on a published port, and nothing says why.",
        "who listens inside, settings that name another port, the end of the log",
        "see its log",
    ),
    "loopback-only": _error(
        "It listens on 127.0.0.1 or ::1 inside its container: no published port ever leads there.",
        "the listener, its process",
        "listen on 0.0.0.0",
    ),
    "ipv6-only": _error(
        "It listens on IPv6 alone, and Docker's port leads to the container's IPv4 address.",
        "the listener, and the refusal at the IPv4 address",
        "listen on 0.0.0.0, or on [::] without IPV6_V6ONLY",
    ),
    "healthcheck-missing": _error(
        "The healthcheck's command is not in the image: the service may be fine.",
        "the healthcheck, and what Docker says of it",
        "install the command, or ask with one that is there",
    ),
    "unhealthy": _error(
        "The healthcheck runs and fails.",
        "how often, and its output",
        "what its output says",
    ),
    "loopback-unproxied": _error(
        "It answers at its own address, and its published port does not over loopback: the Engine runs without its "
        "userland proxy, so the port is a rule of the firewall alone.",
        "who holds the host port instead of a docker-proxy, what the probe got, what is spoken inside",
        "ask at another address of the host, or let Docker start its proxy",
    ),
    "wrong-protocol": _error(
        "It is asked in one protocol and speaks another: HTTP on the ZeroMQ port, or the reverse, or TLS.",
        "the probe, and what was heard on the port",
        "publish the port that speaks it, or ask this one as it speaks",
    ),
    "wrong-mechanism": _error(
        "It wants CURVE or PLAIN, and its client has neither: libzmq drops such a client in silence.",
        "the mechanism in its ZMTP greeting",
        "give the client its keys, or start the service without",
    ),
    "wrong-socket-type": _error(
        "Its ZeroMQ socket never answers a request: PUB, PULL, PUSH and the like.",
        "the socket type in its ZMTP handshake",
        "bind REP or ROUTER, or connect what belongs to the type",
    ),
    "slow-reply": _error(
        "It answers, after its client has given up.",
        "how long the answer took, and how long the client waits",
        "a longer timeout in the client, or a shorter answer",
    ),
    "not-reading": _error(
        "The ZeroMQ handshake is fine, for libzmq's own thread does that; the loop that should read requests does not.",
        "no reply in eight seconds, an exception in the log, the stack of its threads where py-spy is there, Recv-Q",
        "what the stack or the exception says; restart it",
    ),
    "health-not-ok": _error(
        "Its health endpoint answers, and says that it is not well.",
        "status and body",
        "what the body says",
    ),
    "wrong-answer": _error(
        "It answers, and not as the probe expects.",
        "what was expected, what came",
        "mend the service, or the probe's `expect`",
    ),
    "no-answer": _error(
        "Somebody listens, and nothing comes back.",
        "what the probe got, the end of the log",
        "`docker logs CONTAINER`",
    ),
    "other-network": _error(
        "A service that depends on it shares no network with it.",
        "the networks of both",
        "put both on one network",
    ),
    "alias-missing": _error(
        "Another service asks for it under a name that no container on that service's networks has.",
        "the setting that names host and port",
        "give the container that alias, or write the right name",
    ),
    "firewall-drops": _error(
        "A rule of the host's firewall drops what other machines send to it.",
        "the rule, as `iptables-save` shows it",
        "remove the rule, or let the port through before it",
    ),
    "host-port-ephemeral": Entry(
        Severity.WARNING,
        "The host port lies in the range from which the kernel takes ports for outgoing connections: any of them may "
        "have it when the container is started.",
        "`/proc/sys/net/ipv4/ip_local_port_range`",
        "a port below the range, or `net.ipv4.ip_local_reserved_ports`",
    ),
    "listened-not-published": Entry(
        Severity.WARNING,
        "It listens on a port that is not published; information only, unless a setting or its log names that port, or "
        "a published one is not served.",
        "the listeners, the setting or the line of the log",
        "publish it, if somebody outside is to ask it",
    ),
    "kept-by-cutover": Entry(
        Severity.INFO,
        "It is the green of the last swap: stopped by that, and kept for the way back.",
        "the run",
        "`cutover commit` when it is not needed any more, `cutover rollback` when it is",
    ),
    "one-address": Entry(
        Severity.INFO,
        "The port is bound to one address of the host, and refused at all others.",
        "the binding",
        "publish it without an address",
    ),
}


def document() -> str:
    """Return docs/findings.md."""
    lines = [
        "# Findings",
        "",
        "What `cutover doctor` can name, in the order of cause: the first finding explains those after it. Codes are",
        "stable. An error is told as a warning where the service does what it should all the same, or where the signs",
        "may mean something else; how sure it is stands beside it: certain, likely, possible.",
        "Generated: `python -m cutover.ports.catalogue > docs/findings.md`.",
        "",
        "| code | severity | meaning | evidence | what helps |",
        "| --- | --- | --- | --- | --- |",
    ]
    for code, entry in CATALOGUE.items():
        lines.append(f"| `{code}` | {entry.severity} | {entry.meaning} | {entry.evidence} | {entry.cure} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    import sys

    sys.stdout.write(document())
