"""HTTP routes: decorators and calls of FastAPI, Flask, Starlette, aiohttp, Tornado and their like; http.server."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from typing import Final

from cutover.validate.surface.source.method import HTTP_VERBS, How, Method
from cutover.validate.surface.source.module import Class, Module, NamedFunction, Scope, walk
from cutover.validate.surface.source.package import Package, Target, assignments, last_name
from cutover.validate.surface.source.stubs import stub_reason
from cutover.validate.surface.source.texts import texts

_VERBS: Final = {verb.lower(): verb for verb in HTTP_VERBS}
_ANY_VERB: Final = frozenset({"route", "api_route", "add_url_rule", "add_api_route", "add_route", "Route", "url_rule"})
_SOCKETS: Final = frozenset({"websocket", "websocket_route", "WebSocketRoute"})
_PREFIXES: Final = frozenset({"prefix", "url_prefix"})
_PART: Final = re.compile(r"\{[^{}/]*\}|<[^<>/]*>|(?<=/):\w+|\(\?P<\w+>[^)]*\)")


_ROUTE: Final = re.compile(rf"(?:{'|'.join(sorted(HTTP_VERBS))}|WS) /")


def is_route(name: str) -> bool:
    """Say whether a name is an HTTP method: `GET /models/{}`."""
    return bool(_ROUTE.match(name))


def route(verb: str, path: str) -> str:
    """Return an HTTP method as it is named here: `GET /models/{}`, whatever a framework calls the part that varies."""
    plain = _PART.sub("{}", path.partition("?")[0]).rstrip("$").lstrip("^")
    return f"{verb.upper()} {plain if plain.startswith('/') else '/' + plain}"


def routes(module: Module, package: Package) -> Iterator[Method]:
    """Yield the HTTP methods of a module, each `VERB /path`."""
    prefixes = _prefixes(package)
    for node, scope in walk(module):
        if isinstance(node, NamedFunction | ast.ClassDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call):
                    target = None if isinstance(node, ast.ClassDef) else Target(node, scope)
                    yield from _named(decorator, target, How.DECORATOR, scope, package=package, prefixes=prefixes)
        if isinstance(node, ast.Call):
            target = next((t for a in _handlers(node) if (t := package.function(a, scope))), None)
            if target:
                yield from _named(node, target, How.REGISTERED, scope, package=package, prefixes=prefixes)
        if isinstance(node, ast.ClassDef):
            yield from _http_server(Class(node, module), package)


def _handlers(call: ast.Call) -> list[ast.expr]:
    named = [k.value for k in call.keywords if k.arg in {"endpoint", "handler", "view_func"}]
    return named or [a for a in call.args[1:3] if not isinstance(a, ast.Constant)]


def _named(
    call: ast.Call, target: Target | None, how: How, scope: Scope, *, package: Package, prefixes: dict[str, str]
) -> Iterator[Method]:
    verbs = _verbs(call, scope, package)
    paths = [p for p in texts(call.args[0], scope, package) if p.startswith("/") or not p] if call.args else []
    if not paths:
        paths = [p for k in call.keywords if k.arg in {"path", "rule"} for p in texts(k.value, scope, package)]
    base = last_name(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    reason = stub_reason(target, package)
    for path in paths[:1]:
        for verb in verbs:
            name = route(verb, prefixes.get(base, "") + path)
            yield Method(name, how, scope.module.file, call.lineno, bool(reason), reason)


def _verbs(call: ast.Call, scope: Scope, package: Package) -> list[str]:
    name = last_name(call.func)
    if name in _SOCKETS:
        return ["WS"]
    if name in _ANY_VERB:
        given = [k.value for k in call.keywords if k.arg == "methods"]
        return sorted({v.upper() for g in given for v in texts(g, scope, package)}) or ["GET"]
    plain = name.removeprefix("add_")
    has_base = isinstance(call.func, ast.Attribute)
    return [_VERBS[plain]] if plain in _VERBS and has_base else []


@functools.lru_cache(maxsize=1)
def _prefixes(package: Package) -> dict[str, str]:
    """Return what a router's paths begin with: its own `prefix=`, and that of `include_router`."""
    found: dict[str, str] = {}
    for module in package.modules:
        scope = Scope(module)
        for name, value in module.assigned.items():
            if isinstance(value, ast.Call) and (prefix := _prefix(value, scope, package)):
                found[name] = prefix
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and last_name(node.func) in {"include_router", "register_blueprint"}:
                prefix = _prefix(node, scope, package)
                name = last_name(node.args[0]) if node.args else ""
                if prefix and name:
                    found[name] = prefix + (found.get(name, "") if "router" in last_name(node.func) else "")
    return found


def _prefix(call: ast.Call, scope: Scope, package: Package) -> str:
    given = [t for k in call.keywords if k.arg in _PREFIXES for t in texts(k.value, scope, package)]
    return given[0].rstrip("/") if given else ""


def _http_server(cls: Class, package: Package) -> Iterator[Method]:
    """Read `do_GET` of http.server, with the paths that it compares `self.path` with."""
    for name, node in cls.methods.items():
        verb = name.removeprefix("do_")
        if name == verb or verb not in HTTP_VERBS:
            continue
        scope = Scope(cls.module, cls, node)
        found = [(p, line) for p, line in _paths(node, scope, package) if p.startswith("/")]
        reason = stub_reason(Target(node, scope), package)
        for path, line in found or [("/*", node.lineno)]:
            yield Method(route(verb, path), How.HTTP, cls.module.file, line, bool(reason), reason)


def _paths(node: NamedFunction, scope: Scope, package: Package) -> Iterator[tuple[str, int]]:
    aliases = {t.id for n in ast.walk(node) for t, v in assignments(n) if isinstance(t, ast.Name) and _is_path(v, ())}
    for found in ast.walk(node):
        match found:
            case ast.Compare(left=left, comparators=[right]):
                for one, other in ((left, right), (right, left)):
                    if _is_path(one, tuple(aliases)):
                        yield from ((text, found.lineno) for text in texts(other, scope, package))
            case ast.Call(func=ast.Attribute(value=base, attr="startswith"), args=[text, *_]) if _is_path(
                base, tuple(aliases)
            ):
                yield from ((f"{t.rstrip('/')}/{{}}", found.lineno) for t in texts(text, scope, package))


def _is_path(expr: ast.expr, aliases: tuple[str, ...]) -> bool:
    """Say whether an expression is the path of a request, or cut out of it."""
    return any(
        (isinstance(n, ast.Attribute) and n.attr == "path") or (isinstance(n, ast.Name) and n.id in aliases)
        for n in ast.walk(expr)
    )
