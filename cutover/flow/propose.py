"""What `init` proposes: green, blue, the ports and the probes, guessed from Compose's model and from what runs."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cutover import config
from cutover.errors import RefusedError, UsageError
from cutover.files import write_atomic
from cutover.flow.observed import canonical
from cutover.flow.session import Session
from cutover.model import Container
from cutover.redact import masked

TEMPLATE = """\
# What `cutover swap` does where no option says otherwise. `cutover schema` prints every key.

# The service that answers on the legacy ports now{{ why_green }}.
green: {{ green | quoted }}

# The service that is to replace it{{ why_blue }}. It must be in the compose file, with no legacy port of its own.
blue: {{ blue | quoted }}

# Legacy ports: those of green that move to blue. Write "5570:9901" where blue listens on 9901 inside.
ports: [{{ ports | join(", ") }}]

# edge:     a proxy and a ZeroMQ broker own the ports from the first swap on; no request fails (cutover edge build).
# relink:   both run; Docker moves the ports between them in a fraction of a second.
# recreate: green stops, blue starts; silent until blue has loaded.
# auto:     the first of these that can be had; `cutover plan` says which, and why.
strategy: auto

# true: both do not fit into memory at once; with the edge, requests wait while green stops and blue loads.
exclusive: false

# Seconds for which blue is watched before the swap counts as done; two failures in a row turn it back.
observe_s: 10

# Seconds that blue may take to become ready.
ready_timeout_s: 120

# Questions that a working service answers, asked inside before the move and through the legacy port after it.
#   zmq://:5570?send={"method":"health_check"}&expect=status:ok&identity=service
#   http://:6570/health?expect=code:200
#   tcp://:5570
# identity= names the field of a JSON answer by which a service says who it is.
probes:{{ "" if probes else " []" }}
{%- for probe in probes %}
  - {{ probe | quoted }}
{%- endfor %}

# What a working service does: asked by `cutover smoke`, and by `cutover swap` before and after the move.
# suites:
#   work:
#     to: zmq://:5570
#     steps:
#       - name: load
#         request: {method: load_model}
#         expect: {json: {status: ok}}
#         save: {model: $.result.model}      # JSONPath; later steps write "${model}"
#       - name: generate
#         request: {method: generate_text, params: {model: "${model}"}}
#         expect: {matches: {$.result.text: ".+"}, within_s: 2}

# Questions to both colours (`cutover parity`), and how their replies are compared: what no rule names must be equal.
# parity:
#   to: zmq://:5570
#   rules: [{path: $..service, rule: ignore}, {path: $..score, rule: number, abs: 1.0e-6}]
#   cases: [{request: {method: list_models}}]

# How methods are asked for (`cutover surface`), what an error looks like, what a recording leaves out: cutover schema
# surface: {to: "zmq://:5570", request: {method: "{method}"}}
# errors: {when: {$.status: error}, kind: $.error.code}
# record: {mask: [$.params.prompt]}

# What the edge cannot see by itself, when a canary may go on, how long green stays warm: cutover schema
# edge: {zmq: {replay: [health_check, list_models]}, sticky: {cookie: colour}}
# canary: {steps: [5, 25, 50, 100], every_s: 60}
# retain_s: 86400

# What is saved before a swap besides the files, and which backups are kept (null means all of them).
# backup:
#   keep: {last: 10, daily: 7, weekly: 4, monthly: 6}
#   volumes: false                         # true, or the names: [data]
#   images: false
#   encrypt: age:RECIPIENT                 # or gpg:KEY; every backup

# Compose project name and files, where they are not what Compose finds by itself.
# project: {{ project }}
# files: [{{ files | map("quoted") | join(", ") }}]
"""
HEALTH_URL = re.compile(
    r"(?P<scheme>https?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(?P<port>\d+))?(?P<path>/[^\s\"'|&;)]*)?"
)
SCHEMES = {"http": 80, "https": 443}
HTTP_PORTS = {80, 8000, 8080, 8888}
"""Where hardly anything but HTTP listens; a wrong guess would call a service broken that works."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Green, blue, ports and probes, with the reason for the two names where they were guessed."""

    green: str
    blue: str
    ports: tuple[int, ...]
    probes: tuple[str, ...]
    why_green: str = ""
    why_blue: str = ""


def proposed_text(session: Session) -> str:
    """Return the text of a cutover.yaml for the project.

    Raises:
        UsageError: no service publishes a port, or there is only one service.

    """
    model = canonical(session.stack)
    project = session.name_project(str(model["name"]))
    running = [c for c in session.daemon.containers(project) if c.running]
    made = propose(model["services"], running, session.options.green, session.options.blue)
    return rendered(made, project, [f.name for f in session.stack.source.files])


def rendered(made: Proposal, project: str, files: Sequence[str]) -> str:
    """Return a proposal as the text of a cutover.yaml."""
    environment = jinja2.Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701  (YAML, not HTML)
    environment.filters["quoted"] = _quoted
    template = environment.from_string(TEMPLATE)
    return template.render(**asdict(made), project=project, files=files)


def _quoted(text: str) -> str:
    """Return a text as YAML reads it back: some look like a number, a boolean or a mapping."""
    try:
        plain = YAML(typ="safe", pure=True).load(f"- {text}") == [text]
    except (YAMLError, ValueError, LookupError):  # the library takes `._` for a number, and `+_`, and fails
        plain = False
    return text if plain else json.dumps(text, ensure_ascii=False)


def propose(services: Mapping[str, Any], running: Sequence[Container], green: str | None, blue: str | None) -> Proposal:
    """Guess who is to be replaced by whom; pure.

    Raises:
        UsageError: nothing can be proposed, or a named service does not exist.

    """
    for name in (green, blue):
        if name is not None and name not in services:
            raise UsageError(
                "unknown-service",
                f"There is no service {name!r}.",
                evidence=[f"services: {', '.join(sorted(services))}"],
                hint="docker compose config --services",
            )
    chosen, successor = _pair(services, {c.service for c in running}, green, blue)
    ports = tuple(_published(services[chosen]))
    return Proposal(
        green=chosen,
        blue=successor,
        ports=ports,
        probes=tuple(dict.fromkeys(_probes(services[chosen]))),
        why_green="" if green else " (guessed: it publishes ports, and blue's name is the nearest)",
        why_blue="" if blue else " (guessed: it publishes none of them, and its name is the nearest)",
    )


def _pair(services: Mapping[str, Any], running: set[str], green: str | None, blue: str | None) -> tuple[str, str]:
    """Return the two services whose names are most alike: one that publishes ports, one that is to have them."""
    greens = [green] if green else sorted(s for s in services if any(_published(services[s])))
    if not greens:
        raise UsageError(
            "nothing-published", "No service of this project publishes a fixed port.", hint="docker compose config"
        )
    pairs = [(g, b) for g in greens for b in ([blue] if blue else sorted(services)) if g != b]
    if not pairs:
        raise UsageError(
            "no-blue",
            f"There is no service beside {greens[0]} that could replace it.",
            hint="add the successor to the compose file, without `ports:`, then: cutover init",
        )

    def rank(pair: tuple[str, str]) -> tuple[bool, bool, float]:
        old, new = pair
        alike = difflib.SequenceMatcher(None, old, new).ratio()
        return old in running, not any(_published(services[new])), alike

    return max(pairs, key=rank)


def _published(service: Mapping[str, Any]) -> Iterator[int]:
    seen = set()
    for port in service.get("ports") or ():
        number = str(port.get("published", ""))
        if number.isdigit() and number not in seen:
            seen.add(number)
            yield int(number)


def _probes(service: Mapping[str, Any]) -> Iterator[str]:
    """Guess a probe per published port: the healthcheck's own URL, HTTP on ports where it is usual, else TCP."""
    check = " ".join(map(str, (service.get("healthcheck") or {}).get("test") or ()))
    urls = {int(m["port"] or SCHEMES[m["scheme"]]): m for m in HEALTH_URL.finditer(check)}
    for port in service.get("ports") or ():
        number, target = str(port.get("published", "")), int(port["target"])
        if not number.isdigit() or port.get("protocol", "tcp") != "tcp":
            continue
        found = f"{urls[target]['scheme']}://:{number}{urls[target]['path'] or '/'}" if target in urls else None
        if found is not None and masked(found) == found:  # else it has a secret, which Compose filled in
            yield found
        elif target in HTTP_PORTS:
            yield f"http://:{number}/"
        else:
            yield f"tcp://:{number}"


def write_settings(folder: Path, text: str, *, force: bool) -> Path:
    """Write cutover.yaml into a folder.

    Raises:
        RefusedError: there is one already, or the folder cannot be written.

    """
    path = folder / config.NAME
    if path.exists() and not force:
        raise RefusedError(
            "already-there", f"{path} exists already; it was left alone.", hint="cutover init --print, or --force"
        )
    try:
        write_atomic(path, text.encode(), mode=0o644)
    except OSError as error:
        raise RefusedError("not-written", f"{path} cannot be written: {error.strerror}.") from error
    return path
