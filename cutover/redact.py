"""Secrets taken out of what containers print, before it becomes evidence in a message, a journal or a report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

MASK = "***"
SECRET_NAME = re.compile(
    r"PASS(?!ED|IVE)|SECRET|TOKEN(?!I[ZS])|CREDENTIAL|(?:API|ACCOUNT|ACCESS)[_-]?KEY|PRIVATE|MASTER-?AUTH"
    r"|(?:^|[_-])(?:KEY|AUTH|PWD)(?:[_-]|$)",
    re.IGNORECASE,
)
USERINFO = re.compile(r"(?<=://)(?:[^/\s\"']*:[^/\s\"']+|[^/\s:@\"']{16,})(?=@)")
"""With a password, or long enough to be a token itself; a password may have an @ of its own."""
FLAG = re.compile(
    r"(?<![\w-])(?P<flag>--?[A-Za-z][\w-]*)(?P<gap>=|\s+)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s'\",\]-][^\s'\",\]]*)"
)
ASSIGNED = re.compile(
    r"(?<![\w-])(?P<flag>[A-Za-z_][\w-]*)(?P<gap>[\"']?\s?[:=](?!//)\s?)(?P<value>\"[^\"]*\"|'[^']*'|[^\s'\"&;,{}\[\]]+)"
)
"""A variable, a part of a query, a header, a key of JSON or YAML: `DB_PASSWORD=x`, `?token=x`, `"password": "x"`."""
NO_SECRET = re.compile(r"[\"']?(?:\d{1,6}|true|false|none|null|\*+)[\"']?", re.IGNORECASE)
"""What a variable with the name of a secret may hold that is none: `max_tokens=512`."""
HEADER = re.compile(r"(?i)(\bauthorization[\"']?\s*[:=]\s*[\"']?\w+\s+|\bbearer\s+)[\w.~+/=-]{4,}")
_REST = r"\b(?:(?!\s(?:&&|\|\||;)\s).)*?\s"
PROGRAMS = (
    re.compile(rf"(\b(?:redis|valkey|keydb)-cli{_REST}(?:-a|--pass)[\s=]+)\S+"),
    re.compile(rf"(\b(?:mysql|mariadb)\w*(?:-\w+)?{_REST}-p)(?!\s)\S+"),
    re.compile(rf"(\b(?:mongosh|mongo|mongodump|sshpass){_REST}-p\s*)\S+"),
    re.compile(rf"(\b(?:sqlcmd|bcp){_REST}-P\s*)\S+"),
    re.compile(r"(\s(?:-\w*u|--user|--proxy-user)[\s=]*[^\s:=]+:)\S+"),
)
"""`redis-cli -a x`, `mysqladmin -px`, `mongosh -p x`, `sqlcmd -P x`, `curl -u me:x`."""
SHORTEST = 4
"""A shorter value is no secret worth the name, and masking it would make holes in every word."""


def redacted(text: str, config: Mapping[str, Any] | None) -> str:
    """Return a text without the secrets that a container's `Config` knows, and without what looks like one.

    Known are the values of secret-looking variables and flags, and the passwords of URLs in any variable or argument.
    """
    config = config or {}
    environment: Iterable[str] = config.get("Env") or ()
    arguments = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    secrets = {*_of_environment(environment), *_of_arguments(arguments)}
    for value in sorted(secrets, key=len, reverse=True):
        text = text.replace(value, MASK)
    return masked(text)


def masked(text: str) -> str:
    """Return a text without what looks like a secret: in flags, variables, headers and the user part of URLs."""
    return HEADER.sub(rf"\1{MASK}", ASSIGNED.sub(_masked_value, FLAG.sub(_masked, USERINFO.sub(MASK, text))))


def masked_command(text: str) -> str:
    """Return a command line masked, with what certain programs call their password besides."""
    for program in PROGRAMS:
        text = program.sub(rf"\1{MASK}", text)
    return masked(text)


def _masked_value(found: re.Match[str]) -> str:
    return found[0] if NO_SECRET.fullmatch(found["value"]) else _masked(found)


def _masked(found: re.Match[str]) -> str:
    return f"{found['flag']}{found['gap']}{MASK}" if SECRET_NAME.search(found["flag"]) else found[0]


def _of_environment(environment: Iterable[str]) -> Iterator[str]:
    for entry in environment:
        name, _, value = entry.partition("=")
        if SECRET_NAME.search(name):
            yield from _long_enough(value)
        yield from _passwords(value)


def _of_arguments(arguments: Sequence[str]) -> Iterator[str]:
    for number, argument in enumerate(arguments):
        yield from _passwords(argument)
        flag, equals, value = argument.partition("=")
        if flag.startswith("-") and SECRET_NAME.search(flag):
            follows = arguments[number + 1] if number + 1 < len(arguments) else ""
            yield from _long_enough(value if equals else follows)
        for found in FLAG.finditer(argument):  # a shell's command line is one argument
            if SECRET_NAME.search(found["flag"]):
                yield from _long_enough(found["value"])


def _passwords(text: str) -> Iterator[str]:
    for found in USERINFO.finditer(text):
        password = found[0].partition(":")[2]
        yield from _long_enough(password)
        yield from _long_enough(unquote(password))


def _long_enough(value: str) -> Iterator[str]:
    if len(value) >= SHORTEST and not value.startswith("-"):
        yield value
