"""Its process: killed, ended, crashing, dead on import, at odds with itself over a port."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cutover.model import Certainty, Container, ContainerState, Finding, Severity
from cutover.ports.facts import Facts
from cutover.ports.rules.common import error, log

SIGNALS = {137: "killed (SIGKILL)", 139: "crashed (SIGSEGV)", 134: "aborted (SIGABRT)", 143: "stopped (SIGTERM)"}
COMMAND_FAILED = {126: "its command cannot be run", 127: "its command is not there"}
IMPORT = re.compile(r"\b(?:ModuleNotFoundError|ImportError|IndentationError|TabError|SyntaxError): ")
IN_USE = re.compile(r"address already in use|EADDRINUSE|errno 98|errno: 98", re.IGNORECASE)
LAST_WORDS = 3
"""How many lines of the log are its last words: an import that failed before, and was done without, is none of them."""
LATELY_S = 60.0
"""A container that has run for longer since it was last restarted does not keep crashing."""
PORT = re.compile(r":(\d{2,5})\b")


def gpu_refused(facts: Facts) -> Iterator[Finding]:
    """Say that the Engine takes no GPU reservation."""
    if facts.gpu_refusal:
        yield error(
            "gpu-refused",
            "The Engine does not take its GPU reservation.",
            [facts.gpu_refusal],
            f"cutover up {facts.container.service} --no-gpu",
        )


def oom_killed(facts: Facts) -> Iterator[Finding]:
    """Say that the kernel killed it for its memory."""
    if facts.oom_killed:
        message = f"{facts.container.name} needed more memory than it may have, and was killed by the kernel."
        yield error("oom-killed", message, log(facts), "raise its memory limit (mem_limit, deploy.resources.limits)")


def died_on_import(facts: Facts) -> Iterator[Finding]:
    """Say that Python could not read the program, where that was its end."""
    if not (facts.gone or _crashes(facts)):
        return
    lines = [line for line in facts.log[-LAST_WORDS:] if IMPORT.search(line)]
    if lines and not facts.oom_killed:
        yield error(
            "died-on-import",
            f"{facts.container.name} is a Python program that ended while it was loaded: {lines[-1].strip()}.",
            log(facts),
            "install what is missing in its image, or mend the line that is named",
        )


def port_wanted_twice(facts: Facts) -> Iterator[Finding]:
    """Say that something inside has the port already: the host's ports are another matter."""
    lines = [line for line in facts.log if IN_USE.search(line)]
    if not lines or facts.conflicts:
        return
    port = next((int(m[1]) for line in reversed(lines) for m in PORT.finditer(line)), None)
    owner = next((x for x in facts.open if x.port == port), None)
    where = f"port {port}" if port else "a port"
    held = [f"held inside by {owner.address}:{owner.port} ({owner.command or 'command unknown'})"] if owner else []
    yield Finding(
        "port-wanted-twice",
        Severity.ERROR if facts.amiss else Severity.WARNING,
        f"Two parts of {facts.container.name} want {where}: one has it, the other ended with `Address already in use`.",
        (f"log: {lines[-1]}", *held),
        "give each part a port of its own, or start only one of them",
        Certainty.LIKELY,
    )


def not_started(facts: Facts) -> Iterator[Finding]:
    """Say that the container was made and never ran, unless who holds its port is known."""
    if facts.container.state is ContainerState.CREATED and not facts.conflicts:
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
    """Say that it is started again and again."""
    if _crashes(facts):
        container = facts.container
        message = f"{container.name} keeps crashing: restarted {container.restart_count} times by {_policy(container)}."
        evidence = [f"last exit code {container.exit_code}", *log(facts)]
        yield error("restarting", message, evidence, f"docker logs {container.name}")


def _crashes(facts: Facts) -> bool:
    container = facts.container
    lately = bool(container.restart_count) and not facts.gone and facts.seconds < LATELY_S
    return container.state is ContainerState.RESTARTING or lately


def _policy(container: Container) -> str:
    return f"its restart policy {container.restart_policy}"
