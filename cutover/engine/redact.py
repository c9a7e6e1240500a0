"""Secrets taken out of what containers print, before it becomes evidence in a message, a journal or a report."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|CREDENTIAL|API_?KEY|PRIVATE|(?:^|_)(?:KEY|AUTH|PWD)(?:_|$)", re.IGNORECASE)
USERINFO = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")
SHORTEST = 4
"""A shorter value is no secret worth the name, and masking it would make holes in every word."""


def redacted(text: str, environment: Iterable[str]) -> str:
    """Return a text without the values of secret-looking variables (`NAME=value`) and without passwords in URLs."""
    for value in sorted(_secrets(environment), key=len, reverse=True):
        text = text.replace(value, MASK)
    return USERINFO.sub(MASK, text)


def _secrets(environment: Iterable[str]) -> Iterable[str]:
    for entry in environment:
        name, _, value = entry.partition("=")
        if len(value) >= SHORTEST and SECRET_NAME.search(name):
            yield value
