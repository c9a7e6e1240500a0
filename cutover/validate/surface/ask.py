"""Asking a colour for methods by name. Asking runs the method: what sounds destructive is left alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cutover.config import Message, Surface
from cutover.config.placeholders import texts_in
from cutover.validate.judge import Judge
from cutover.validate.surface.evidence import Asked, State
from cutover.validate.surface.replies import Nonsense, Reader, listed_names, lists_a_part
from cutover.validate.surface.routes import RouteAsker
from cutover.validate.surface.source import is_route
from cutover.validate.talk import Address, Line, ResponseKind, question_of

NONSENSE: Final = "zz_no_such_method_qx"
_PLACE: Final = "{method}"
_DESTRUCTIVE: Final = re.compile(
    r"del(?:ete)?|drop|shutdown|reset|unload|stop|restart|reboot|kill|purge|prune|remove|rm|destroy|clear|terminate|exit|"
    r"quit|wipe|erase|truncate|flush|abort|disconnect|revoke|uninstall|format|halt|cancel|disable|deregister|unregister|"
    r"evict|rollback|overwrite|release|free|close|reload|rotate|deactivate|poweroff|suspend|detach|die",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Answers:
    """What a colour said: by name; what it lists itself; whether it answered at all, and what made asking worthless.

    `lists_all` is False where its list is one of examples only.
    """

    asked: Mapping[str, Asked] = field(default_factory=dict)
    listed: Mapping[str, str] = field(default_factory=dict)
    reached: bool = False
    trouble: str = ""
    lists_all: bool = True


def sounds_destructive(name: str) -> bool:
    """Say whether a method's name has a word such as delete, stop or reset in it."""
    return any(_DESTRUCTIVE.fullmatch(word) for word in _WORDS.findall(name))


def ask_for(
    names: Iterable[str],
    surface: Surface,
    addresses: Mapping[int, Address],
    judge: Judge,
    *,
    tell: Callable[[], None] = lambda: None,
) -> Answers:
    """Ask one colour for each name, and for the names that it then lists itself; `tell` is called after each.

    First it is asked for a name that nobody has: a reply like that one means unknown.

    Raises:
        UsageError: the question of `surface:` cannot be sent, or its port leads nowhere.

    """
    with Line(addresses) as line:
        asker = _Asker(line, surface, Reader(surface, judge))
        return asker.all(list(names), tell)


def can_ask(surface: Surface) -> bool:
    """Say whether the settings have a question with a place for the method's name."""
    return surface.to is not None and any(_PLACE in text for text in texts_in(_dumped(surface)))


def question_for(surface: Surface, name: str) -> Message:
    """Return the question for one method."""
    told = {"name": name, **_filled(_dumped(surface), name)}
    return Message.model_validate(told)


class _Asker:
    """Asks one colour over one line."""

    def __init__(self, line: Line, surface: Surface, reader: Reader) -> None:
        self._line = line
        self._surface = surface
        self._reader = reader
        self._nonsense: Nonsense | None = None

    def all(self, names: list[str], tell: Callable[[], None]) -> Answers:
        routes = [n for n in names if is_route(n)]
        asked: dict[str, Asked] = {}
        trouble, reached = "", False
        listed: tuple[str, ...] = ()
        lists_all = True
        if can_ask(self._surface):
            trouble = self._calibrate()
            nonsense = self._nonsense
            reached = nonsense is not None and nonsense.response.answered
            if nonsense is not None and not trouble:
                listed = listed_names(nonsense.response)
                lists_all = not lists_a_part(nonsense.response)
                for name in dict.fromkeys([*(n for n in names if not is_route(n)), *listed]):
                    asked[name] = self._ask(name)
                    tell()
        if self._surface.http and routes:
            over_http = RouteAsker(self._line, self._surface).all(routes, tell)
            asked.update(over_http)
            reached = reached or any(a.state in {State.PRESENT, State.UNKNOWN} for a in over_http.values())
        why = f"it lists this name when asked for `{NONSENSE}`"
        return Answers(asked, dict.fromkeys(listed, why), reached, trouble, lists_all)

    def _calibrate(self) -> str:
        """Ask for what nobody has; return why asking tells nothing, "" if it does."""
        response = self._line.ask(question_of(question_for(self._surface, NONSENSE)))
        self._nonsense = self._reader.nonsense(NONSENSE, response)
        if response.kind in {ResponseKind.REFUSED, ResponseKind.CLOSED}:
            return f"does not answer: {response.kind} {response.detail}".rstrip()
        if not self._nonsense.tells:
            return f"answers a method that nobody has (`{NONSENSE}`) without an error, so asking tells nothing"
        return ""

    def _ask(self, name: str) -> Asked:
        if sounds_destructive(name) and not self._surface.ask_all:
            return Asked(State.UNASKED, "its name sounds destructive, and asking runs it (--ask-all)")
        response = self._line.ask(question_of(question_for(self._surface, name)))
        return self._reader.read(name, response, self._nonsense)


def _dumped(surface: Surface) -> dict[str, Any]:
    fields = ("to", "request", "socket", "codec", "envelope", "method", "headers", "verify", "timeout_s")
    return {name: getattr(surface, name) for name in fields}


def _filled(value: Any, name: str) -> Any:
    """Put a method's name into every text below a value."""
    if isinstance(value, str):
        return value.replace(_PLACE, name)
    if isinstance(value, dict):
        return {_filled(k, name): _filled(v, name) for k, v in value.items()}
    return [_filled(v, name) for v in value] if isinstance(value, list | tuple) else value
