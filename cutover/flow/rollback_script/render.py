"""The text of rollback.sh; pure. Whatever comes in from outside is quoted by one function, or cleaned for a comment."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from cutover.edge.redirect import table_name
from cutover.engine.address import DEFAULT_SOCKET
from cutover.engine.wayout import forgetting
from cutover.flow.lock import compose_lock
from cutover.flow.plan import Plan
from cutover.flow.rollback_script.facts import Facts, Kept
from cutover.flow.runs import BY_HAND, SCRIPT
from cutover.model import Colour, Container, Protocol

LEAST_READY_S = 60
ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (compared, not bound)


def render(facts: Facts) -> bytes:
    """Return the script that brings this run's green back."""
    parts = [
        "#!/bin/sh",
        *_head(facts),
        "",
        "# shellcheck disable=SC2016  # Docker's templates, which the shell leaves alone",
        "set -eu",
        "",
        *_constants(facts),
        "",
        *_docker(facts),
        _part("common"),
        *_ways(facts),
        *_about_files(facts),
        *_about_containers(facts),
        *_by_hand(facts),
        *_main(facts),
    ]
    return os.fsencode("\n".join(parts) + "\n")


def pinned(config: Mapping[str, Any], green: Container, plan: Plan) -> bytes:
    """Return an override file with which Compose makes green as it was; `config` is what the Engine says of it.

    It has the image, command and environment, and the ports where those that move are not all of them. YAML, for a
    list of ports replaces another one only by its tag (Compose 2.24 on).
    """
    service: dict[str, Any] = {"image": green.image}
    for key, name in (("Cmd", "command"), ("Entrypoint", "entrypoint")):
        if config.get(key):
            service[name] = [_literal(word) for word in config[key]]
    pairs = (text.partition("=") for text in config.get("Env") or ())
    service["environment"] = {name: _literal(value) for name, _, value in pairs}
    lines = [f"  {_yaml(key)}: {_yaml(value)}" for key, value in service.items()]
    if {m.binding for m in plan.moves} != set(green.wanted) or any(
        m.binding.target != m.blue_target for m in plan.moves
    ):
        lines.append(f'  "ports": !override {_yaml([str(b) for b in green.wanted])}')
    return "\n".join(["services:", f" {_yaml(plan.green)}:", *lines, ""]).encode()


def _yaml(value: str | list[str] | dict[str, str]) -> str:
    """Return YAML in ASCII. JSON is YAML but for its pairs of escapes where a character has more than 16 bits."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_yaml(k)}: {_yaml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    return '"' + "".join(json.dumps(c)[1:-1] if c <= "\uffff" else f"\\U{ord(c):08x}" for c in value) + '"'


def _literal(text: str) -> str:
    """Return a text that Compose interpolates to what it is."""
    return text.replace("$", "$$")


def quoted(text: object) -> str:
    """Return a text as one word of the shell, whatever it holds."""
    return shlex.quote(str(text))


def shown(text: object) -> str:
    """Return a text that cannot end the comment that it stands in."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def _part(name: str) -> str:
    return (resources("cutover.flow.rollback_script") / "parts" / f"{name}.sh").read_text(encoding="utf-8")


# -- the head ----------------------------------------------------------------------------------------------------------


def _head(facts: Facts) -> Iterator[str]:
    plan = facts.plan
    ports = ", ".join(str(m.binding.host_port) for m in plan.moves)
    lines = [
        f"Gives ports {ports} of project {plan.project} back to {plan.green}, without cutover: sh and docker do.",
        f"Written by cutover {facts.version} before run {facts.folder.name} changed anything:",
        f"{plan.what} by {plan.strategy}.",
        "",
        f"  sh {SCRIPT} --dry-run      say what it would do",
        f"  sh {SCRIPT}                do it; it may be called again",
        f"  sh {SCRIPT} --overwrite    also where a file was edited since the swap; the edit is kept",
        "",
        "What it does:",
        *(f"  {n}. {step}" for n, step in enumerate(_steps(facts), start=1)),
        "",
        f"Silent: {_silence(facts)}",
        f"Afterwards cutover knows: {BY_HAND} lies beside this script.",
        "Exit codes: 0 done, 1 refused and nothing changed, 2 usage, 4 it needs your hands, as the last lines say.",
    ]
    return (f"# {shown(line)}".rstrip() for line in lines)


def _steps(facts: Facts) -> Iterator[str]:
    plan, edited = facts.plan, ", ".join(k.path.name for k in facts.files)
    yield "sees that no cutover is at work, that no later swap stands on this one, and that the saved copies are whole;"
    if edited:
        yield f"puts {edited} back, and keeps what is there now in before-rollback/;"
    if facts.rolls:
        yield f"brings the old container of {plan.green} back, or has Compose make one of {facts.green.image};"
    else:
        yield f"has {plan.green} run again, made again by Compose where it is gone;"
    if facts.stands:
        yield f"tells the edge to send every request to {plan.green}; one that does not listen is started again;"
    elif facts.adopts:
        yield f"moves the ports from the edge to {plan.green}, and takes the edge away;"
    else:
        yield f"stops {plan.called(Colour.BLUE)}, and gives the ports to {plan.green};"
    yield f"takes away what the swap made: {plan.called(Colour.BLUE)}, the network {plan.park_network};"
    yield "sees that nobody else holds the ports, and that each takes a connection."


def _silence(facts: Facts) -> str:
    green = facts.plan.green
    if facts.stands and facts.rolls:
        return f"requests wait at the edge while {green} loads, where its old container is gone."
    if facts.stands and facts.plan.edge is not None and facts.plan.edge.exclusive:
        return f"requests wait at the edge while {green} loads."
    if facts.stands:
        return f"not at all; {facts.plan.blue} serves until {green} answers."
    return f"about a second where {green} still waits parked; else for as long as {green} takes to load."


# -- constants ---------------------------------------------------------------------------------------------------------


def _constants(facts: Facts) -> Iterator[str]:
    plan, folder = facts.plan, facts.folder
    ports = dict.fromkeys(f"{m.binding.host_port}/{m.binding.protocol}" for m in plan.moves)
    values: dict[str, object] = {
        "PROJECT": plan.project,
        "GREEN": plan.green,
        "BLUE": plan.blue,
        "PORTS": " ".join(ports),
        "PARK": plan.park_network,
        "RUN_ID": folder.name,
        "RUN": folder,
        "RUNS": folder.parent,
        "LOCK": facts.state / f"{plan.project}.lock",
        "COMPOSE_LOCK": compose_lock(facts.state, plan.project),
        "MARK": folder / BY_HAND,
        "READY_S": max(LEAST_READY_S, round(plan.ready_timeout_s)),
        "IMAGE": facts.green.image,
        "IMAGE_ID": facts.green.image_id,
        "GREEN_RESTART": facts.green.restart_policy,
        "BLUE_ID": facts.blue.id,
        "BLUE_WAS": facts.blue.state,
        "ALONE": "yes" if plan.one_at_a_time else "",
    }
    if facts.rolls:
        values |= {"GREEN_ID": plan.rolls, "GREEN_NAME": facts.green.name}
    if plan.edge is not None:
        values |= {"EDGE_FILE": facts.edge_file}
    if facts.stands and plan.edge is not None:
        values |= {"GENERATION": plan.edge.generation}
    if facts.adopts and plan.edge is not None:
        header = f"# The edge of {plan.project}, generation {plan.edge.generation}"
        values |= {"EDGE_IMAGE": plan.edge.image, "EDGE_HEADER": header, "TABLE": table_name(plan.project)}
        values |= {"FORGET_WAY_OUT": "; ".join(forgetting())}
    return (f"{name}={quoted(value)}" for name, value in values.items())


def _docker(facts: Facts) -> Iterator[str]:
    docker = _docker_word(facts)
    for name, value in sorted(facts.tls.items()):
        yield f"export {name}={quoted(value)}"
    yield from ("# The Engine and the project that the swap worked with.", f'd() {{ {docker} "$@"; }}', "")
    yield "compose() ("
    if facts.environment:
        yield "    # shellcheck source=/dev/null"
        yield f"    . {quoted(facts.environment)} # what the files took from the shell of the swap"
    env = "env " if facts.unsettable else ""
    words = [
        *(f"{name}={quoted(value)}" for name, value in sorted(facts.unsettable.items())),
        f"{docker} compose",
        *_compose_words(facts),
    ]
    yield from (f"    {line}" for line in [f"exec {env}{words[0]} \\", *(f"    {w} \\" for w in words[1:]), '    "$@"'])
    yield from (")", "")


def _docker_word(facts: Facts) -> str:
    address = facts.address
    return f"docker --context {quoted(address.context)}" if address.context else f"docker --host {quoted(address.url)}"


def _compose_words(facts: Facts) -> list[str]:
    source = facts.source
    return [
        *(f"--file={quoted(f)}" for f in source.files),
        *([f"--file={quoted(facts.pinned)}"] if facts.pinned else []),
        *(f"--profile={quoted(p)}" for p in source.profiles),
        *(f"--env-file={quoted(os.path.abspath(f))}" for f in source.env_files),  # noqa: PTH100  (links stay links)
        f"--project-name={quoted(facts.plan.project)}",
        f"--project-directory={quoted(source.folder)}",
    ]


# -- what differs by strategy ------------------------------------------------------------------------------------------


def _ways(facts: Facts) -> list[str]:
    if facts.stands:
        return [_part("edge")]
    made = _part("make_rolled" if facts.rolls else "make_service")
    return [_part("ports"), made, *([_part("adopted")] if facts.adopts else [])]


def _about_files(facts: Facts) -> Iterator[str]:
    copies = (f"check_copy {quoted(k.copy)} \\\n        {k.state.sha256}" for k in (*facts.copies, *facts.edge_files))
    edited = (_words("check_file", k.path, k.copy, k.state.sha256, k.after) for k in facts.files)
    yield "# -- this run " + "-" * 107
    yield ""
    yield from _function("see_files", [*copies, *edited])
    if facts.pinned:
        sees = (
            'compose config --quiet || refuse "Compose does not take the files" "mend what it says, then again: sh $0"'
        )
        yield from _function("see_model", [sees])
    yield from _function("files_back", map(_put_back, facts.files))
    if facts.stands:
        yield from _function("edge_files_back", map(_put_back, facts.edge_files))


def _put_back(kept: Kept) -> str:
    state = kept.state
    return _words("put_back", kept.path, kept.copy, state.sha256, f"{state.mode:o} {state.uid} {state.gid}")


def _words(name: str, path: Path, copy: Path, sha256: str, last: str) -> str:
    return " \\\n        ".join([f"{name} {quoted(path)}", quoted(copy), sha256, last])


def _about_containers(facts: Facts) -> Iterator[str]:
    if facts.rolls:
        yield _part("rolled")
    else:
        yield 'green_ids() { service_ids "$GREEN"; }'
        yield 'blue_ids() { service_ids "$BLUE"; }'
        yield ""
    if not facts.stands:
        yield f"other_ids() {{ blue_ids{'; edge_ids' if facts.adopts else ''}; }} # who may have the ports of green"
        yield ""


def _by_hand(facts: Facts) -> Iterator[str]:
    plan = facts.plan
    labels = [f"com.docker.compose.project={plan.project}", f"com.docker.compose.service={plan.blue}"]
    edge = [f"io.cutover.project={plan.project}", "io.cutover.edge"]
    usual = facts.address.context is None and facts.address.url == DEFAULT_SOCKET
    docker = "docker" if usual else _docker_word(facts)
    stop = [] if facts.stands or facts.rolls else [f"{docker} stop {_found(docker, labels)}"]
    lines = [
        "by hand, if calling this again does not help:",
        *(f"  cp {quoted(k.copy)} {quoted(k.path)}" for k in facts.files),
        *(f"  {line}" for line in stop),
        *([f"  {docker} rm -f {_found(docker, edge)}"] if facts.adopts else []),
        f"  {docker} network disconnect -f {quoted(plan.park_network)} {quoted(facts.green.name)}  # if it is on it",
        *([f"  . {quoted(facts.environment)}"] if facts.environment else []),
        f"  {docker} compose {' '.join(_compose_words(facts))} up -d --no-deps {quoted(plan.green)}",
        *([f"  {docker} restart {_found(docker, edge)}"] if facts.stands else []),
        "docs/runbook.md has more",
    ]
    yield from _function("by_hand", [f"say {quoted(line)}" for line in lines])


def _found(docker: str, labels: list[str]) -> str:
    filters = " ".join(f"--filter label={quoted(label)}" for label in labels)
    return f"$({docker} ps -aq {filters})"


def _main(facts: Facts) -> Iterator[str]:
    plan = facts.plan
    seen = [
        f"accepted {quoted(_reached(facts, m.binding.host_ip))} {m.binding.host_port}"
        for m in plan.moves
        if m.binding.protocol is Protocol.TCP
    ]
    bring = ["have_edge", "have_green", "wait_healthy", "give_back"] if facts.stands else ["give_back", "wait_healthy"]
    steps = [
        "see_place",
        "see_alone",
        "see_newest",
        "see_engine",
        "see_files",
        *(["see_model"] if facts.pinned else []),
        "see_green",
        "files_back",
        *bring,
        "as_before",
        "see_green_alone",
        *dict.fromkeys(seen),
        "blue_away",
        *(["edge_away"] if facts.adopts else []),
        *(["name_again"] if facts.rolls else []),
        "park_away",
        "finish",
    ]
    yield from [
        'for option in "$@"; do',
        "    case $option in",
        "    --dry-run) dry=yes ;;",
        "    --overwrite) overwrite=yes ;;",
        "    --help | -h) usage && exit 0 ;;",
        '    *) say "usage: sh rollback.sh [--dry-run] [--overwrite] [--help]" >&2 && exit 2 ;;',
        "    esac",
        "done",
        "",
        "trap 'broke_off $?' EXIT",
        "trap 'exit 130' HUP INT TERM",
        f"say {quoted(f'back to {plan.green} in project {plan.project} (run {facts.folder.name})')}",
        *steps,
    ]


def _reached(facts: Facts, host_ip: str) -> str:
    if not facts.address.local:
        return facts.address.host
    return ANYWHERE.get(host_ip, host_ip)


def _function(name: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    yield f"{name}() {{"
    yield from (f"    {line}" for line in found or [":"])
    yield from ("}", "")
