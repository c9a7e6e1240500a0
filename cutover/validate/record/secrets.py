"""Which names and texts are secret: what probes know, what else travels in traffic, and what the settings add."""

from __future__ import annotations

import re
from typing import Final

from cutover.config import Recording
from cutover.probes.spec import MASK, SECRET_NAME, SECRET_TEXT

_MORE_NAMES: Final = re.compile(
    r"(?:^|[_-])(?:(?:set[_-])?cookies?|sess(?:ion)?[_-]?id|sid|bearer|jwt|passphrase|pwd|pin|otp|signature|csrf\w*|xsrf\w*|"
    r"(?:access|refresh|auth|api|id)[_-]tokens?|passwords|secrets|private[_-]?key|account[_-]?key|connection[_-]?string|dsn)$",
    re.IGNORECASE,
)
_MORE_TEXTS: Final = (
    re.compile(r"(\b(?:Bearer|Basic|Token)\s+)[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"()\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),
    re.compile(r"()\b(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|hf|xox[abps])[-_][A-Za-z0-9_-]{12,}"),
    re.compile(r"()\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"),
    re.compile(r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
    re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s:@\"']*:[^/\s@\"']+(?=@)"),
)
_QUOTED: Final = re.compile(
    r"""(?P<head>["'](?P<name>[\w.-]{1,60})["']\s*[:=]\s*)(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;}\]]+)"""
)
_PART: Final = re.compile(r"(?P<head>name=\"(?P<name>[\w.-]{1,60})\"[^\r\n]*\r\n\r\n)(?P<value>[^\r\n]*)")
_ASSIGNED: Final = re.compile(r"(?P<head>(?:^|[?&;\s])(?P<name>[\w.-]{1,60})=)(?P<value>[^&;\s\"']+)")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LEAST_CHARS: Final = 8


class Secrets:
    """Names, patterns, and the secret texts that were met: those are masked wherever they turn up again."""

    def __init__(self, recording: Recording) -> None:
        self._names = [SECRET_NAME, _MORE_NAMES]
        self._given = [re.compile(text, re.IGNORECASE) for text in recording.mask_names]
        self._texts = [re.compile(text) for text in recording.mask_text]
        self._met: dict[str, None] = {}
        self._known: re.Pattern[str] | None = None

    def is_name(self, name: str) -> bool:
        """Say whether what stands under a name is secret."""
        plain = _CAMEL.sub("_", name)
        return any(p.search(plain) for p in self._names) or any(p.search(name) for p in self._given)

    def meet(self, text: str) -> None:
        """Remember a secret, with what it is made of: `Bearer x`, `a=x; b=y`, and `user:x` in Basic's Base64."""
        for part in (text, *re.split(r"[;,\s]+", text), *re.findall(r"=\s*\"?([^;,\s\"]+)", text), *_of_basic(text)):
            if len(part) >= _LEAST_CHARS and part.strip("*") and part not in self._met:
                self._met[part] = None
                self._known = None

    def masked(self, text: str, *, loose: bool = True) -> str:
        """Return a text without its secrets.

        `loose` False is for a text that is no value of a mapping, but all that was said: names are looked for in it.
        """
        for pattern in self._texts:
            text = pattern.sub(MASK, text)
        for pattern in _MORE_TEXTS:
            text = pattern.sub(rf"\1{MASK}", text)
        text = SECRET_TEXT.sub(lambda m: _kept(m, loose=loose), text)
        for pattern in () if loose else (_QUOTED, _PART, _ASSIGNED):
            text = pattern.sub(self._under_its_name, text)
        return self._without_known(text)

    def _under_its_name(self, match: re.Match[str]) -> str:
        if not self.is_name(match["name"]):
            return match[0]
        self.meet(match["value"].strip("\"'"))
        quote = match["value"][0] if match["value"][:1] in {'"', "'"} else ""
        return f"{match['head']}{quote}{MASK}{quote}"

    def _without_known(self, text: str) -> str:
        if self._known is None:
            longest_first = sorted(self._met, key=len, reverse=True)
            self._known = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        return self._known.sub(MASK, text)


def _kept(match: re.Match[str], *, loose: bool) -> str:
    """Mask what follows a secret's name; in a text of people only where `=` or `:` says that it is one."""
    return match[0] if loose and not re.search(r"[=:]", match[1]) else match[1] + MASK


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
