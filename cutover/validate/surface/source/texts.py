"""Which texts an expression means: constants, names given to them, members of enums, lists and tables of them."""

from __future__ import annotations

import ast

from cutover.validate.surface.source.module import Class, Scope
from cutover.validate.surface.source.package import Package, assigned_in, last_name

_COLLECTIONS = {"frozenset", "set", "tuple", "list", "sorted", "dict", "keys", "fromkeys", "MappingProxyType"}
_DEPTH = 8


def texts(expr: ast.expr, scope: Scope, package: Package, depth: int = 0) -> list[str]:  # noqa: C901, PLR0911, PLR0912
    """Return the texts that an expression stands for, [] where it stands for something else."""
    if depth > _DEPTH:
        return []
    match expr:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Constant(value=bytes(content)):
            return [content.decode("utf-8", "replace")]
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            return _of_all(items, scope, package, depth)
        case ast.Dict(keys=keys, values=values):
            both = zip(keys, values, strict=True)
            return _of_all([value if key is None else key for key, value in both], scope, package, depth)
        case ast.Starred(value=inside):
            return texts(inside, scope, package, depth + 1)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _of_all([left, right], scope, package, depth)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _sum(left, right, scope, package, depth)
        case ast.Call(func=func, args=[first, *_]) if last_name(func) in _COLLECTIONS:
            return texts(first, scope, package, depth + 1)
        case ast.Call(func=ast.Attribute(value=inside, attr="keys")):
            return texts(inside, scope, package, depth + 1)
        case ast.Attribute(value=inside, attr="value" | "name"):
            return texts(inside, scope, package, depth + 1) or _of_name(expr, scope, package, depth)
        case ast.Name() | ast.Attribute():
            return _of_name(expr, scope, package, depth)
        case _:
            return []


def is_text(expr: ast.expr) -> bool:
    """Say whether an expression is one text, written there."""
    return isinstance(expr, ast.Constant) and isinstance(expr.value, str | bytes)


def _of_all(items: list[ast.expr], scope: Scope, package: Package, depth: int) -> list[str]:
    return [text for item in items for text in texts(item, scope, package, depth + 1)]


def _sum(left: ast.expr, right: ast.expr, scope: Scope, package: Package, depth: int) -> list[str]:
    """Return a text put together of two; lists are joined."""
    first, second = texts(left, scope, package, depth + 1), texts(right, scope, package, depth + 1)
    lists = (ast.List, ast.Tuple)
    if isinstance(left, lists) or isinstance(right, lists):
        return first + second
    return [first[0] + second[0]] if len(first) == len(second) == 1 else []


def _of_name(expr: ast.expr, scope: Scope, package: Package, depth: int) -> list[str]:
    if isinstance(expr, ast.Attribute) and (member := _member(expr, scope, package)):
        return texts(member[0], member[1], package, depth + 1)
    given = package.value(expr, scope)
    return texts(given[0], given[1], package, depth + 1) if given and given[0] is not expr else []


def _member(expr: ast.Attribute, scope: Scope, package: Package) -> tuple[ast.expr, Scope] | None:
    """Return what `Action.LOAD` is given in its class."""
    cls = package.class_of(expr.value, scope) if isinstance(expr.value, ast.Name | ast.Attribute) else None
    if cls is None or (isinstance(expr.value, ast.Name) and expr.value.id in {"self", "cls"}):
        return None
    value = assigned_in(cls).get(expr.attr)
    if value is None:
        return None
    if isinstance(value, ast.Call) and last_name(value) == "auto" and _is_text_enum(cls):
        return ast.Constant(expr.attr.lower()), scope
    if isinstance(value, ast.Tuple) and value.elts:
        value = value.elts[0]
    return value, Scope(cls.module, cls)


def _is_text_enum(cls: Class) -> bool:
    return any(last_name(base) == "StrEnum" for base in cls.node.bases)
