"""Is a handler there, but does nothing? `pass`, `...`, NotImplementedError, 501, or a reply that says so."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Final

from cutover.validate.surface.source.module import Scope
from cutover.validate.surface.source.package import Package, Target, last_name

NOT_IMPLEMENTED: Final = re.compile(
    r"not[\s_-]*(?:yet[\s_-]*)?implemented|un-?implemented|not[\s_-]*yet[\s_-]*supported|implement(?:ed)?\s+me"
    r"|to\s*do:?\s*implement|^\s*(?:todo|stub)\b|\bis a stub\b|coming soon|NotImplemented",
    re.IGNORECASE,
)
_LOGS: Final = frozenset({"debug", "info", "warning", "warn", "error", "critical", "exception", "log", "print"})
_HTTP_501: Final = 501
_DEPTH: Final = 3


def stub_reason(target: Target | None, package: Package) -> str:
    """Return why a handler counts as a stub, "" if it does not, or cannot be read."""
    if target is None:
        return ""
    reason = _of_function(target, package, 0)
    if not reason:
        return ""
    # a base class raises NotImplementedError so that its heirs do the work
    heirs = package.overridden(target)
    return "" if any(not _of_function(heir, package, 0) for heir in heirs) else reason


def branch_reason(body: Sequence[ast.stmt], scope: Scope, package: Package) -> str:
    """Return why the statements of an `if` or `case` count as a stub, "" if they do not."""
    return _of_body(body, scope, package, 0)


def _of_function(target: Target, package: Package, depth: int) -> str:
    node = target.node
    if isinstance(node, ast.Lambda):
        return _of_result(node.body, target.scope, package, depth)
    scope = Scope(target.scope.module, target.scope.cls, node)
    return _of_body(node.body, scope, package, depth)


def _of_body(body: Sequence[ast.stmt], scope: Scope, package: Package, depth: int) -> str:  # noqa: PLR0911  (a line for each spelling)
    left = [s for s in body if not _is_idle(s)]
    if not left:
        return "its body is `pass`" if any(isinstance(s, ast.Pass) for s in body) else "its body is empty"
    if len(left) > 1:
        return ""
    match left[0]:
        case ast.Raise(exc=ast.expr() as raised):
            return _of_raised(raised, scope, package)
        case ast.Return(value=None | ast.Constant(value=None)):
            return "returns nothing"
        case ast.Return(value=ast.expr() as result):
            return _of_result(result, scope, package, depth)
        case ast.Expr(value=ast.expr() as result):
            return _of_result(result, scope, package, depth, means=False)
    return ""


def _is_idle(statement: ast.stmt) -> bool:
    """Say whether a statement does nothing for who asked: docstrings, `pass`, `del`, lines of a log."""
    match statement:
        case ast.Pass() | ast.Delete() | ast.Global() | ast.Nonlocal() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=func)):
            return last_name(func) in _LOGS
        case ast.Assign(targets=[ast.Name(id="_")]):
            return True
    return False


def _of_raised(raised: ast.expr, scope: Scope, package: Package) -> str:
    name = last_name(raised)
    if NOT_IMPLEMENTED.search(name):
        return f"raises {name}"
    if isinstance(raised, ast.Call) and _says_501(raised, scope, package):
        return f"raises {name} 501"
    text = _words(raised)
    return f"raises {name}: {text!r}" if text else ""


def _of_result(result: ast.expr, scope: Scope, package: Package, depth: int, *, means: bool = True) -> str:
    while isinstance(result, ast.Await):
        result = result.value
    if isinstance(result, ast.Name) and result.id == "NotImplemented":
        return "returns NotImplemented"
    if isinstance(result, ast.Call):
        return _of_call(result, scope, package, depth)
    if isinstance(result, ast.Tuple) and any(_is_501(e) for e in result.elts):
        return "returns 501"
    text = _words(result) if means else ""
    return f"returns {text!r}" if text else ""


def _of_call(call: ast.Call, scope: Scope, package: Package, depth: int) -> str:  # noqa: PLR0911  (a line for each spelling)
    name = last_name(call.func)
    if NOT_IMPLEMENTED.search(name):
        return f"calls {name}"
    if _says_501(call, scope, package):
        return f"answers 501 ({name})"
    if text := _words(call):
        return f"answers {text!r}"
    if depth >= _DEPTH:
        return ""
    target = package.function(call.func, scope)
    if target is None or target.node is scope.function:
        return ""
    inner = _of_function(target, package, depth + 1)
    if not inner or any(not _of_function(heir, package, depth + 1) for heir in package.overridden(target)):
        return ""
    return f"calls {name}, which {inner.removeprefix('its body ')}"


def _says_501(call: ast.Call, scope: Scope, package: Package) -> bool:
    given = [*call.args, *(k.value for k in call.keywords if k.arg in {"status_code", "status", "code"})]
    followed = [package.value(a, scope) if isinstance(a, ast.Name) else None for a in given]
    return any(map(_is_501, given)) or any(f is not None and _is_501(f[0]) for f in followed)


def _is_501(expr: ast.expr) -> bool:
    if isinstance(expr, ast.Constant):
        return expr.value == _HTTP_501
    return "501" in last_name(expr) or last_name(expr) == "NOT_IMPLEMENTED"


def _words(expr: ast.expr) -> str:
    """Return the text within an expression that says that there is nothing, "" if none does."""
    for node in ast.walk(expr):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NOT_IMPLEMENTED.search(node.value):
            return node.value[:60]
    return ""
