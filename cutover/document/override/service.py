"""A test stack as text: the origin, extended, with everything taken off by which it could get in green's way."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cutover.document.override import devices, mounts
from cutover.document.override.inside import Inside, move_inside
from cutover.document.override.secrets import secrets_in
from cutover.document.override.text import Line, document, signed
from cutover.document.override.texts import HEALTHCHECK, VARIABLE
from cutover.document.override.values import (
    LOOPBACK,
    RESET,
    Model,
    Override,
    OverrideRequest,
    Service,
    TestPort,
    instead,
)
from cutover.model import TEST_OF_LABEL, TEST_PORTS_LABEL, Protocol

PROJECT = "${COMPOSE_PROJECT_NAME}"
_KEPT_OF_NETWORK = ("driver_opts", "gw_priority", "interface_name", "priority")


@dataclass(frozen=True, slots=True)
class Facts:
    """What an override is derived from.

    `written` is the model before interpolation, `env` what Compose interpolates with (secret). `sources` are the files
    that define the origin, relative to `folder`, in the order in which Compose merges them; none where the test stack
    starts from an image. `like` is the service whose networks and dependencies it then has.
    """

    model: Model = field(repr=False)
    written: Model = field(repr=False)
    env: Mapping[str, str] = field(repr=False)
    folder: Path
    project: str
    name: str
    origin: str
    sources: tuple[str, ...]
    like: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


def derive(facts: Facts, ports: Sequence[TestPort], request: OverrideRequest) -> Override:
    """Return the override for a test stack on these ports, each still with the target that the origin has.

    Raises:
        UsageError: an option names a place or a mount that is not there.

    """
    service: Service = facts.model["services"].get(facts.origin, {}) if facts.sources else {}
    if request.command is not None:
        service = {**service, "command": _escaped_all(request.command)}
    draft = _Draft(facts, request, service, copy.deepcopy(dict(service)))
    inside = _moved_inside(facts, service, ports, request)
    ports = [replace(p, target=inside.targets.get(p.origin_target, p.origin_target)) for p in ports]
    draft.warnings += inside.warnings
    draft.notes += inside.notes
    draft.image()
    draft.itself(ports)
    draft.network(ports, inside)
    draft.mounts()
    draft.moved(inside)
    draft.resources()
    draft.repaired()
    return draft.override(ports)


def _moved_inside(facts: Facts, service: Service, ports: Sequence[TestPort], request: OverrideRequest) -> Inside:
    written = facts.written["services"].get(facts.origin, {}) if facts.sources else {}
    if request.command is not None:
        written = {**written, "command": _escaped_all(request.command)}
    own = [str(n) for n in (facts.origin, facts.name, service.get("container_name"), service.get("hostname")) if n]
    return move_inside(service, written, facts.env, ports, request=request, own_names=own)


@dataclass(slots=True)
class _Draft:
    """The test service as it is put together: lines of the file, and what Compose must make of them."""

    facts: Facts
    request: OverrideRequest
    service: Service
    expected: dict[str, Any]
    lines: list[Line] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def put(self, key: str, value: object, expected: object, comment: str = "") -> None:
        """Write a key and expect it; None expects it gone."""
        self.lines.append(Line(key, value, comment))
        if expected is None:
            self.expected.pop(key, None)
        else:
            self.expected[key] = expected

    def reset(self, key: str, comment: str = "") -> None:
        """Leave a key of the origin out."""
        if self.service.get(key) is not None:
            self.put(key, RESET, None, comment)

    def image(self) -> None:
        origin = self.facts.origin
        if self.request.image:
            image = _escaped(self.request.image)
            self.put("image", image, image, "--image")
        elif not self.service.get("image"):
            self.put("image", f"{PROJECT}-{origin}", f"{self.facts.project}-{origin}", "as Compose calls what it built")
        self.reset("build")
        if self.service.get("pull_policy") == "build":
            self.reset("pull_policy")

    def itself(self, ports: Sequence[TestPort]) -> None:
        name = self.facts.name
        self.put("container_name", f"{PROJECT}-{name}", f"{self.facts.project}-{name}")
        if self.service.get("hostname"):
            self.put("hostname", name, name, "its own: newer Engines resolve host names")
        self.put("restart", "no", "no", "what fails is to be seen")
        labels = {
            TEST_OF_LABEL: self.facts.origin,
            TEST_PORTS_LABEL: ",".join(dict.fromkeys(f"{p.legacy}:{p.published}" for p in _first_by_legacy(ports))),
        }
        left = len(self.service.get("labels") or {})
        why = "none of the origin's: a proxy that reads labels would send it traffic" if left else ""
        self.put("labels", instead(labels), labels, why)

    def network(self, ports: Sequence[TestPort], inside: Inside) -> None:
        self.networks()
        short = [_short(p) for p in ports]
        self.put("ports", instead(short), [_long(p) for p in ports], "test ports, on this host only")
        moved = [_moved_number(e, inside.targets) for e in self.service.get("expose") or ()]
        if moved != list(self.service.get("expose") or ()):
            self.put("expose", instead(moved), moved)
        self.reset("mac_address")
        if not self.facts.sources and self.facts.like:
            self.dependencies(self.facts.model["services"][self.facts.like])

    def networks(self) -> None:
        source = self.service
        if not self.facts.sources:
            source = self.facts.model["services"].get(self.facts.like or "", {})
        networks = source.get("networks") or {}
        kept = {n: {k: c[k] for k in _KEPT_OF_NETWORK if k in (c or {})} for n, c in networks.items() if c} or {}
        dropped = any(c and set(c) - set(_KEPT_OF_NETWORK) for c in networks.values())
        if dropped or (networks and not self.facts.sources):
            content = {n: kept.get(n, {}) for n in networks}
            why = "without aliases and addresses: they lead to green" if dropped else f"those of {self.facts.like}"
            self.put("networks", instead(content), content, why)

    def dependencies(self, like: Service) -> None:
        needed = {
            name: {k: v for k, v in how.items() if k in {"condition", "required"}}
            for name, how in (like.get("depends_on") or {}).items()
        }
        if needed:
            self.put("depends_on", needed, needed, f"as {self.facts.like} has it")

    def mounts(self) -> None:
        if not self.facts.sources:
            return
        found = mounts.separate(self.facts.model, self.facts.origin, self.request, self.facts.name)
        self.warnings += found.warnings
        self.notes += found.notes
        self.volumes = found.volumes
        if found.entries:
            by_target = {e["target"]: e for e in found.entries}
            everything = [by_target.get(m.get("target"), m) for m in self.service["volumes"]]
            written = [mounts.beside(e, self.facts.folder) for e in found.entries]
            self.put("volumes", written, everything, "the others are as the origin has them")
        others = mounts.from_others(self.service)
        if others is not None:
            self.put("volumes_from", instead(others), others, "read-only")

    def moved(self, inside: Inside) -> None:
        self.environment(inside)
        for key in ("command", "entrypoint"):
            change = inside.changes.get(key)
            given = self.request.command if key == "command" else None
            if change:
                self.put(key, list(change.written), list(change.values), "with the test ports")
            elif given is not None:
                self.put(key, _escaped_all(given), _escaped_all(given), "--command")
        if HEALTHCHECK in inside.changes:
            change = inside.changes[HEALTHCHECK]
            whole = {**self.service["healthcheck"], "test": list(change.values)}
            self.put("healthcheck", {"test": list(change.written)}, whole, "with the test ports")
        for key in ("pid", "ipc", "uts"):
            if str(self.service.get(key) or "").startswith(("service:", "container:", "host")):
                self.warnings.append(f"{key}: {self.service[key]} is kept: the test stack is not apart from it")

    def environment(self, inside: Inside) -> None:
        changed: dict[str, str | None] = {
            key.removeprefix(VARIABLE): change.written[0]
            for key, change in inside.changes.items()
            if key.startswith(VARIABLE)
        }
        whole = dict(self.service.get("environment") or {})
        for key, change in inside.changes.items():
            if key.startswith(VARIABLE):
                whole[key.removeprefix(VARIABLE)] = change.values[0]
        for name, value in self.request.environment:
            changed[name] = None if value is None else _escaped(value)
            whole[name] = _escaped(self.facts.env[name]) if value is None and name in self.facts.env else changed[name]
        if changed:
            self.put("environment", dict(sorted(changed.items())), whole, "the others are as the origin has them")

    def resources(self) -> None:
        deploy: dict[str, object] = {}
        expected = copy.deepcopy(dict(self.service.get("deploy") or {}))
        if expected.get("replicas") not in {None, 1}:
            deploy["replicas"] = expected["replicas"] = 1
        if expected.pop("restart_policy", None):
            deploy["restart_policy"] = RESET
        reserved = devices.reservation(self.service, self.request)
        if reserved is not None:
            deploy["resources"] = {"reservations": {"devices": instead(reserved)}}
            expected.setdefault("resources", {}).setdefault("reservations", {})["devices"] = reserved
        if deploy:
            self.put("deploy", deploy, expected)
        if self.service.get("scale") not in {None, 1}:
            self.put("scale", 1, 1)
        if self.request.no_gpu or reserved is not None:
            self.reset("gpus")
        if self.request.no_gpu:
            self.without_gpu()

    def without_gpu(self) -> None:
        if self.service.get("runtime") == devices.NVIDIA:
            self.reset("runtime", "--no-gpu")
        files = devices.device_files(self.service)
        if files is not None:
            self.put("devices", instead(files), files, "--no-gpu")

    def repaired(self) -> None:
        """Write what Compose showed to be lost, as the user's files have it."""
        ours = {line.key: index for index, line in enumerate(self.lines)}
        for key, value in self.facts.extra.items():
            index = ours.get(key)
            if index is None:
                self.lines.append(Line(key, value, "lost by extending, and written again"))
            elif key == "environment" and isinstance(mine := self.lines[index].value, dict):
                self.lines[index] = replace(self.lines[index], value=dict(sorted({**value, **mine}.items())))
            elif key in {"volumes", "deploy"}:
                self.lines[index] = Line(key, value, "lost by extending, and written again")

    def override(self, ports: Sequence[TestPort]) -> Override:
        facts = self.facts
        heads = [Line("extends", {"file": f, "service": facts.origin}) for f in facts.sources]
        if len(heads) > 1:
            heads[0] = replace(heads[0], comment="defined by several files: extended from each, as Compose merges them")
        documents = [document(facts.name, [head]) for head in heads[:-1]]
        label = (TEST_OF_LABEL, facts.origin)
        secrets = list(secrets_in(self.lines))
        documents.append(document(facts.name, [*heads[-1:], *self.lines], self.volumes, label))
        return Override(
            service=facts.name,
            origin=facts.origin if facts.sources else None,
            text=signed(list(_header(facts, ports)), "---\n".join(documents)),
            ports=tuple(ports),
            warnings=tuple(dict.fromkeys([*secrets, *self.warnings])),
            notes=tuple(dict.fromkeys(self.notes)),
            expected=self.expected,
            expected_volumes=tuple(self.volumes),
            private=bool(secrets),
        )


def _header(facts: Facts, ports: Sequence[TestPort]) -> Iterator[str]:
    came = f"service {facts.origin} of {', '.join(facts.sources)}" if facts.sources else "an image"
    yield f"{facts.name}: a test stack, derived by `cutover override` from {came}."
    if not facts.sources and facts.like:
        yield f"Networks and dependencies are those of {facts.like}."
    yield "Paths are relative to the project's folder. Start it with `cutover up`, take it down with `cutover down`."
    yield ""
    yield "legacy port -> test port -> port inside"
    for port in ports:
        udp = "" if port.protocol is Protocol.TCP else f"/{port.protocol}"
        yield f"  {port.legacy} -> {LOOPBACK}:{port.published} -> {port.target}{udp}"
    yield ""


def _first_by_legacy(ports: Sequence[TestPort]) -> Iterator[TestPort]:
    seen = set()
    for port in ports:
        if port.legacy not in seen:
            seen.add(port.legacy)
            yield port


def _short(port: TestPort) -> str:
    suffix = "" if port.protocol is Protocol.TCP else f"/{port.protocol}"
    return f"{LOOPBACK}:{port.published}:{port.target}{suffix}"


def _long(port: TestPort) -> dict[str, Any]:
    return {
        "mode": "ingress",
        "host_ip": LOOPBACK,
        "target": port.target,
        "published": str(port.published),
        "protocol": str(port.protocol),
    }


def _moved_number(entry: object, targets: Mapping[int, int]) -> str:
    number, slash, protocol = str(entry).partition("/")
    return f"{targets.get(int(number), number)}{slash}{protocol}" if number.isdigit() else str(entry)


def _escaped(value: str) -> str:
    """Return text in which Compose finds no variable."""
    return value.replace("$", "$$")


def _escaped_all(values: Sequence[str]) -> list[str]:
    return [_escaped(v) for v in values]
