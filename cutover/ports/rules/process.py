"""Its process: killed, ended, crashing, dead on import, at odds with itself over a port."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cutover.model import Certainty, Container, ContainerState, Finding, Severity
from cutover.ports.facts import Facts
from cutover.ports.rules.common import address_in_use, error, log, program

SIGKILLED = 137
SIGNALS = {SIGKILLED: "killed (SIGKILL)", 139: "crashed (SIGSEGV)", 134: "aborted (SIGABRT)", 143: "stopped (SIGTERM)"}
COMMAND_FAILED = {126: "its command cannot be run", 127: "its command is not there"}
IMPORT = re.compile(r"(?:ModuleNotFoundError|ImportError|IndentationError|TabError|SyntaxError): ")
LAST_WORDS = 3
"""How many lines of the log are its last words: an import that failed before, and was done without, is none of them."""
LATELY_S, JUST_NOW_S, OFTEN = 60.0, 10.0, 2
"""A container that has run for longer since it was last restarted, or was restarted once, does not keep crashing."""


def gpu_refused(facts: Facts) -> Iterator[Finding]:
    """Say that the Engine takes no GPU reservation."""
    if facts.gpu_refusal:
        yield error(
            "gpu-refused",
            "The Engine does not take its GPU reservation.",
            [f"engine: {facts.gpu_refusal}"],
            f"cutover up {facts.container.service} --no-gpu"
            if facts.test_stack
            else "install the NVIDIA container toolkit and restart the Engine; docker info tells the runtimes it has",
        )


def oom_killed(facts: Facts) -> Iterator[Finding]:
    """Say that the kernel killed it for its memory; a process of its, where it runs on."""
    if not facts.oom_killed:
        return
    cure = "raise its memory limit (mem_limit, deploy.resources.limits)"
    name = facts.container.name
    code = facts.container.exit_code
    ended = facts.gone or facts.container.state is ContainerState.RESTARTING
    if ended and code == SIGKILLED:
        message = f"{name} needed more memory than it may have, and was killed by the kernel."
        yield error("oom-killed", message, log(facts), cure)
        return
    message = f"A process of {name} needed more memory than the container may have, and was killed by the kernel"
    if ended and code:
        yield error("oom-killed", f"{message}; it ended with code {code}.", log(facts), cure)
    else:
        yield Finding("oom-killed", Severity.WARNING, f"{message}.", tuple(log(facts)), cure)


def died_on_import(facts: Facts) -> Iterator[Finding]:
    """Say that Python could not read the program, where that was its end: its last words, and a failure."""
    ended = facts.gone or facts.container.state is ContainerState.RESTARTING
    deaf = facts.container.running and bool(facts.unmet) and facts.listeners is not None
    if facts.oom_killed or not (ended or deaf):
        return
    said = [line.strip() for line in facts.log[-LAST_WORDS:] if IMPORT.match(line.strip())]
    if said and (deaf or facts.container.exit_code != 0):
        last = facts.log[-1].strip() == said[-1] and facts.container.exit_code == 1
        yield error(
            "died-on-import",
            f"{facts.container.name} is a Python program that ended while it was loaded: {said[-1]}.",
            log(facts),
            "install what is missing in its image, or mend the line that is named",
            Certainty.CERTAIN if last else Certainty.LIKELY,
        )


def port_wanted_twice(facts: Facts) -> Iterator[Finding]:
    """Say that something inside has the port already: the host's ports are another matter."""
    line, port = address_in_use(facts.log)
    owner = next((x for x in facts.open if x.port == port), None)
    if not line or facts.conflicts or (facts.container.on_host and owner is None):
        return
    where = f"port {port}" if port else "a port"
    by = program(owner.command or "") if owner else ""
    held = [f"held inside by {owner.address}:{owner.port} ({by or 'command unknown'})"] if owner else []
    yield Finding(
        "port-wanted-twice",
        Severity.ERROR if facts.amiss else Severity.WARNING,
        f"Two parts of {facts.container.name} want {where}: one has it, the other ended with `Address already in use`.",
        (f"log: {line}", *held),
        "give each part a port of its own, or start only one of them",
        Certainty.LIKELY,
    )


def not_started(facts: Facts) -> Iterator[Finding]:
    """Say that the container was made and never ran, unless who holds its port is known."""
    if facts.container.state is ContainerState.CREATED and not (facts.conflicts or facts.gpu_refusal):
        evidence = [f"engine: {facts.engine_error}"] if facts.engine_error else []
        message = f"{facts.container.name} was created and never started."
        yield error("not-started", message, evidence, f"docker compose up -d {facts.container.service}")


def paused(facts: Facts) -> Iterator[Finding]:
    """Say that it is frozen."""
    if facts.container.state is ContainerState.PAUSED:
        yield error("paused", f"{facts.container.name} is paused.", [], f"docker unpause {facts.container.name}")


def exited(facts: Facts) -> Iterator[Finding]:
    """Say that its process has ended; a job without ports that ended well has done what it was for."""
    code = facts.container.exit_code
    if not facts.gone or (code == 0 and not facts.targets and not facts.container.wanted):
        return
    means = SIGNALS.get(code) or COMMAND_FAILED.get(code)
    message = f"{facts.container.name} exited with code {code}{f': {means}' if means else ''}."
    evidence = [*([f"engine: {facts.engine_error}"] if facts.engine_error else []), *log(facts)]
    yield error("exited", message, evidence, f"docker logs {facts.container.name}")


def restarting(facts: Facts) -> Iterator[Finding]:
    """Say that it is started again and again; a warning while it does what it should between two crashes."""
    container = facts.container
    now = container.state is ContainerState.RESTARTING
    lately = container.restart_count >= OFTEN and not facts.gone and facts.seconds < LATELY_S
    if now or lately:
        message = f"{container.name} keeps crashing: restarted {container.restart_count} times by {_policy(container)}."
        evidence = (f"last exit code {container.exit_code}", *log(facts))
        again = container.restart_count > OFTEN and facts.seconds < JUST_NOW_S and not any(p.ok for p in facts.probed)
        severity = Severity.ERROR if now or again or facts.amiss else Severity.WARNING
        yield Finding("restarting", severity, message, evidence, f"docker logs {container.name}")


def _policy(container: Container) -> str:
    return f"its restart policy {container.restart_policy}"
