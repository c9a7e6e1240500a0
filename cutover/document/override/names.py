"""What a name, a host or a value says: is it a port to listen on, is it this container, is it a secret?"""

from __future__ import annotations

import re
from collections.abc import Collection

_SAYS = frozenset({"port", "ports", "listen", "listener", "bind", "addr", "address"})
_PUBLIC = frozenset({"public", "external", "advertise", "advertised", "published", "outside"})
_NOT_PORTS = ("support", "export", "import", "report", "transport", "passport", "viewport", "airport")
_VARIABLE = re.compile(r"\$\{[^}]*\}+|\$\w+")
_KNOWN = "\x01"  # stands for a variable: what it holds is not written down
_SECRET = re.compile(
    r"(?:pass(?:word|wd|phrase)?|requirepass|secret|token|credentials?|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|authorization|bearer|auth)[\"']?(?:\s*[=:]\s*|\s+)[\"']?(?!bearer)[^\x01\s\"'-]"
    r"|://[^/\s:@]*:[^/\s@\x01][^/\s@]*@"
    r"|\b(?=[a-z0-9_+]*\d)(?=[a-z0-9_+]*[a-z])[a-z0-9_+]{24,}|\b(?:sk-|ghp_|hf_)\w{8}",
    re.IGNORECASE,
)
_FLAG = re.compile(r"(?:^|(?<=[\s\"']))(-u|--user|--proxy-user|-a|-p)(?:=|\s+|)[\"']?([^\s\"']+)")
_TAKES_A = re.compile(r"\b(?:redis|valkey|keydb)")
_TAKES_P = re.compile(r"\b(?:mongo|mysql(?!d\b|d_)|mariadb(?!d\b|d_)|sshpass)")
_PATH = re.compile(r"[./~]|[\w-]+\.\w+$|.*/")
_LOCAL = re.compile(r"localhost|127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[?::1?\]?|\*|", re.IGNORECASE)
_SECRET_ENDS = frozenset({"pass", "pwd", "secret", "secrets", "token", "credential", "credentials", "key", "auth"})
_SECRET_ENDS_LONG = ("password", "passwd", "passphrase", "secret", "token", "apikey")
_EVERYWHERE = frozenset({"", "*", "0.0.0.0", "::", "[::]"})  # noqa: S104  (nothing is bound here)
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_HOSTS = ("host", "hostname", "server", "addr", "address", "url", "uri", "ip")


def says_port(name: str) -> bool:
    """Say whether a flag or variable name is about a port to listen on: `AGENT_PORT`, `--http-port`, `-p`, `bind`."""
    if name == "-p":
        return True
    words = _words(name)
    return any(w in _SAYS or (w.endswith("port") and not w.endswith(_NOT_PORTS)) for w in words)


def says_public(name: str) -> bool:
    """Say whether a name is about the port that clients see rather than the one inside."""
    return bool(_PUBLIC & set(_words(name)))


def is_local(host: str, names: Collection[str] = ()) -> bool:
    """Say whether a host in an address means the container itself; `names` are its own."""
    return host in names or _LOCAL.fullmatch(host) is not None


def is_everywhere(host: str) -> bool:
    """Say whether only somebody who listens writes such a host: every address."""
    return host in _EVERYWHERE


def holds_secret(written: str) -> bool:
    """Say whether text of a file may hold a secret in plain sight, by the words around it or by its shape."""
    text = _VARIABLE.sub(_KNOWN, written)
    return _SECRET.search(text) is not None or any(_credential(f, text[: f.start()]) for f in _FLAG.finditer(text))


def literal(written: str) -> str:
    """Return text of a file without its variables."""
    return _VARIABLE.sub("", written)


def says_secret(name: str) -> bool:
    """Say whether a variable's name says that its value is a secret: `DB_PASSWORD`, `HF_TOKEN`; not `MAX_TOKENS`."""
    words = _words(name)
    return bool(words) and (words[-1] in _SECRET_ENDS or words[-1].endswith(_SECRET_ENDS_LONG))


def host_siblings(name: str) -> tuple[str, ...]:
    """Return how the host that belongs to a port would be called: `DB_PORT` -> `DB_HOST`, `DB_ADDR`, ..."""
    found = re.fullmatch(r"(.*?)([_-]?)(?:port)", name, re.IGNORECASE)
    if not found or not found[1]:
        return ()
    upper = name.isupper()
    return tuple(f"{found[1]}{found[2]}{word.upper() if upper else word}" for word in _HOSTS)


def _credential(found: re.Match[str], before: str) -> bool:
    """Say whether a short flag's value is a password: `-u me:pw`; of `-a x` and `-px` the program before it decides."""
    flag, value = found.groups()
    known = value[0] in f"-{_KNOWN}"
    if flag == "-a":
        return not known and _TAKES_A.search(before) is not None
    if flag == "-p":
        return not known and not value.isdigit() and not _PATH.match(value) and _TAKES_P.search(before) is not None
    return _is_user_and_password(value)


def _is_user_and_password(value: str) -> bool:
    """Tell `me:pw` from a user alone, from `1000:1000`, from an address, and from `python -u module:app`'s kin."""
    user, _, password = value.partition(":")
    literal = password.replace(_KNOWN, "")
    ids = user.isdigit() and password.isdigit()
    return bool(user and literal) and not (ids or password.startswith("/") or _PATH.match(user) or is_local(user))


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]
