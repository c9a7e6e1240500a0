"""Handlers that are registered: by a decorator, or by a call that is given a name and a function."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from cutover.validate.surface.source.method import How, Method
from cutover.validate.surface.source.module import Module, NamedFunction, Scope, walk
from cutover.validate.surface.source.package import Package, Target, last_name
from cutover.validate.surface.source.stubs import stub_reason
from cutover.validate.surface.source.texts import texts

_BARE: Final = re.compile(  # @rpc, @server.method: the function's own name counts
    r"^(?:rpc|rpc_?method|json_?rpc(?:_method)?|method|add_method|public_method|expose|exposed|remote|tool|"
    r"procedure|\w*comm_handler|message_handler|register_function|zrpc|stream)$"
)
_NAMED: Final = re.compile(  # @handler("load"), @on("load"): a text has to be given
    r"^(?:handlers?|handles?|on|on_\w+|action|command|cmd|register|register_\w+|route|op|operation|endpoint|subscribe|"
    r"event|add_handler|add_\w*method|bind|dispatch|function|rpc_handler|for_method)$"
)
_CALLS: Final = re.compile(
    r"^(?:register(?:_\w+)?|add_(?:\w*_)?(?:handler|method|command|action|function|rpc|callback)|bind_(?:method|command)|"
    r"add_\w*method_\w+|on)$"
)
_VAGUE: Final = re.compile(
    r"^(?:register(?:_(?!handler|method|command|action|rpc|function)\w+)?|bind|event|function|on)$"
)
_NOT_SERVICES: Final = frozenset(
    {"click", "typer", "pytest", "signal", "atexit", "codecs", "argparse", "cli", "parser"}
)
_NAMES: Final = frozenset({"name", "method", "action", "command", "alias", "msg_type", "method_name", "rpc_name"})


def decorated_methods(module: Module, package: Package) -> Iterator[Method]:
    """Yield the handlers that a decorator registers under their own name or under one that it is given."""
    for node, scope in walk(module):
        if not isinstance(node, NamedFunction | ast.ClassDef):
            continue
        for decorator in node.decorator_list:
            for name in _names(decorator, node.name, scope, package):
                reason = ""
                if not isinstance(node, ast.ClassDef):
                    reason = stub_reason(Target(node, scope), package)
                sure = not _VAGUE.match(last_name(decorator))
                yield Method(name, How.DECORATOR, module.file, node.lineno, bool(reason), reason, sure)


def registered_methods(module: Module, package: Package) -> Iterator[Method]:
    """Yield what calls such as `register("load", self.load)` and `register_function(load)` register."""
    for node, scope in walk(module):
        if isinstance(node, ast.Call) and _CALLS.match(last_name(node.func)) and not _is_foreign(node.func, module):
            yield from _registered(node, scope, package)


def _names(decorator: ast.expr, own: str, scope: Scope, package: Package) -> list[str]:
    called = decorator if isinstance(decorator, ast.Call) else None
    func = called.func if called else decorator
    name = last_name(func)
    if _is_foreign(func, scope.module) or not (_BARE.match(name) or _NAMED.match(name)):
        return []
    given = _given(called, scope, package) if called else []
    if any(n.startswith("/") for n in given):  # a path: routes.py reads it
        return []
    return given or ([own] if _BARE.match(name) else [])


def _given(call: ast.Call, scope: Scope, package: Package) -> list[str]:
    for keyword in call.keywords:
        if keyword.arg in _NAMES and (found := texts(keyword.value, scope, package)):
            return found
    return texts(call.args[0], scope, package) if call.args else []


def _is_foreign(func: ast.expr, module: Module) -> bool:
    """Say whether something registers what is no method of a service: a command line's, an exit handler."""
    base = last_name(func.value) if isinstance(func, ast.Attribute) else last_name(func)
    if base in _NOT_SERVICES:
        return True
    libraries = {source.partition(".")[0] for source, _ in module.imports.values()}
    return last_name(func) in {"command", "cmd", "option"} and bool(libraries & {"click", "typer", "discord"})


def _registered(node: ast.Call, scope: Scope, package: Package) -> Iterator[Method]:
    arguments = [*node.args[:2], *(k.value for k in node.keywords if k.arg)]
    targets = [(a, t) for a in arguments if (t := package.function(a, scope))]
    given = [n for a in arguments for n in texts(a, scope, package)]
    if not targets or (len(targets) > 1 and not given):
        return
    argument, target = targets[0]
    bare = last_name(node.func) in {"register_function", "add_method"}
    names = given[:1] or ([last_name(argument)] if bare else [])
    reason = stub_reason(target, package)
    for name in names:
        if name and " " not in name and not name.startswith("/"):
            sure = not _VAGUE.match(last_name(node.func)) or _is_own_name(name, argument)
            yield Method(name, How.REGISTERED, scope.module.file, node.lineno, bool(reason), reason, sure)


def _is_own_name(name: str, argument: ast.expr) -> bool:
    """Say whether `register("load", self._load)` registers a function under its own name."""
    return last_name(argument).strip("_").endswith(name)
