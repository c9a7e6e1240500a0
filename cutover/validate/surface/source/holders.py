"""Which expressions hold the name of a method: `request.method`, `msg["action"]`, `msg.get("type")`, `action`."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Final

from cutover.validate.surface.source.module import NamedFunction, Scope
from cutover.validate.surface.source.package import assigned_locally, last_name

_MESSAGE: Final = re.compile(
    r"^_?(?:msgs?|messages?|req|requests?|data|payload|body|event|packet|frame|job|envelope|content|header|call|rpc|"
    r"json|parsed_?(?:msg|message|request)?|cmd|command|q)\d*$|(?:msg|message|request|payload|data)$",
    re.IGNORECASE,
)
_DISPATCHER: Final = re.compile(
    r"dispatch|handl|process|serve|route|(?:^|_)on_|call|invoke|execut|answer|request|message|(?:^|_)do(?:$|_)|rpc|reply",
    re.IGNORECASE,
)
_ARGUMENTS: Final = frozenset({"args", "opts", "options", "parsed_args", "namespace", "ns", "cli_args", "arguments"})
_PARAMETERS: Final = re.compile(r"param|kwargs|kwds|config|settings|attrs|environ|meta", re.IGNORECASE)
_VAGUE: Final = frozenset({"type", "op"})
_WRAPPERS: Final = frozenset({"lower", "upper", "strip", "decode", "casefold", "removeprefix", "rstrip", "lstrip"})
_DEPTH: Final = 6


@dataclass(frozen=True, slots=True)
class Holder:
    """An expression that holds a method's name: under which key, and whether it could hardly be anything else."""

    key: str
    sure: bool


def holder(expr: ast.expr, scope: Scope, keys: tuple[str, ...], depth: int = 0) -> Holder | None:  # noqa: PLR0911
    """Return how an expression holds a method's name, None if it does not seem to."""
    if depth > _DEPTH:
        return None
    match expr:
        case ast.Subscript(value=base, slice=ast.Constant(value=str() | bytes() as key)):
            return _keyed(key, base, keys)
        case ast.Call(func=ast.Attribute(value=base, attr="get" | "pop"), args=[ast.Constant(value=str() as key), *_]):
            return _keyed(key, base, keys)
        case ast.Call(func=ast.Attribute(value=base, attr=name)) if name in _WRAPPERS:
            return holder(base, scope, keys, depth + 1)
        case ast.Call(func=ast.Name(id="str" | "bytes"), args=[first, *_]):
            return holder(first, scope, keys, depth + 1)
        case ast.BoolOp(values=[first, *_]) | ast.NamedExpr(value=first):
            return holder(first, scope, keys, depth + 1)
        case ast.Attribute(value=base, attr=("value" | "name")) if not isinstance(base, ast.Name):
            return holder(base, scope, keys, depth + 1)
        case ast.Attribute(value=base, attr=key):
            return _attribute(key, base, keys)
        case ast.Name(id=name):
            return _name(name, scope, keys, depth)
    return None


def _keyed(key: str | bytes, base: ast.expr, keys: tuple[str, ...]) -> Holder | None:
    text = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
    if text not in keys and text not in _longer(keys):
        return None
    name = last_name(base)
    return Holder(text, bool(_MESSAGE.search(name)) or (text not in _VAGUE and not _PARAMETERS.search(name)))


def _attribute(key: str, base: ast.expr, keys: tuple[str, ...]) -> Holder | None:
    if key not in keys and key not in _longer(keys):
        return None
    name = last_name(base)
    if name in _ARGUMENTS:  # a command line's, not a client's
        return None
    return Holder(key, bool(_MESSAGE.search(name)))


def _name(name: str, scope: Scope, keys: tuple[str, ...], depth: int) -> Holder | None:
    given = assigned_locally(scope.function).get(name) if scope.function else None
    if given is not None and last_name(given) != name:
        found = holder(given, scope, keys, depth + 1)
        if found:
            return found
    plain = name.strip("_")
    if plain not in keys and plain not in _longer(keys):
        return None
    dispatches = scope.function is not None and bool(_DISPATCHER.search(scope.function.name))
    return Holder(plain, plain not in _VAGUE and dispatches and _takes(scope.function, name, given))


def _takes(function: NamedFunction | None, name: str, given: ast.expr | None) -> bool:
    """Say whether a function is handed a name, or reads it from somewhere."""
    if function is None:
        return False
    taken = {a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    return name in taken or given is not None


def _longer(keys: tuple[str, ...]) -> set[str]:
    """Return how else the same keys are spelt: `method_name`, `msg_type`, `cmd`."""
    spelt = {f"{key}_name" for key in keys} | {f"msg_{key}" for key in keys} | {f"message_{key}" for key in keys}
    return spelt | ({"cmd"} if "command" in keys else set())
