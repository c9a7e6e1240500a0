"""Which test stack is meant: the one service that an override file adds to the project, and where it is to answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cutover.engine.reservation import Device, devices_of
from cutover.engine.stack import Stack
from cutover.errors import RefusedError, UsageError
from cutover.files import private_folder, write_atomic
from cutover.flow.observed import canonical
from cutover.flow.request import PortRequest
from cutover.flow.runs import TESTS
from cutover.flow.session import Session
from cutover.model import TEST_OF_LABEL, TEST_PORTS_LABEL, PortBinding, Protocol

OVERRIDES = "overrides"
SUFFIX = "_test"


@dataclass(frozen=True, slots=True)
class Target:
    """A test stack to be: `service` tries `of`; `ports` maps each legacy port to its binding on the host.

    `stack` is Compose with the override file, `model` its canonical one: secret, never shown.
    """

    service: str
    of: str
    file: Path
    stack: Stack
    model: Mapping[str, Any] = field(repr=False)
    ports: Mapping[int, PortBinding]
    devices: tuple[Device, ...] = ()

    @property
    def entry(self) -> Mapping[str, Any]:
        """Return the service of the canonical model."""
        entry: Mapping[str, Any] = self.model["services"][self.service]
        return entry

    @property
    def image(self) -> str:
        """Return the image that Compose would run for it."""
        return str(self.entry.get("image") or f"{self.model['name']}-{self.service}")

    @property
    def bindings(self) -> tuple[PortBinding, ...]:
        """Return every host port that it will publish."""
        return tuple(dict.fromkeys(bindings_of(self.entry)))


def tests_folder(session: Session) -> Path:
    """Return where the records of this project's test stacks are kept; it may not be there."""
    return session.runs().folder / TESTS


def default_name(session: Session) -> str:
    """Return the name that blue's test stack has if nobody names it otherwise.

    Raises:
        UsageError: nobody says which service blue is.

    """
    blue = session.options.blue or session.settings.blue
    if not blue:
        raise UsageError(
            "no-blue",
            "Which service is to be tried?",
            hint="cutover up NAME, cutover up -o FILE, or write `blue: NAME` in cutover.yaml (cutover init)",
        )
    return f"{blue}{SUFFIX}"


def read_target(session: Session, file: Path, name: str | None, *, no_gpu: bool) -> Target:
    """Return the test stack that an override file adds to the project.

    Raises:
        UsageError: there is no such file, or it adds no service, or several and none is named.
        RefusedError: Compose rejects it, or it changes a service of the project.

    """
    file = Path.cwd() / file
    if not file.is_file():
        raise UsageError("no-override-file", f"There is no override file {file}.", hint=session.spoken("override"))
    session.name_project()
    stack = _with(session.stack, file)
    base, model = canonical(session.stack), canonical(stack)
    service = _added(session, base, model, file, name)
    _see_nothing_changed(base, model, file)
    target = Target(service, _tried(session, model, service), file, stack, model, {})
    target = replace(target, ports=_legacy_ports(session, base, target), devices=devices_of(target.entry))
    return _completed(session, target, no_gpu=no_gpu)


def _with(stack: Stack, file: Path) -> Stack:
    source = stack.source
    return stack.read_from(replace(source, files=(*source.files, file), directory=source.folder))


def _added(session: Session, base: Mapping[str, Any], model: Mapping[str, Any], file: Path, name: str | None) -> str:
    added = [s for s in model["services"] if s not in base["services"]]
    labelled = [s for s in added if TEST_OF_LABEL in _labels(model, s)]
    found = [name] if name in added else labelled if name is None and labelled else added if name is None else []
    if len(found) == 1 and found[0]:
        return found[0]
    raise UsageError(
        "no-test-service",
        f"{file} adds {'several services' if len(found) > 1 else f'no service {name}' if name else 'no service'}"
        " to the project; which one is the test stack?",
        evidence=[f"it adds: {', '.join(added) or 'none'}", f"project: {session.stack.source.project}"],
        hint=session.spoken("up NAME -o FILE") if added else session.spoken("override"),
    )


def _see_nothing_changed(base: Mapping[str, Any], model: Mapping[str, Any], file: Path) -> None:
    changed = [s for s, entry in base["services"].items() if model["services"].get(s) != entry]
    if changed:
        raise RefusedError(
            "override-changes-services",
            f"{file} changes {', '.join(changed)}: a test stack adds a service and leaves the others as they are.",
            hint="take that out of the file, or have it written: cutover override",
        )


def _tried(session: Session, model: Mapping[str, Any], service: str) -> str:
    said = _labels(model, service).get(TEST_OF_LABEL)
    return said or session.options.blue or session.settings.blue or service.removesuffix(SUFFIX)


def _labels(model: Mapping[str, Any], service: str) -> Mapping[str, str]:
    labels: Mapping[str, str] = model["services"][service].get("labels") or {}
    return labels


def bindings_of(entry: Mapping[str, Any]) -> Iterator[PortBinding]:
    """Return the fixed host ports of a service of the canonical model, one by one."""
    for port in entry.get("ports") or ():
        published = str(port.get("published") or "")
        if published.isdigit() and int(published):
            protocol = Protocol(port.get("protocol") or "tcp")
            yield PortBinding(str(port.get("host_ip") or ""), int(published), int(port["target"]), protocol)


def _legacy_ports(session: Session, base: Mapping[str, Any], target: Target) -> dict[int, PortBinding]:
    """Return the label's word for it; without one, pair the ports by where they lead inside.

    Raises:
        UsageError: it publishes no port, so nobody could ask it anything.

    """
    held = {b.host_port: b for b in target.bindings if b.protocol is not Protocol.UDP}
    if not held:
        raise UsageError(
            "no-test-ports",
            f"{target.service} publishes no fixed port, so it cannot be tried.",
            evidence=[f"file: {target.file}"],
            hint="give it `ports:`, or have the file written: cutover override",
        )
    said = _labels(target.model, target.service).get(TEST_PORTS_LABEL, "")
    pairs = [pair.partition(":") for pair in said.split(",") if pair.strip()]
    if not pairs:
        known = dict(_targets(session, base, target.of))
        return {known.get(b.target, b.target): b for b in held.values()}
    wrong = [f"{a}:{b}" for a, _, b in pairs if not (a.isdigit() and b.isdigit() and int(b) in held)]
    if wrong:
        raise UsageError(
            "bad-test-ports",
            f"The label {TEST_PORTS_LABEL} of {target.service} names what it does not publish: {', '.join(wrong)}.",
            evidence=[f"label: {said}", f"publishes: {', '.join(map(str, target.bindings))}"],
            hint="legacy port and test port: 5570:20001,6570:20002",
        )
    return {int(a): held[int(b)] for a, _, b in pairs}


def _targets(session: Session, base: Mapping[str, Any], of: str) -> Iterator[tuple[int, int]]:
    """Yield (port inside, legacy port), as blue's own entry, green's and the settings say; the last word counts."""
    green = session.options.green or session.settings.green
    published = {b.host_port: b.target for s in (of, green) if s in base["services"] for b in _of(base, str(s))}
    yield from ((target, port) for port, target in published.items())
    for asked in map(PortRequest.parse, session.options.ports or session.settings.ports):
        yield asked.blue_target or published.get(asked.host_port, asked.host_port), asked.host_port


def _of(base: Mapping[str, Any], service: str) -> Iterator[PortBinding]:
    return bindings_of(base["services"][service])


def _completed(session: Session, target: Target, *, no_gpu: bool) -> Target:
    """Add, in a file of our own, the labels that a hand-written file lacks, and take the GPU away where asked to."""
    labels = _labels(target.model, target.service)
    addition: dict[str, Any] = {}
    if TEST_OF_LABEL not in labels or TEST_PORTS_LABEL not in labels:
        said = ",".join(f"{legacy}:{b.host_port}" for legacy, b in sorted(target.ports.items()))
        addition["labels"] = {TEST_OF_LABEL: target.of, TEST_PORTS_LABEL: said}
    without = no_gpu and (target.devices or target.entry.get("runtime"))
    if not addition and not without:
        return target
    path = private_folder(tests_folder(session)) / f"{target.service}.layer.yml"
    write_atomic(path, _layer(target, addition, without=bool(without)).encode(), mode=0o600)
    stack = _with(target.stack, path)
    model = canonical(stack)
    return replace(target, stack=stack, model=model, devices=devices_of(model["services"][target.service]))


def _layer(target: Target, addition: Mapping[str, Any], *, without: bool) -> str:
    lines = ["# by cutover up: what its override file leaves to it", "services:", f"  {json.dumps(target.service)}:"]
    lines += [f"    {key}: {json.dumps(value)}" for key, value in addition.items()]
    if without:
        lines += ["    deploy: {resources: {reservations: {devices: !reset []}}}", "    gpus: !reset []"]
        lines += ["    runtime: !reset null"] if target.entry.get("runtime") == "nvidia" else []
    return "\n".join([*lines, ""])
