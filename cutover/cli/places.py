"""Where a colour answers, as people say it: by its name in the project, or on a host with ports of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cutover.flow.session import Session
    from cutover.validate.talk import Address

_WHERE = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]\s>]+)(?::(?P<legacy>\d+)->(?P<port>\d+))?")


def are_hosts(wheres: Sequence[str]) -> bool:
    """Say whether all places are hosts, which no project has to be read for; False where there are none."""
    from cutover.flow.colours import SUBJECTS  # noqa: PLC0415

    return bool(wheres) and not any(where in SUBJECTS for where in wheres)


def addresses_at(session: Session, wheres: Sequence[str], ports: Collection[int]) -> dict[int, Address]:
    """Return legacy port -> where a colour answers for it.

    Raises:
        UsageError: a place is no host, or several are named and one of them is a colour.

    """
    from cutover.flow.colours import SUBJECTS, addresses  # noqa: PLC0415

    if len(wheres) == 1 and wheres[0] in SUBJECTS:
        return addresses(session, wheres[0])
    return on_hosts(wheres, ports)


def on_hosts(wheres: Sequence[str], ports: Collection[int]) -> dict[int, Address]:
    """Return legacy port -> where `HOST`, for all of these ports, or `HOST:LEGACY->PORT` answers for it.

    Raises:
        UsageError: a place is no host.

    """
    found: dict[int, Address] = {}
    for where in wheres:
        found.update(_on_host(where, ports))
    return found


def _on_host(where: str, ports: Collection[int]) -> dict[int, Address]:
    from cutover.errors import UsageError  # noqa: PLC0415
    from cutover.flow.colours import SUBJECTS  # noqa: PLC0415
    from cutover.validate.talk import Address  # noqa: PLC0415

    parts = _WHERE.fullmatch(where)
    if parts is None or parts["host"] in SUBJECTS:
        message = f"{where!r} says no host: expected HOST or HOST:LEGACY->PORT."
        raise UsageError("no-host", message, hint="--blue-on '127.0.0.1:5570->20001' --blue-on '127.0.0.1:6570->20002'")
    host = parts["host"].strip("[]")
    if parts["legacy"]:
        return {int(parts["legacy"]): Address(host, int(parts["port"]))}
    return {port: Address(host, port) for port in ports}
