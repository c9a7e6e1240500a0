"""What is tried on each file: moves, additions, nested edits, sets of files. Every result is verified from outside."""

from __future__ import annotations

import codecs
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from figures_verify import View, moved, text_outside

from cutover.document import (
    Document,
    Edit,
    FileSet,
    add_gpu_reservation,
    add_service_after,
    apply_inverse,
    delete,
    move_ports,
    remove_service,
    set_entry,
    set_scalar,
    unset_entry,
)
from cutover.document.ports import PortEntry
from cutover.document.selection import declared
from cutover.errors import CutoverError, EditRefusedError

NEW = "cutover-blue"
BODY = "image: blue\nports: []\n# a comment\nenvironment:\n  - A=1"
MOST_PROBLEMS = 5


@dataclass
class Tally:
    """Counts by row and column, refusals by row and reference, and the first problems of each row in words."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def merge(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.counts += other.counts
        self.refusals += other.refusals
        for problem in other.problems:
            row = problem.partition(":")[0]
            if sum(known.startswith(row) for known in self.problems) < MOST_PROBLEMS:
                self.problems.append(problem)

    def wrong(self, row: str, what: str) -> None:
        """Count a wrong result; a changed byte outside the intended lines counts apart."""
        outside = what.rpartition(": ")[2].startswith(("the end of", "a comment", "line ends", "old line", "new line"))
        self.counts[row, "outside" if outside else "wrong"] += 1
        self.problems.append(f"{row}: {what}")


Case = tuple[Document, str, PortEntry, str]


def eligible(content: bytes, name: str) -> Iterator[Case]:
    """Yield every published port of every service with every other service, or with a new one where it is alone."""
    document = Document.parse(content, name)
    if len(document.services()) == 1:
        document = add_service_after(document, next(iter(document.services())), NEW, {"image": "blue"}).document
    for source, entry in declared(document, {}):
        for target in document.services() if entry.bindings else ():
            if target != source and can_publish(document, target):
                yield document, source, entry, target


def can_publish(document: Document, service: str) -> bool:
    """Say whether Docker publishes ports for a service at all; a move to one for which it does not is never right."""
    mode = document.find(("services", service, "network_mode"))
    return mode is None or mode.value in {"bridge", "default"}


def sample(cases: list[Case], most: int | None, seed: str) -> list[Case]:
    """Return at most so many of the cases, the same ones at every run."""
    if most is None or len(cases) <= most:
        return cases
    return random.Random(zlib.crc32(seed.encode())).sample(cases, most)


def try_moves(content: bytes, name: str, row: str, most: int | None) -> Tally:
    """Try the moves of one file, or a sample of them."""
    tally = Tally()
    try:
        cases = sample(list(eligible(content, name)), most, name + row)
        before = View.of(cases[0][0].content) if cases else None
    except Exception as error:  # noqa: BLE001 - the file or mutation is none that can be edited
        tally.counts[row, "unreadable"] += 1
        tally.refusals[row, getattr(error, "reference", type(error).__name__)] += 1
        return tally
    for document, source, entry, target in cases:
        tally.counts[row, "eligible"] += 1
        where = f"{name} {entry.raw} {source} -> {target}"
        try:
            edit = move_ports(document, source, target, entry.published)
        except EditRefusedError as error:
            tally.counts[row, "refused"] += 1
            tally.counts[row, "refused without a line"] += error.line is None
            tally.refusals[row, error.reference] += 1
            continue
        tally.counts[row, "done"] += 1
        assert before
        problem = _verify_move(before, edit, source, target)
        if problem:
            tally.wrong(row, f"{where}: {problem}")
        _go_back(tally, edit, before, where)
    return tally


def _verify_move(before: View, edit: Edit, source: str, target: str) -> str | None:
    assert edit.move
    ports = before.value()["services"][source]["ports"]
    entries = [e for e in edit.before.port_entries(source) if set(e.published) & set(edit.move.published)]
    return moved(before, View.of(edit.content), source, target, [ports[entry.index] for entry in entries])


def _go_back(tally: Tally, edit: Edit, before: View, where: str) -> None:
    """Restore the bytes, refuse to on a changed file, and move the ports back on the changed file."""
    tally.counts["restore", "eligible"] += 1
    tally.counts["restore", "done"] += edit.restore(edit.content) == edit.before.content
    try:
        edit.restore(edit.content + b"#")
        tally.wrong("restore", f"{where}: restored over a changed file")
    except CutoverError:
        pass
    tally.counts["inverse move", "eligible"] += 1
    assert edit.inverse
    try:
        back = apply_inverse(Document.parse(_changed_elsewhere(edit.content), edit.file), edit.inverse)
    except EditRefusedError as error:
        tally.counts["inverse move", "refused"] += 1
        tally.refusals["inverse move", error.reference] += 1
        return
    tally.counts["inverse move", "done"] += 1
    old, new = before.value(), View.of(back.content).value()
    if _sorted_ports(old) != _sorted_ports(new):
        tally.wrong("inverse move", where)


def _changed_elsewhere(content: bytes) -> bytes:
    text = content.removeprefix(codecs.BOM_UTF8)
    return content[: len(content) - len(text)] + b"# changed meanwhile\n" + text


def _sorted_ports(value: dict) -> dict:
    for service in value["services"].values():
        if isinstance(service, dict):
            service["ports"] = sorted(map(str, service.get("ports") or []))
    return value


def try_edits(content: bytes, name: str, most: int) -> Tally:
    """Try every other edit on some services of one file; whatever is added must come off without a trace."""
    tally = Tally()
    try:
        document = Document.parse(content, name)
        before = View.of(document.content)
    except Exception:  # noqa: BLE001 - counted with the moves
        return tally
    services = [service for service, found in document.services().items() if found.node.pairs]
    for service in random.Random(name).sample(services, min(most, len(services))):
        at = ("services", service)
        _both(
            tally, "add a service", document, before, ("services", NEW),
            lambda d, s=service: add_service_after(d, s, NEW, BODY), lambda d: remove_service(d, NEW),
            lambda v: v["services"].update({NEW: {"image": "blue", "ports": [], "environment": ["A=1"]}}),
        )  # fmt: skip
        _both(
            tally, "set a new scalar", document, before, (*at, "x-cutover"),
            lambda d, p=at: set_scalar(d, (*p, "x-cutover"), "0755"), lambda d, p=at: delete(d, (*p, "x-cutover")),
            lambda v, s=service: v["services"][s].update({"x-cutover": "0755"}),
        )  # fmt: skip
        _scalars(tally, document, before, service)
        _nested(tally, document, before, service)
    return tally


def _scalars(tally: Tally, document: Document, before: View, service: str) -> None:
    """Set each scalar that the service has, and set it back."""
    for key, value in document.service(service).node.pairs:
        if value.kind.name != "SCALAR" or value.is_null or key.value == "<<":
            continue
        path = ("services", service, key.value)

        def expect(model: dict, key: str = key.value) -> None:
            model["services"][service][key] = "new: value"

        def do(d: Document, path: tuple[str, ...] = path) -> Edit:
            return set_scalar(d, path, "new: value")

        _both(tally, "set a scalar", document, before, path, do, None, expect)


def _nested(tally: Tally, document: Document, before: View, service: str) -> None:
    """Reserve a GPU, join a network, set a label, add a profile."""
    at = ("services", service)
    devices = (*at, "deploy", "resources", "reservations", "devices")

    for key, name, value in (
        ("networks", "cutover", None),
        ("labels", "cutover.role", "blue"),
        ("profiles", "cutover", None),
    ):
        text = name if value is None else f"{name}={value}"

        def expect(model: dict, key: str = key, name: str = name, value: str | None = value, text: str = text) -> None:
            owner = model["services"][service].setdefault(key, [])
            if isinstance(owner, dict):
                owner[name] = {} if value is None else value
            else:
                owner.append(text)

        _both(
            tally, key, document, before, (*at, key),
            lambda d, k=key, n=name, v=value: set_entry(d, (*at, k), n, v),
            lambda d, k=key, n=name: unset_entry(d, (*at, k), n), expect,
        )  # fmt: skip

    def expect_gpu(model: dict) -> None:
        value = model["services"][service]
        for key in devices[2:-1]:
            value = value.setdefault(key, {}) if value.get(key) else value.update({key: {}}) or value[key]
        value.setdefault("devices", []).append({"driver": "nvidia", "count": "1", "capabilities": ["gpu"]})

    if before.span(*devices):
        return
    _both(
        tally, "gpu reservation", document, before, _first_new(before, devices),
        lambda d: add_gpu_reservation(d, service, count=1), None, expect_gpu,
    )  # fmt: skip


def try_hopeless(content: bytes, name: str) -> Tally:
    """Try to move ports to services for which Docker publishes nothing: that must be refused."""
    tally, row = Tally(), "to a service that cannot publish"
    try:
        document = Document.parse(content, name)
    except EditRefusedError:
        return tally
    for source, entry in declared(document, {}):
        for target in document.services() if entry.bindings else ():
            if target == source or can_publish(document, target):
                continue
            tally.counts[row, "eligible"] += 1
            try:
                move_ports(document, source, target, entry.published)
                tally.wrong(row, f"{name} {entry.raw} {source} -> {target}: not refused")
            except EditRefusedError as error:
                tally.counts[row, "refused"] += 1
                tally.refusals[row, error.reference] += 1
    return tally


def _first_new(before: View, path: tuple[str, ...]) -> tuple[str, ...]:
    return next((path[:n] for n in range(1, len(path)) if not before.span(*path[:n])), path)


def _both(  # noqa: PLR0917 - a table row, read across
    tally: Tally,
    row: str,
    document: Document,
    before: View,
    path: tuple[str, ...],
    /,
    do: Callable[[Document], Edit],
    undo: Callable[[Document], Edit] | None,
    expect: Callable[[dict], None],
) -> None:
    """Do an edit, verify it, take it back (by its own inverse where `undo` is None): the bytes must be the old ones."""
    tally.counts[row, "eligible"] += 1
    where = f"{document.name} {'.'.join(path)}"
    try:
        edit = do(document)
    except EditRefusedError as error:
        tally.counts[row, "refused"] += 1
        tally.counts[row, "refused without a line"] += error.line is None
        tally.refusals[row, error.reference] += 1
        return
    tally.counts[row, "done"] += 1
    expected = before.value()
    expect(expected)
    after = View.of(edit.content)
    if after.value() != expected:
        tally.wrong(row, f"{where}: something else changed")
    comments = edit.content.count(b"# a comment")
    if row == "set a scalar":
        comments -= edit.before.find(path).value.count("#")
    old_lines = before.flow_lines(*path) | (before.span(*path) if row == "set a scalar" else set())
    new_lines = after.span(*path) | after.flow_lines(*path)
    if row == "add a service":
        new_lines |= {min(new_lines) - 1}
    problem = text_outside(before.text, after.text, old_lines, new_lines, more_comments=comments)
    if problem:
        tally.wrong(row, f"{where}: {problem}")
    _take_back(tally, row, edit, undo, where)


def _take_back(tally: Tally, row: str, edit: Edit, undo: Callable[[Document], Edit] | None, where: str) -> None:
    tally.counts[row, "taken back"] += 1
    assert edit.inverse
    try:
        back = undo(edit.document) if undo else apply_inverse(edit.document, edit.inverse)
    except EditRefusedError as error:
        tally.refusals[row + ", back", error.reference] += 1
        return
    same = back.content == edit.before.content
    tally.counts[row, "identical"] += same
    if not same:
        tally.problems.append(f"{row}: {where}: not the old bytes once it was taken back")


OVERRIDE = f"services:\n  {NEW}:\n    image: blue\n".encode()


def try_sets(content: bytes, name: str, most: int | None) -> Tally:
    """Move ports into a second `-f` file; refuse what comes from an included or extended one."""
    tally = Tally()
    try:
        cases = sample(list(_one_per_entry(content, name)), most, name)
        before = View.of(content)
    except Exception:  # noqa: BLE001 - counted with the moves
        return tally
    for document, source, entry, _ in cases:
        _across(tally, document, before, source, entry)
        _must_refuse(
            tally,
            "include",
            {"main.yml": f"include:\n  - {name}\n".encode() + OVERRIDE},
            document,
            (source, NEW, entry),
        )
        heir = f"  heir:\n    extends:\n      file: {name}\n      service: {source}\n".encode()
        _must_refuse(tally, "extends, the source", {"main.yml": OVERRIDE + heir}, document, ("heir", NEW, entry))
        both = {name: document.content, "main.yml": OVERRIDE + heir}
        _must_refuse(tally, "extends, the heir", both, document, (source, NEW, entry))
    return tally


def _one_per_entry(content: bytes, name: str) -> Iterator[Case]:
    document = Document.parse(content, name)
    for source, entry in declared(document, {}):
        if entry.bindings:
            yield document, source, entry, NEW


def _across(tally: Tally, document: Document, before: View, source: str, entry: PortEntry) -> None:
    row = "two -f files"
    tally.counts[row, "eligible"] += 1
    where = f"{document.name} {entry.raw} {source}"
    try:
        files = FileSet.parse({document.name: document.content, "override.yml": OVERRIDE}, {}.get)
        edit = files.move_ports(source, NEW, entry.published)
    except EditRefusedError as error:
        tally.counts[row, "refused"] += 1
        tally.counts[row, "refused without a line"] += error.line is None
        tally.refusals[row, error.reference] += 1
        return
    tally.counts[row, "done"] += 1
    taken, given = (View.of(edit.files.contents()[n]) for n in (document.name, "override.yml"))
    old, new = before.value(), taken.value()
    ports = old["services"][source].pop("ports")
    left = new["services"][source].pop("ports", None) or []
    got = given.value()["services"][NEW]["ports"]
    if old != new or sorted(map(str, [*left, *got])) != sorted(map(str, ports)) or not got:
        tally.wrong(row, f"{where}: something else changed")
    old_lines = before.span("services", source, "ports") | before.flow_lines("services", source, "ports")
    new_lines = taken.span("services", source, "ports") | taken.flow_lines("services", source, "ports")
    problem = text_outside(before.text, taken.text, old_lines, new_lines, comments=False)
    if problem:
        tally.wrong(row, f"{where}: {problem}")


def _must_refuse(
    tally: Tally, kind: str, files: dict[str, bytes], other: Document, move: tuple[str, str, PortEntry]
) -> None:
    row = f"from another file: {kind}"
    tally.counts[row, "eligible"] += 1
    source, target, entry = move
    try:
        FileSet.parse(files, {other.name: other.content}.get).move_ports(source, target, entry.published)
        tally.wrong(row, f"{other.name} {entry.raw} {source}: not refused")
    except EditRefusedError as error:
        tally.counts[row, "refused"] += 1
        tally.counts[row, "refused without a line"] += error.line is None
        tally.refusals[row, error.reference] += 1
