"""Compose's `${VARIABLE}` syntax (compose-go, `template/template.go`)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


class UnresolvedError(ValueError):
    """A variable is required and not set, or the syntax is wrong; the text says which."""


def interpolate(text: str, env: Mapping[str, str]) -> str:
    """Return `text` with its variables replaced; what is not set is empty.

    Raises:
        UnresolvedError: a required variable is not set, or a brace is not closed.

    """
    out: list[str] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        out.append(text[at:dollar])
        value, at = _one(text, dollar + 1, env)
        out.append(value)
    out.append(text[at:])
    return "".join(out)


def closing_brace(text: str, at: int) -> int:
    """Return the offset of the brace that closes the one before `at`, -1 where there is none."""
    depth = 1
    while at < len(text):
        if text.startswith("${", at):
            depth += 1
            at += 1
        elif text[at] == "}":
            depth -= 1
            if not depth:
                return at
        at += 1
    return -1


def _one(text: str, at: int, env: Mapping[str, str]) -> tuple[str, int]:
    if text.startswith("$", at):
        return "$", at + 1
    if text.startswith("{", at):
        end = closing_brace(text, at + 1)
        if end < 0:
            raise UnresolvedError(f"unclosed brace in {text!r}")
        return _braced(text[at + 1 : end], env), end + 1
    name = _NAME.match(text, at)
    if not name:
        raise UnresolvedError(f"stray $ in {text!r}")
    return env.get(name.group(), ""), name.end()


def _braced(body: str, env: Mapping[str, str]) -> str:
    name = _NAME.match(body)
    if not name:
        raise UnresolvedError(f"no variable name in ${{{body}}}")
    rest = body[name.end() :]
    if not rest:
        return env.get(name.group(), "")
    operator = next((found for found in _OPERATORS if rest.startswith(found)), None)
    if operator is None:
        raise UnresolvedError(f"unknown operator in ${{{body}}}")
    return _operate(name.group(), operator, rest[len(operator) :], env)


def _operate(name: str, operator: str, word: str, env: Mapping[str, str]) -> str:
    value = env.get(name)
    there = bool(value) if operator.startswith(":") else value is not None
    match operator[-1]:
        case "+":
            return interpolate(word, env) if there else ""
        case "-":
            return value or "" if there else interpolate(word, env)
        case _ if there:
            return value or ""
    raise UnresolvedError(f"{name} is required and not set")
