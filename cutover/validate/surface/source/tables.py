"""Dispatch tables: dicts from texts to functions, however they are put together."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cutover.validate.surface.source.holders import holder
from cutover.validate.surface.source.method import How, Method, Skipped, Wanted
from cutover.validate.surface.source.module import Module, Scope, walk
from cutover.validate.surface.source.package import Package, Target, assignments, last_name
from cutover.validate.surface.source.stubs import stub_reason
from cutover.validate.surface.source.texts import texts

_TABLE_NAME: Final = re.compile(
    r"handler|method|action|command|dispatch|route|rpc|operation|(?:^|_)ops?(?:$|_)|endpoint|procedure|callbacks?$|verbs?$",
    re.IGNORECASE,
)
_HANDLER_NAME: Final = re.compile(r"^_{0,2}(?:handle|do|on|cmd|rpc|action|api|command)_|_(?:handler|action|command)$")
_IS_A_NAME: Final = re.compile(r"[A-Za-z_/$][\w./:$ -]{0,100}")
_ABOUT_ONE: Final = frozenset({"handler", "func", "fn", "function", "run", "call", "callback", "method", "do", "exec"})
_MOSTLY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a table: its names (an enum's member may have one, a tuple of keys more), and what it leads to."""

    names: list[str]
    value: ast.expr
    target: Target | None
    line: int


def table_methods(
    module: Module, package: Package, wanted: Wanted, unread: list[Skipped] | None = None
) -> Iterator[Method]:
    """Yield what stands in the dispatch tables of a module; those made when it runs are added to `unread`."""
    unread = [] if unread is None else unread
    used = _looked_up(package, wanted)
    inner: set[int] = set()
    for node, scope in walk(module):
        if isinstance(node, ast.Dict):
            inner |= {id(value) for value in node.values if _describes(value)}
        if id(node) in inner:
            continue
        if isinstance(node, ast.Dict | ast.DictComp | ast.Call):
            found = list(_of_table(node, scope, package, used))
            if not found and (why := _unreadable(node, scope, package, used)):
                unread.append(Skipped(f"{module.file}:{node.lineno}", why))
            yield from found
        elif isinstance(node, ast.Assign):
            yield from _of_entry(node, scope, package, used)


def _of_table(node: ast.expr, scope: Scope, package: Package, used: frozenset[str]) -> Iterator[Method]:
    entries = list(_entries(node, scope, package))
    if not entries or _is_of_something_else(entries):
        return
    mostly = _mostly_found(entries)
    known = _name_of(node, scope) in used
    if not (mostly or known or (_TABLE_NAME.search(_name_of(node, scope)) and all(_refers(e.value) for e in entries))):
        return
    sure = _is_sure(node, scope, entries, used)
    for entry in entries:
        reason = stub_reason(entry.target, package)
        certain = sure and (mostly or known or entry.target is not None)
        for name in entry.names:
            yield Method(name, How.TABLE, scope.module.file, entry.line, bool(reason), reason, certain)


def _unreadable(node: ast.expr, scope: Scope, package: Package, used: frozenset[str]) -> str:
    """Return why a dispatch table cannot be read, "" if it can be, or is none."""
    if isinstance(node, ast.DictComp):
        if texts(node.generators[0].iter, scope, package):
            return ""
    elif not (isinstance(node, ast.Dict) and node.keys and all(_is_computed(k, scope, package) for k in node.keys)):
        return ""
    name = _name_of(node, scope)
    is_result = scope.function is not None and name == scope.function.name  # of a function called `methods`
    if name not in used and (is_result or not (_TABLE_NAME.search(name) and isinstance(node, ast.DictComp))):
        return ""
    return f"the keys of the table {name!r} are made when it runs; name its methods under `methods:`"


def _is_computed(key: ast.expr | None, scope: Scope, package: Package) -> bool:
    return key is not None and not isinstance(key, ast.Constant) and not texts(key, scope, package)


def _refers(value: ast.expr) -> bool:
    """Say whether a value may well be a function from elsewhere: `mod.load`, `len`; not `Colour.RED`."""
    return isinstance(value, ast.Lambda) or (
        isinstance(value, ast.Name | ast.Attribute) and not last_name(value).isupper()
    )


def _entries(node: ast.expr, scope: Scope, package: Package) -> Iterator[Entry]:
    match node:
        case ast.Dict(keys=keys, values=values):
            pairs = [(key, value) for key, value in zip(keys, values, strict=True) if key is not None]
        case ast.Call(func=ast.Name(id="dict"), keywords=keywords):
            pairs = [(ast.Constant(k.arg), k.value) for k in keywords if k.arg]
        case ast.Call(func=ast.Attribute(attr="update"), keywords=keywords):
            pairs = [(ast.Constant(k.arg), k.value) for k in keywords if k.arg]
        case ast.DictComp():
            yield from _of_comprehension(node, scope, package)
            return
        case _:
            return
    for key, value in pairs:
        names = [n for n in texts(key, scope, package) if _IS_A_NAME.fullmatch(n)]
        if not names and _is_computed(key, scope, package):
            continue
        if not names:
            return  # a table of something else: numbers, types, sentences
        yield Entry(
            names, value, _target(value, scope, package), key.lineno if hasattr(key, "lineno") else value.lineno
        )


def _of_comprehension(node: ast.DictComp, scope: Scope, package: Package) -> Iterator[Entry]:
    """Read `{name: getattr(self, name) for name in ("load", "unload")}`, and others over what is written there."""
    cls, loop = scope.cls, node.generators[0]
    by_name = isinstance(node.value, ast.Call) and last_name(node.value.func) == "getattr"
    if not (isinstance(node.key, ast.Name) and last_name(loop.target) == node.key.id):
        return
    for name in texts(loop.iter, scope, package):
        if _IS_A_NAME.fullmatch(name):
            found = package.method(cls, name) if by_name and cls else package.function(node.value, scope)
            yield Entry([name], node.value, found, node.lineno)


def _target(value: ast.expr, scope: Scope, package: Package) -> Target | None:
    if isinstance(value, ast.Tuple | ast.List):  # (handler, schema)
        found = (package.function(e, scope) for e in value.elts)
        return next((target for target in found if target), None)
    if isinstance(value, ast.Dict):
        if not _describes(value):
            return None
        found = (package.function(e, scope) for e in value.values)
        return next((target for target in found if target), None)
    return package.function(value, scope)


def _describes(value: ast.expr) -> bool:
    """Say whether a dict is about one handler: `{"handler": f, "help": ...}`; other dicts in dicts are tables."""
    keys = value.keys if isinstance(value, ast.Dict) else []
    return any(isinstance(k, ast.Constant) and k.value in _ABOUT_ONE for k in keys)


def _is_of_something_else(entries: list[Entry]) -> bool:
    """Say whether a table's values are plainly no functions."""
    if any(isinstance(e.value, ast.Constant | ast.JoinedStr | ast.Compare | ast.BinOp) for e in entries):
        return True
    nested = sum(isinstance(e.value, ast.Dict | ast.Tuple | ast.List) for e in entries)
    found = any(e.target is not None for e in entries)
    return bool(nested) and (nested < len(entries) or not found)


def _mostly_found(entries: list[Entry]) -> bool:
    """Say whether enough of a table's values are functions that the source has."""
    found = sum(e.target is not None for e in entries)
    return found > len(entries) * _MOSTLY or found == len(entries)


def _is_sure(node: ast.expr, scope: Scope, entries: list[Entry], used: frozenset[str]) -> bool:
    name = _name_of(node, scope)
    if name in used or _TABLE_NAME.search(name):
        return True
    return len(entries) > 1 and all(_is_own(entry.value) and _same(entry) for entry in entries)


def _is_own(value: ast.expr) -> bool:
    """Say whether a value is `self.x`."""
    return isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id in {"self", "cls"}


def _same(entry: Entry) -> bool:
    """Say whether a handler is called after what it handles."""
    called = last_name(entry.value).lower().strip("_")
    return bool(_HANDLER_NAME.search(called)) or called in {re.sub(r"\W+", "_", n).lower() for n in entry.names}


def _name_of(node: ast.expr, scope: Scope) -> str:  # noqa: PLR0911  (a line for each spelling)
    """Return the name that a table is given, or is an argument for; "" where it has none."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "update":
        return last_name(node.func.value)
    around: ast.AST = scope.function or (scope.cls.node if scope.cls else scope.module.tree)
    for found in ast.walk(around):
        for target, value in assignments(found):
            if any(inner is node for inner in ast.walk(value)):
                return last_name(target)
        if isinstance(found, ast.keyword) and found.value is node:
            return found.arg or ""
        if isinstance(found, ast.Call) and any(a is node for a in found.args):
            merges = isinstance(found.func, ast.Attribute) and found.func.attr == "update"
            return last_name(found.func.value if merges and isinstance(found.func, ast.Attribute) else found.func)
        if isinstance(found, ast.Return) and found.value is node and scope.function:
            return scope.function.name
        if isinstance(found, ast.Subscript) and found.value is node:
            return "dispatch"
        if isinstance(found, ast.Attribute) and found.value is node and found.attr == "get":
            return "dispatch"
    return ""


def _of_entry(node: ast.Assign, scope: Scope, package: Package, used: frozenset[str]) -> Iterator[Method]:
    """Read `table["load"] = self.load`."""
    for target in node.targets:
        if not isinstance(target, ast.Subscript):
            continue
        sure = last_name(target.value) in used or bool(_TABLE_NAME.search(last_name(target.value)))
        names = [n for n in texts(target.slice, scope, package) if _IS_A_NAME.fullmatch(n)]
        leads = _target(node.value, scope, package)
        if leads is None and sure and isinstance(target.slice, ast.Name):
            yield from _of_loop(target.slice.id, node, scope, package)
        elif leads is not None:
            reason = stub_reason(leads, package)
            for name in names:
                yield Method(name, How.TABLE, scope.module.file, node.lineno, bool(reason), reason, sure)


def _of_loop(variable: str, node: ast.Assign, scope: Scope, package: Package) -> Iterator[Method]:
    """Read `for name in NAMES: handlers[name] = getattr(self, name)`."""
    if not isinstance(node.value, ast.Call) or last_name(node.value.func) != "getattr" or not scope.function:
        return
    for loop in ast.walk(scope.function):
        if isinstance(loop, ast.For) and isinstance(loop.target, ast.Name) and loop.target.id == variable:
            for name in texts(loop.iter, scope, package):
                found = package.method(scope.cls, name) if scope.cls else None
                reason = stub_reason(found, package)
                yield Method(name, How.TABLE, scope.module.file, node.lineno, bool(reason), reason)


@functools.lru_cache(maxsize=1)
def _looked_up(package: Package, wanted: Wanted) -> frozenset[str]:
    """Return the names of what is looked up by the name of a method: `X[action]`, `self.X.get(request.method)`.

    What is merged into such a table, or into one with a telling name, is one as well: `{**BASE, ...}`.
    """
    found: set[str] = set()
    merged: list[tuple[str, str]] = []
    for node, scope in (pair for module in package.modules for pair in walk(module)):
        match node:
            case (
                ast.Subscript(value=base, slice=key)
                | ast.Call(func=ast.Attribute(value=base, attr="get" | "pop"), args=[key, *_])
            ) if holder(key, scope, wanted.keys):
                found.add(last_name(base))
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[base]) if holder(
                key, scope, wanted.keys
            ):
                found.add(last_name(base))
            case ast.Dict(keys=keys, values=values) if None in keys:
                into = _name_of(node, scope)
                parts = [last_name(v) for k, v in zip(keys, values, strict=True) if k is None]
                merged += [(into, scope.module.imports.get(p, ("", p))[1] or p) for p in parts]
    found |= {part for into, part in merged if into in found or _TABLE_NAME.search(into)}
    return frozenset(found - {""})
