"""What a reply says about the method that was asked for: known, unknown, or there and not implemented."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cutover.config import Surface
from cutover.validate.judge import Judge, describes
from cutover.validate.surface.evidence import Asked, State
from cutover.validate.surface.source.stubs import NOT_IMPLEMENTED
from cutover.validate.talk import Response

_WHAT: Final = (
    r"(?:rpc\s*)?(?:method|action|command|cmd|function|operation|op|message[\s_]?type|procedure|request[\s_]?type)"
)
UNKNOWN: Final = re.compile(
    rf"(?:unknown|no[\s_-]*such|unrecogni[sz]ed|unsupported|undefined|invalid|illegal|bad)[\s_-]*{_WHAT}\b(?!\s*(?:param|arg))"
    rf"|\bno\s+(?:{_WHAT}|handler)\b"
    rf"|{_WHAT}[^.;]{{0,60}}?\b(?:not\s+(?:be\s+)?(?:found|known|supported|exist|recogni[sz]ed|available|defined|registered)"
    rf"|is\s+unknown|does\s*n[o']t\s+exist|unknown)"
    rf"|{_WHAT}_?not_?found|-32601",
    re.IGNORECASE,
)
_LIST: Final = re.compile(
    r"(?:there\s+are|known|available|supported|valid|allowed|registered|one\s+of|expected|choose\s+from|"
    r"methods|actions|commands|operations)\b[^:\[\](]{0,40}[:\[(]\s*(?P<names>['\"\w.:/-]+(?:['\"]?\s*(?:,|\||\bor\b|\band\b)\s*['\"\w.:/-]+)*)",
    re.IGNORECASE,
)
_LISTS: Final = re.compile(
    r"methods|available|known|supported|actions|commands|valid|choices|operations", re.IGNORECASE
)
_A_PART: Final = re.compile(
    r"\b(?:for\s+(?:example|instance)|such\s+as|e\.\s?g\b|examples?|including|includes?|among\s+others|some\s+of|etc)\b|"
    r"\.\.\.|\u2026|\band\s+(?:\d+\s+|many\s+)?(?:more|others)\b",
    re.IGNORECASE,
)
_NAME: Final = re.compile(r"[A-Za-z_][\w.:/-]{0,80}")
_NUMBERS: Final = re.compile(r"[0-9a-f]{8,}|\d+(?:\.\d+)?")
_SAME_STATUSES: Final = frozenset({404, 405, 501})
_SHORT_CHARS: Final = 100
_READ_CHARS: Final = 4000
_NOT_IMPLEMENTED_STATUS: Final = 501


@dataclass(frozen=True, slots=True)
class Nonsense:
    """How a service answers a name that nobody has; `mark` is that answer without the name and without numbers."""

    name: str
    response: Response
    mark: str
    is_error: bool

    @property
    def tells(self) -> bool:
        """Say whether such an answer can be told from a good one."""
        return self.is_error


class Reader:
    """Reads replies as the settings say, and by what is common where they say nothing."""

    def __init__(self, surface: Surface, judge: Judge) -> None:
        self._surface = surface
        self._judge = judge

    def nonsense(self, name: str, response: Response) -> Nonsense:
        """Return what to compare other replies with."""
        is_error = self._judge.error_kind(response) is not None or describes(self._surface.unknown, response.value)
        return Nonsense(name, response, mark(name, response), is_error or bool(self._errorlike(response)))

    def read(self, name: str, response: Response, nonsense: Nonsense | None) -> Asked:
        """Return what a reply says about a method."""
        told = self._told(response)
        if not response.answered:
            same = nonsense is not None and nonsense.response.kind is response.kind
            return Asked(State.UNKNOWN if same else State.SILENT, told, response.elapsed_s)
        if self._is_unknown(name, response, nonsense):
            return Asked(State.UNKNOWN, told, response.elapsed_s)
        state = State.STUBBED if self._is_stub(response) else State.PRESENT
        return Asked(state, told, response.elapsed_s)

    def _is_unknown(self, name: str, response: Response, nonsense: Nonsense | None) -> bool:
        if self._surface.unknown:
            same = nonsense is not None and nonsense.response.code == response.code and response.code in _SAME_STATUSES
            return describes(self._surface.unknown, response.value) or (same and _alike(name, response, nonsense))
        if nonsense is not None and nonsense.tells and _alike(name, response, nonsense):
            return True
        said = self._errorlike(response)
        return bool(said and UNKNOWN.search(said.replace(name, "?")) and not NOT_IMPLEMENTED.search(said))

    def _is_stub(self, response: Response) -> bool:
        if self._surface.stubbed:
            return describes(self._surface.stubbed, response.value)
        if response.code == _NOT_IMPLEMENTED_STATUS:
            return True
        said = self._errorlike(response)
        if said and NOT_IMPLEMENTED.search(said):
            return True
        return any(len(t) <= _SHORT_CHARS and NOT_IMPLEMENTED.search(t) for t in _leaves(response.value))

    def _errorlike(self, response: Response) -> str:
        """Return the text of a reply that is an error, "" if it is none."""
        kind = self._judge.error_kind(response)
        value = response.value
        if kind is None and isinstance(value, dict):
            kind = next((str(value[k]) for k in ("error", "exception", "err") if value.get(k)), None)
        if kind is None and isinstance(value, str) and len(value) <= _SHORT_CHARS and UNKNOWN.search(value):
            kind = value
        return f"{kind} {_text(value)}"[:_READ_CHARS] if kind is not None else ""

    def _told(self, response: Response) -> str:
        kind = self._judge.error_kind(response)
        return (kind or "an answer") if response.answered else f"{response.kind}: {response.detail}".rstrip(": ")


def mark(name: str, response: Response) -> str:
    """Return what is the same in all replies of one kind: without the name that was asked for, without numbers."""
    text = _text(response.value).replace(name, "<name>")
    return f"{response.kind} {response.code} {_NUMBERS.sub('#', text)}"


def listed_names(response: Response) -> tuple[str, ...]:
    """Return the names that an unknown-method reply lists: `there are: load, unload`, `{"methods": [...]}`."""
    found: dict[str, None] = {}
    for key, value in _items(response.value):
        if isinstance(value, list) and _LISTS.search(key) and value and all(isinstance(v, str) for v in value):
            found.update(dict.fromkeys(v for v in value if _NAME.fullmatch(v)))
        if isinstance(value, str) and (match := _LIST.search(value)):
            words = re.split(r"\s*(?:,|\||\bor\b|\band\b)\s*", match["names"])
            names = [w.strip("'\". ") for w in words]
            if len(names) > 1:
                found.update(dict.fromkeys(n for n in names if _NAME.fullmatch(n)))
    return tuple(found)


def lists_a_part(response: Response) -> bool:
    """Say whether a reply says that what it lists is not all: `for example`, `such as`, `...`."""
    return any(_A_PART.search(text) for text in _leaves(response.value))


def _alike(name: str, response: Response, nonsense: Nonsense | None) -> bool:
    return nonsense is not None and mark(name, response) == nonsense.mark


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _items(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value below another, with the key that it stands under."""
    stack = [(key, value)]
    while stack:
        here, found = stack.pop()
        yield here, found
        if isinstance(found, dict):
            stack += [(str(k), v) for k, v in found.items()]
        elif isinstance(found, list):
            stack += [(here, v) for v in found]


def _leaves(value: Any) -> Iterator[str]:
    return (found for _, found in _items(value) if isinstance(found, str))
