"""Asking for HTTP routes without running what changes something: GET and HEAD as they are, the rest by OPTIONS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from cutover.config import Message, Surface
from cutover.validate.surface.evidence import Asked, State
from cutover.validate.surface.replies import mark
from cutover.validate.talk import Line, Response, question_of

_NOBODYS_PATH: Final = "/zz-no-such-path-qx"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_SUCH: Final = frozenset({404, 405, 501})
_NOT_IMPLEMENTED: Final = 501
_WRONG_VERB: Final = 405
_VARIES: Final = "{}"


class RouteAsker:
    """Asks one colour for routes."""

    def __init__(self, line: Line, surface: Surface) -> None:
        self._line = line
        self._surface = surface
        self._nobodys: dict[str, Response] = {}

    def all(self, names: Iterable[str], tell: Callable[[], None]) -> Mapping[str, Asked]:
        """Return what came of each."""
        found = {}
        for name in names:
            verb, _, path = name.partition(" ")
            found[name] = self._one(verb, path)
            tell()
        return found

    def _one(self, verb: str, path: str) -> Asked:
        if verb == "WS" or "*" in path:
            return Asked(State.UNASKED, "not a path that can be asked")
        if verb in _SAFE or self._surface.ask_all:
            told = self._by_itself(verb, path)
            if told:
                return told
        return self._by_options(verb, path)

    def _by_itself(self, verb: str, path: str) -> Asked | None:
        response = self._send(verb, path)
        if not response.answered:
            return Asked(State.SILENT, f"{response.kind}: {response.detail}", response.elapsed_s)
        told = f"HTTP {response.code}"
        if not self._like_nobodys(verb, path, response):
            state = State.STUBBED if response.code == _NOT_IMPLEMENTED else State.PRESENT
            return Asked(state, told, response.elapsed_s)
        if _VARIES in path:  # the route may be there, and only what we named in it is not
            return None
        return Asked(State.UNKNOWN, told, response.elapsed_s)

    def _by_options(self, verb: str, path: str) -> Asked:
        """Ask which verbs a path has: a path that nobody has is answered in another way, if OPTIONS is known at all."""
        response = self._send("OPTIONS", path)
        allowed = {v.strip().upper() for v in response.headers.get("allow", "").split(",") if v.strip()}
        told = f"OPTIONS: HTTP {response.code}{', allows ' + ', '.join(sorted(allowed)) if allowed else ''}"
        if not response.answered:
            return Asked(State.SILENT, f"{response.kind}: {response.detail}", response.elapsed_s)
        if allowed and response.code != _WRONG_VERB:
            return Asked(State.PRESENT if verb in allowed else State.UNKNOWN, told, response.elapsed_s)
        if self._nobody("OPTIONS").code != response.code:
            has = verb in allowed or not allowed or response.code == _WRONG_VERB
            return Asked(State.PRESENT if has else State.UNKNOWN, told, response.elapsed_s)
        return Asked(State.UNASKED, f"{verb} may change something and OPTIONS does not tell (--ask-all)")

    def _like_nobodys(self, verb: str, path: str, response: Response) -> bool:
        nobodys = self._nobody(verb)
        if nobodys.code not in _NO_SUCH or response.code != nobodys.code:
            return False
        return mark(_concrete(path), response) == mark(_NOBODYS_PATH, nobodys)

    def _nobody(self, verb: str) -> Response:
        if verb not in self._nobodys:
            self._nobodys[verb] = self._send(verb, _NOBODYS_PATH)
        return self._nobodys[verb]

    def _send(self, verb: str, path: str) -> Response:
        assert self._surface.http is not None
        message = Message(
            to=self._surface.http.rstrip("/") + _concrete(path),
            method=verb,
            headers=self._surface.headers,
            verify=self._surface.verify,
            timeout_s=self._surface.timeout_s,
        )
        return self._line.ask(question_of(message))


def _concrete(path: str) -> str:
    return path.replace(_VARIES, "0")
