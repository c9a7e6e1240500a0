"""Secrets taken out of what containers print, before it becomes evidence in a message, a journal or a report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

MASK = "***"
SECRET_NAME = re.compile(
    r"PASS|SECRET|TOKEN|CREDENTIAL|API[_-]?KEY|PRIVATE|(?:^|[_-])(?:KEY|AUTH|PWD)(?:[_-]|$)", re.IGNORECASE
)
USERINFO = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")
FLAG = re.compile(r"(?<![\w-])(?P<flag>--?[A-Za-z][\w-]*)(?P<gap>=|\s+)(?P<value>[^\s'\",\]-][^\s'\",\]]*)")
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
    return FLAG.sub(_masked, USERINFO.sub(MASK, text))


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
