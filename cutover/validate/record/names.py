"""Which names are secret: by the words that a name is made of, wherever in it they stand."""

from __future__ import annotations

import itertools
import re
from typing import Any, Final

from cutover.config import Recording

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_SECRET_WORDS: Final = frozenset(
    {
        "password", "passwords", "passwd", "passwds", "passwort", "passcode", "passphrase", "pass", "pw", "pwd",
        "secret", "secrets", "token", "auth", "authorization", "authentication", "authn", "authz", "credential",
        "credentials", "cred", "creds", "session", "sessions", "sessionid", "sessid", "sess", "sid", "cookie",
        "cookies", "signature", "sig", "otp", "totp", "pin", "cvv", "cvc", "jwt", "bearer", "csrf", "xsrf", "dsn",
    }
)  # fmt: skip
_IN_A_WORD: Final = re.compile(
    r"passw|passphrase|secret|credential|token(?!s$|i[sz])|api_?keys?|privatekey|accesskey|sess(?:ion)?id|cookie|authoriz|"
    r"^o?auth\d*$|(?:access|refresh|auth|api|id)tokens$|^(?:csrf|xsrf)"
)
_KINDS_OF_KEY: Final = frozenset(
    {"api", "private", "access", "account", "secret", "signing", "encryption", "shared", "ssh", "master", "license"}
)
_KINDS_OF_TOKENS: Final = frozenset({"access", "refresh", "auth", "api", "id", "session", "device"})
_MEASURES: Final = frozenset(
    {
        "count", "counts", "limit", "length", "len", "size", "max", "min", "ttl", "expires", "expiry", "expire",
        "timeout", "usage", "budget", "rate", "total", "seconds", "ms", "age", "version", "used", "left",
        "remaining", "index",
    }
)  # fmt: skip
_LABEL: Final = re.compile(r"[-/$]{0,2}[^\W\d][\w./:\[\]$-]{0,79}:?")
_MOST_REMEMBERED: Final = 2000


class Names:
    """Tells secret names from others; what the settings add counts as well."""

    def __init__(self, recording: Recording) -> None:
        self._given = [re.compile(text, re.IGNORECASE) for text in recording.mask_names]
        self._known: dict[str, bool] = {}

    def is_secret(self, name: str, value: Any = "") -> bool:
        """Say whether a value is secret for its name; `token_count: 3` is a count."""
        if name not in self._known:
            if len(self._known) > _MOST_REMEMBERED:  # names that never come twice
                self._known.clear()
            self._known[name] = _sounds_secret(name) or any(p.search(name) for p in self._given)
        if not self._known[name]:
            return False
        return not (isinstance(value, int | float) and _is_measure(name)) or any(p.search(name) for p in self._given)

    def labels(self, text: Any) -> bool:
        """Say whether a text is the secret name of what stands beside it, as in `["password", "x"]`."""
        return isinstance(text, str) and bool(_LABEL.fullmatch(text)) and self.is_secret(text)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _is_measure(name: str) -> bool:
    return not _MEASURES.isdisjoint(_words(name))


def _sounds_secret(name: str) -> bool:
    words = _words(name)
    if not words:
        return False
    if not _SECRET_WORDS.isdisjoint(words) or words[-1] == "key":
        return True
    if any(_IN_A_WORD.search(word) for word in (*words, name.lower())):
        return True
    pairs = list(itertools.pairwise(words))
    if any((first in _KINDS_OF_KEY and second in {"key", "keys"}) for first, second in pairs):
        return True
    if any((first in _KINDS_OF_TOKENS and second == "tokens") for first, second in pairs):
        return True
    return ("connection", "string") in pairs
