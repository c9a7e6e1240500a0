"""What is to be tried: a service of the files, an image, or green with changes; and which files say what it is."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cutover.document import Document
from cutover.document.interpolate import UnresolvedError, interpolate
from cutover.document.override import OverrideRequest
from cutover.document.source import Kind, Node
from cutover.errors import EditRefusedError, RefusedError, UsageError
from cutover.flow.override_world import World
from cutover.flow.session import Session
from cutover.trust import read_file

SUFFIX = "_test"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Subject:
    """The test stack's service `name`, and the service it comes from; `from_image` has none in the files.

    `green` is who answers on the legacy ports, where that is known. `as_blue` says that the test stack stands for the
    successor of green, so that green's ports are to be tried; else only a service without ports of its own gets them.
    """

    name: str
    origin: str
    green: str | None
    from_image: bool = False
    as_blue: bool = False


def subject_of(session: Session, world: World, request: OverrideRequest) -> Subject:
    """Return what is to be tried.

    Raises:
        UsageError: nobody says what, or a name is not there or makes no service's name.
        RefusedError: there is a service of the test stack's name already.

    """
    services = world.services
    configured = session.options.blue or session.settings.blue
    green = session.options.green or session.settings.green
    blue = request.service or configured
    origin = _colour(request.origin, services, green=green, blue=blue) or blue
    if request.from_image and not request.image:
        raise UsageError(
            "no-image", "--from-image needs the image.", hint="cutover override --from-image --image IMAGE"
        )
    from_image = request.from_image or bool(request.image and not request.origin and blue not in services)
    if green is not None and green not in services:
        raise _unknown(green, services)
    if from_image:
        origin = blue or _slug(str(request.image))
    elif origin is None:
        raise UsageError(
            "no-blue",
            "Which service is to be tried?",
            evidence=[f"services: {', '.join(services)}"],
            hint=session.spoken("override SERVICE") + ", or write `blue: NAME` in cutover.yaml (cutover init)",
        )
    elif origin not in services:
        raise _unknown(origin, services)
    name = request.name or f"{blue or origin}{SUFFIX}"
    _see_name(name, services)
    said = session.options.green is not None or request.service in {None, configured} or configured is None
    as_blue = from_image or origin == green or said
    return Subject(name, origin, green, from_image, as_blue)


def sources_of(world: World, origin: str) -> tuple[str, ...]:
    """Return the files that define a service, in the order in which Compose merges them, relative to the folder.

    A file that cannot be read here may define it: Compose will say.
    """
    stack = world.stack.source
    files = [f for f in stack.files if _defines(f, origin)]
    if not files:
        files = [f for f in included(stack.files, stack.folder, world.env) if _defines(f, origin)]
    return tuple(dict.fromkeys(os.path.relpath(f, stack.folder) for f in files))


def _colour(name: str | None, services: Mapping[str, object], *, green: str | None, blue: str | None) -> str | None:
    """Return the service that `--from green` means, where no service has that very name."""
    colours = {"green": green, "blue": blue}
    return colours[name] or name if name in colours and name not in services else name


def _unknown(name: str, services: Mapping[str, object]) -> UsageError:
    near = difflib.get_close_matches(name, services, n=1)
    return UsageError(
        "unknown-service",
        f"There is no service {name!r} in the compose files{f'; did you mean {near[0]!r}?' if near else '.'}",
        evidence=[f"services: {', '.join(sorted(services))}"],
        hint="docker compose config --services; --image IMAGE starts from an image instead",
    )


def _see_name(name: str, services: Mapping[str, object]) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError("bad-name", f"{name!r} is no name for a service: letters, digits, `_`, `.` and `-`.")
    if name in services:
        raise RefusedError(
            "service-exists",
            f"There is a service {name} in the compose files already.",
            hint=f"cutover override --name NAME takes another name, e.g. {name}2",
        )


def _slug(image: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_.-]+", "_", image.rpartition("/")[2].partition("@")[0].partition(":")[0]) or "image"


def _parsed(path: Path) -> Document | None:
    try:
        return Document.parse(read_file(path), str(path))
    except (OSError, EditRefusedError):
        return None


def _defines(path: Path, service: str) -> bool:
    document = _parsed(path)
    return document is None or service in document.services()


def included(files: tuple[Path, ...], base: Path, env: Mapping[str, str], depth: int = 8) -> Iterator[Path]:
    """Yield the files that `include:` takes in, innermost first; their paths are relative to who includes them."""
    for file in files:
        document = _parsed(file)
        section = document.root.get("include") if document else None
        for entry in section.items if section else ():
            group = tuple(base / p for p in _paths(entry, env))
            present = tuple(p for p in group if p.is_file())
            if present and depth:
                yield from included(present, present[0].parent, env, depth - 1)
            yield from present


def _paths(entry: Node, env: Mapping[str, str]) -> Iterator[str]:
    place = entry.get("path") if entry.kind is Kind.MAPPING else entry
    for node in (place.items if place.kind is Kind.SEQUENCE else [place]) if place else ():
        try:
            yield interpolate(node.value, env)
        except UnresolvedError:
            continue
