"""Which texts are secret wherever they stand, and the secrets that were met: those are masked wherever they turn up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

from cutover.config import Recording
from cutover.probes.spec import MASK, SECRET_TEXT
from cutover.validate.record.names import Names

_TEXTS: Final = (
    re.compile(r"(\b(?:Bearer|Basic|Token)\s+)[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"()\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),
    re.compile(r"()\b(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|hf|xox[abps])[-_][A-Za-z0-9_-]{12,}"),
    re.compile(r"()\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"),
    re.compile(r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
    re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s:@\"']*:[^/\s@\"']+(?=@)"),
    re.compile(r"((?:^|\s)(?:-u|--user|--proxy-user|-U)[\s=]+[\"']?[^\s:\"']+:)[^\s\"']+"),
)
_VALUE: Final = r"""\\+"(?:(?!\\+").)*\\+"|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_QUOTED: Final = re.compile(
    rf"""(?P<head>\\*["'](?P<name>[\w.-]{{1,60}})\\*["']\s*(?:[:=,]|=>)\s*)(?P<value>{_VALUE}|[^\s,;}}\]]+)""",
    re.DOTALL,
)
_ASSIGNED: Final = re.compile(
    rf"""(?P<head>(?:^|[?&;#,\s(\[{{"'])(?P<name>[\w.-]{{1,60}})=)(?P<value>{_VALUE}|[^&;\s"']+)"""
)
_FLAG: Final = re.compile(
    rf"""(?P<head>(?:^|(?<=[\s"']))--?(?P<name>[A-Za-z][\w-]{{0,60}})(?:\s+|=|\s*,\s*))(?P<value>{_VALUE}|[^\s"'-]\S*)"""
)
_LINE: Final = re.compile(r"(?P<head>^[ \t>-]*(?P<name>[\w.-]{1,60})[ \t]*:[ \t]*)(?P<value>[^\r\n]+)", re.MULTILINE)
_LOGIN: Final = re.compile(
    r"(?P<head>^\s*(?:\w+\s+)?login\s+\S+\s+)(?P<value>\S+)(?=\s*$)", re.IGNORECASE | re.MULTILINE
)
_LEAST_CHARS: Final = 8
_MOST_MET: Final = 500


class Secrets:
    """Patterns of texts, and what was met; bound to the names that are secret."""

    def __init__(self, recording: Recording, names: Names) -> None:
        self._names = names
        self._given = [re.compile(text) for text in recording.mask_text]
        self._met: dict[str, None] = {}

    def meet(self, text: str) -> None:
        """Remember a secret, with what it is made of: `Bearer x`, `a=x; b=y`, and `user:x` in Basic's Base64."""
        met = (text, *re.split(r"[;,\s]+", text), *re.findall(r"=\s*\"?([^;,\s\"]+)", text), *_of_basic(text))
        for part in dict.fromkeys(s for m in met for s in (m, quote(m), quote(m, safe=""), quote_plus(m))):
            if len(part) >= _LEAST_CHARS and part.strip("*"):
                self._met.pop(part, None)
                self._met[part] = None
        while len(self._met) > _MOST_MET:
            del self._met[next(iter(self._met))]

    def taken_out(self, parts: list[Any]) -> list[Any]:
        """Return what an exchange is made of without what was met anywhere in it, or in an earlier one."""
        whole = "\0".join(t for part in parts for t in _texts(part))
        plain = unquote(whole)
        here = tuple(sorted((s for s in self._met if s in whole or s in plain), key=len, reverse=True))
        return [_mapped(part, lambda text: _without(text, here)) for part in parts] if here else parts

    def masked(self, text: str, *, loose: bool = True) -> str:
        """Return a text without what looks like a secret.

        `loose` False is for a text that is no value of a mapping, but all that was said: names are looked for in it.
        """
        for pattern in self._given:
            text = pattern.sub(MASK, text)
        if len(text) >= _LEAST_CHARS:
            for pattern in _TEXTS:
                text = pattern.sub(self._all_but_the_head, text)
        if not loose or "=" in text or ":" in text:
            text = SECRET_TEXT.sub(lambda m: _kept(m, loose=loose), text)
            for pattern in (_QUOTED, _ASSIGNED, _LINE):
                text = pattern.sub(self._under_its_name, text)
        if "-" in text:
            text = _FLAG.sub(self._under_its_name, text)
        return text if loose else _LOGIN.sub(lambda m: m["head"] + MASK, text)

    def _under_its_name(self, match: re.Match[str]) -> str:
        value = match["value"]
        if not self._names.is_secret(match["name"], value) or value.strip("\\\"'").startswith(MASK):
            return match[0]
        self.meet(value.strip("\\\"'"))
        quoted = re.match(r"\\*[\"']", value)
        return f"{match['head']}{quoted[0] if quoted else ''}{MASK}{quoted[0] if quoted else ''}"

    def _all_but_the_head(self, match: re.Match[str]) -> str:
        return match[1] + MASK


def _kept(match: re.Match[str], *, loose: bool) -> str:
    """Mask what follows a secret's name; in a text of people only where `=` or `:` says that it is one."""
    return match[0] if loose and not re.search(r"[=:]", match[1]) else match[1] + MASK


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = _replaced(text, secret)
    if "%" in text:
        plain = shown = unquote(text)
        for secret in secrets:
            shown = _replaced(shown, secret)
        return text if shown == plain else quote(shown, safe="/:@!$&='()*,;~?#%+*")
    return text


def _replaced(text: str, secret: str) -> str:
    """Return a text with the mask in place of a secret; a number is none within a longer one."""
    return re.sub(rf"(?<!\d){secret}(?!\d)", MASK, text) if secret.isdigit() else text.replace(secret, MASK)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return a value with every text below it changed, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(k) if isinstance(k, str) else k: _mapped(v, change) for k, v in value.items()}
    return [_mapped(v, change) for v in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterable[str]:
    """Yield every text below a value, keys included."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            stack += [*found, *found.values()]
        elif isinstance(found, list | tuple):
            stack += found


def _of_basic(text: str) -> list[str]:
    import base64  # noqa: PLC0415
    import binascii  # noqa: PLC0415

    scheme, _, rest = text.partition(" ")
    if scheme.lower() != "basic":
        return []
    try:
        user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return []
    return [password, f"{user}:{password}"]
