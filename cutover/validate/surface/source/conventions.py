"""Methods that are found by their name: `getattr(self, f"handle_{action}")`, classes that are served as they are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from cutover.validate.surface.source.holders import holder
from cutover.validate.surface.source.method import How, Method, Wanted
from cutover.validate.surface.source.module import Class, Module, NamedFunction, Scope, walk
from cutover.validate.surface.source.package import Package, Target, assigned_locally, last_name
from cutover.validate.surface.source.stubs import stub_reason

_HANDLES = re.compile(r"^_{0,2}(?:handle|do|on|cmd|command|action|rpc|api|method|m|process|exec|call)_+$")
_SERVES_AN_OBJECT = frozenset({"register_instance", "Server", "register_object", "RPCServer"})
_NO_METHOD = frozenset({"property", "cached_property", "setter", "deleter", "staticmethod", "contextmanager"})


def named_classes(package: Package, wanted: Wanted) -> Iterator[Method]:
    """Yield the public methods of the classes that the user named."""
    for name in wanted.classes:
        for cls in package.classes_named(name):
            yield from public_methods(cls, package, heirs=False)


def missing_classes(package: Package, wanted: Wanted) -> list[str]:
    """Return the classes that the user named and the source has not."""
    return [name for name in wanted.classes if not package.classes_named(name)]


def conventional_methods(module: Module, package: Package, wanted: Wanted) -> Iterator[Method]:
    """Yield what `getattr` finds by a prefix or by the bare name, and what an object that is served has."""
    for node, scope in walk(module):
        if not isinstance(node, ast.Call):
            continue
        name = last_name(node.func)
        if name == "getattr" and len(node.args) > 1:
            yield from _by_getattr(node, scope, package, wanted)
        elif name in _SERVES_AN_OBJECT and node.args and _serves(node, module):
            cls = package.class_of(node.args[0], scope)
            if cls:
                yield from public_methods(cls, package)


def _serves(node: ast.Call, module: Module) -> bool:
    if last_name(node.func) != "Server":
        return True
    base = last_name(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    source = module.imports.get(base or "Server", ("", ""))[0]
    return base == "zerorpc" or source.startswith("zerorpc")


def _by_getattr(node: ast.Call, scope: Scope, package: Package, wanted: Wanted) -> Iterator[Method]:
    cls = package.class_of(node.args[0], scope)
    if cls is None:
        return
    parts = _around(node.args[1], scope)
    if parts:
        named = any(holder(n, scope, wanted.keys) for n in ast.walk(node.args[1]) if isinstance(n, ast.expr))
        sure = named or bool(_HANDLES.search(parts[0]))
        yield from (replace(m, sure=sure) for m in _with_affixes(cls, package, *parts))
        return
    held = holder(node.args[1], scope, wanted.keys)
    if held and held.sure:
        around = scope.function.name if scope.function else ""
        yield from (replace(m, how=How.PREFIX) for m in public_methods(cls, package) if m.name != around)


def _around(expr: ast.expr, scope: Scope) -> tuple[str, str] | None:  # noqa: PLR0911  (a line for each spelling)
    """Return what stands before and after the name in `f"handle_{action}"` and its like; None where nothing does."""
    match expr:
        case ast.JoinedStr(values=values):
            return _affixes([v.value if isinstance(v, ast.Constant) else None for v in values])
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Add()):
            return text, ""
        case ast.BinOp(right=ast.Constant(value=str(text)), op=ast.Add()):
            return "", text
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
            return _split(text, "%s")
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return _split(text, "{}")
        case ast.Name(id=name) if scope.function:
            given = assigned_locally(scope.function).get(name)
            return _around(given, Scope(scope.module)) if given is not None else None
    return None


def _affixes(parts: list[object]) -> tuple[str, str] | None:
    if parts.count(None) != 1:
        return None
    at = parts.index(None)
    before, after = "".join(map(str, parts[:at])), "".join(map(str, parts[at + 1 :]))
    return (before, after) if before or after else None


def _split(text: str, mark: str) -> tuple[str, str] | None:
    before, found, after = text.partition(mark)
    return (before, after) if found and (before or after) else None


def _with_affixes(cls: Class, package: Package, before: str, after: str) -> Iterator[Method]:
    for member, node in _all_methods(cls, package):
        name = node.name
        inner = name[len(before) : len(name) - len(after)]
        if (
            not inner.startswith("_")
            and name.startswith(before)
            and name.endswith(after)
            and inner
            and len(before) + len(after) < len(name)
        ):
            yield _method(inner, node, member, package, How.PREFIX)


def public_methods(cls: Class, package: Package, *, heirs: bool = True) -> Iterator[Method]:
    """Yield the methods of a class, inherited ones included, that a client could mean: no `_x`, no properties."""
    for member, node in _all_methods(cls, package, heirs=heirs):
        marks = {last_name(d) for d in node.decorator_list}
        if not node.name.startswith("_") and not marks & _NO_METHOD:
            yield _method(node.name, node, member, package, How.CLASS)


def _all_methods(cls: Class, package: Package, *, heirs: bool = True) -> Iterator[tuple[Class, NamedFunction]]:
    seen: set[str] = set()
    for member in package.family(cls) if heirs else package.lineage(cls):
        for name, node in member.methods.items():
            if name not in seen:
                seen.add(name)
                yield member, node


def _method(name: str, node: NamedFunction, cls: Class, package: Package, how: How) -> Method:
    reason = stub_reason(Target(node, Scope(cls.module, cls)), package)
    return Method(name, how, cls.module.file, node.lineno, bool(reason), reason)
