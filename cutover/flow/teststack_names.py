"""Which test stack a name on the command line means: an override file's, or that of a service; a mistyped one none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from cutover.errors import UsageError
from cutover.flow.observed import canonical
from cutover.flow.session import Session
from cutover.flow.teststack_target import OVERRIDES, SUFFIX, default_name


def meant(session: Session, name: str | None) -> tuple[str, str | None]:
    """Return the test stack's service, and the service that it tries where that is not blue.

    Raises:
        UsageError: the name is that of no override file, no service and no service's test stack; or there is none, and
            nobody says which service blue is.

    """
    blue = session.options.blue or session.settings.blue
    if name is None or (blue and name in {blue, f"{blue}{SUFFIX}"}):
        return default_name(session), None
    if (session.folder / OVERRIDES / f"{name}.yml").is_file():
        return name, None
    services = canonical(session.stack)["services"]
    for service in (name, name.removesuffix(SUFFIX)):
        if service in services:
            return f"{service}{SUFFIX}", service
    raise _unknown(session, name, services)


def known_as(name: str, known: Iterable[str]) -> str:
    """Return the test stack that is there under this name, or under the name of its service."""
    known = set(known)
    return name if name in known or f"{name}{SUFFIX}" not in known else f"{name}{SUFFIX}"


def _unknown(session: Session, name: str, services: Iterable[str]) -> UsageError:
    files = sorted(p.stem for p in (session.folder / OVERRIDES).glob("*.yml"))
    candidates = [*files, *services, *(f"{s}{SUFFIX}" for s in services)]
    near = difflib.get_close_matches(name, candidates, n=1)
    return UsageError(
        "unknown-test-stack",
        f"There is no override file {OVERRIDES}/{name}.yml, and no service {name}, so nothing to start.",
        evidence=[f"override files: {', '.join(files) or 'none'}", f"services: {', '.join(sorted(services))}"],
        hint=session.spoken(f"up {near[0]}") if near else session.spoken(f"override --name {name}"),
    )
