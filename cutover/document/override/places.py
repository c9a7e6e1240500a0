"""Where in a text a port number stands, and what it is there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cutover.document.override.names import is_everywhere, is_local, says_port

_NUMBER = re.compile(r"(?<![\w.])(\d{2,5})(?![\w.]*\w)")
_HOST_BEFORE = re.compile(r"(\[[^\]\s]*\]|[\w.*-]*):$")
_APART = re.compile(r"(?:(localhost|127(?:\.\d{1,3}){3}|0\.0\.0\.0)\s+|/dev/(?:tcp|udp)/([\w.-]+)/)$", re.IGNORECASE)
_NAMED = re.compile(r"""(?:^|(?<=[\s"';&|(]))(-{0,2}[A-Za-z][\w.-]*)(=|\s+)["']?$""")

_VALUE_OF = re.compile(r"""(?:^|(?<=[\s"']))(-{0,2}[A-Za-z][\w.-]*)(?:=|\s+)["']?(?:[a-z][a-z0-9+.-]*://)?$""")


class Role(StrEnum):
    """What a number is where it stands.

    LISTENS tells the service where to listen; LOCAL is an address of the container itself; REMOTE is one of somebody
    else; PLAIN is a number and nothing more is known.
    """

    LISTENS = "listens"
    LOCAL = "local"
    REMOTE = "remote"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Spot:
    """A number in a text: `text[start:end]`, and the flag or variable that names it there, if any."""

    start: int
    end: int
    number: int
    role: Role
    name: str = ""


def spots(text: str, own_names: Collection[str] = (), name: str = "") -> Iterator[Spot]:
    """Yield every number that could be a port, in order; `name` is what the whole text is the value of."""
    for found in _NUMBER.finditer(text):
        role, by = _role(text, found.start(), found.end(), own_names, name)
        yield Spot(found.start(), found.end(), int(found[1]), role, by)


def _role(text: str, start: int, end: int, own_names: Collection[str], name: str) -> tuple[Role, str]:
    before = text[:start]
    if text.startswith("@", end):
        return Role.REMOTE, ""
    by = _name(text, start, end, name)
    if by:
        return (Role.LISTENS if says_port(by) else Role.PLAIN), by
    return _address(before, own_names, name, more=text.startswith(":", end))


def _name(text: str, start: int, end: int, name: str) -> str:
    """Return what names a number that stands by itself: the variable, or the flag or assignment before it."""
    if text.strip() == text[start:end]:
        return name
    named = _NAMED.search(text[:start])
    return named[1] if named and (named[2] == "=" or named[1].startswith("-")) else ""


def _address(before: str, own_names: Collection[str], name: str, *, more: bool) -> tuple[Role, str]:
    """Tell what an address that ends before a port means; `more` says that another colon follows the port."""
    apart = _APART.search(before)
    if apart:
        return (Role.LOCAL if is_local(apart[1] or apart[2], own_names) else Role.REMOTE), ""
    host = _HOST_BEFORE.search(before)
    if host is None or more:
        return Role.PLAIN, ""
    if not is_local(host[1], own_names):
        return Role.REMOTE, ""
    return _local(before[: host.start()], host[1], name)


def _local(before: str, host: str, name: str) -> tuple[Role, str]:
    """Tell an address to listen on from one to ask: by its host, or by the flag or variable it is the value of."""
    named = _VALUE_OF.search(before)
    by = named[1] if named else name
    return (Role.LISTENS if is_everywhere(host) or (by and says_port(by)) else Role.LOCAL), by
