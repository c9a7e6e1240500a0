"""Which names and texts are secret: what probes know, what else travels in traffic, and what the settings add."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
_MOST_MET: Final = 500


class Secrets:
    """Names, patterns, and the secret texts that were met: those are masked wherever they turn up again."""

    def __init__(self, recording: Recording) -> None:
        self._names = [SECRET_NAME, _MORE_NAMES]
        self._given = [re.compile(text, re.IGNORECASE) for text in recording.mask_names]
        self._texts = [re.compile(text) for text in recording.mask_text]
        self._met: dict[str, None] = {}
        self._asked: dict[str, bool] = {}
        self._here: tuple[str, ...] = ()

    def is_name(self, name: str) -> bool:
        """Say whether what stands under a name is secret."""
        if name not in self._asked:
            if len(self._asked) > _MOST_MET:  # names that never come twice
                self._asked.clear()
            plain = _CAMEL.sub("_", name)
            known = any(p.search(plain) for p in self._names)
            self._asked[name] = known or any(p.search(name) for p in self._given)
        return self._asked[name]

    def meet(self, text: str) -> None:
        """Remember a secret, with what it is made of: `Bearer x`, `a=x; b=y`, and `user:x` in Basic's Base64."""
        for part in (text, *re.split(r"[;,\s]+", text), *re.findall(r"=\s*\"?([^;,\s\"]+)", text), *_of_basic(text)):
            if len(part) >= _LEAST_CHARS and part.strip("*"):
                self._met.pop(part, None)
                self._met[part] = None
        while len(self._met) > _MOST_MET:
            del self._met[next(iter(self._met))]

    def look_for(self, texts: Iterable[str]) -> None:
        """Find out which of the secrets that were met are in an exchange: all of them in every text take too long."""
        whole = "\0".join(texts)
        self._here = tuple(sorted((s for s in self._met if s in whole), key=len, reverse=True))

    def masked(self, text: str, *, loose: bool = True) -> str:
        """Return a text without its secrets.

        `loose` False is for a text that is no value of a mapping, but all that was said: names are looked for in it.
        """
        for pattern in self._texts:
            text = pattern.sub(MASK, text)
        if len(text) >= _LEAST_CHARS:
            for pattern in _MORE_TEXTS:
                text = pattern.sub(_all_but_the_head, text)
        if not loose or "=" in text or ":" in text:
            text = SECRET_TEXT.sub(lambda m: _kept(m, loose=loose), text)
        for pattern in () if loose else (_QUOTED, _PART, _ASSIGNED):
            text = pattern.sub(self._under_its_name, text)
        for secret in self._here:
            text = text.replace(secret, MASK)
        return text

    def _under_its_name(self, match: re.Match[str]) -> str:
        if not self.is_name(match["name"]):
            return match[0]
        self.meet(match["value"].strip("\"'"))
        quote = match["value"][0] if match["value"][:1] in {'"', "'"} else ""
        return f"{match['head']}{quote}{MASK}{quote}"


def _all_but_the_head(match: re.Match[str]) -> str:
    return match[1] + MASK


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
