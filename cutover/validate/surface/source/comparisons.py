"""Comparisons of what holds a method's name with texts: `==`, `in (...)`, `match`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from cutover.validate.surface.source.holders import Holder, holder
from cutover.validate.surface.source.method import HTTP_VERBS, How, Method, Wanted
from cutover.validate.surface.source.module import Module, Scope, walk
from cutover.validate.surface.source.package import Package
from cutover.validate.surface.source.stubs import branch_reason
from cutover.validate.surface.source.texts import texts

Found = tuple[str, int, bool]


def compared_methods(module: Module, package: Package, wanted: Wanted) -> Iterator[Method]:
    """Yield the texts that something is compared with that holds a method's name."""
    branches: dict[int, Sequence[ast.stmt]] = {}
    for node, scope in walk(module):
        if isinstance(node, ast.If):
            branches.update((id(compare), node.body) for compare in _compares(node.test))
        if isinstance(node, ast.Compare):
            body = branches.get(id(node))
            reason = branch_reason(body, scope, package) if body else ""
            for name, line, sure in _compared(node, scope, package, wanted):
                yield Method(name, How.COMPARISON, module.file, line, bool(reason), reason, sure)
        elif isinstance(node, ast.Match):
            yield from _matched(node, scope, package, wanted)


def _compares(test: ast.expr) -> Iterator[ast.Compare]:
    """Yield the comparisons that lead into a branch: not those under `not`, and not `!=`."""
    if isinstance(test, ast.BoolOp):
        for part in test.values:
            yield from _compares(part)
    elif isinstance(test, ast.Compare) and all(isinstance(op, ast.Eq | ast.In | ast.Is) for op in test.ops):
        yield test


def _compared(node: ast.Compare, scope: Scope, package: Package, wanted: Wanted) -> Iterator[Found]:
    if len(node.ops) != 1:
        return
    left, op, right = node.left, node.ops[0], node.comparators[0]
    held = holder(left, scope, wanted.keys)
    others = right
    if held is None and isinstance(op, ast.Eq | ast.NotEq):
        held, others = holder(right, scope, wanted.keys), left
    if held is None or not isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn | ast.Is | ast.IsNot):
        return
    if isinstance(op, ast.In | ast.NotIn) and isinstance(others, ast.Constant):
        return  # "x" in "text" asks for a part
    yield from _names(texts(others, scope, package), held, node.lineno)


def _names(found: list[str], held: Holder, line: int) -> Iterator[Found]:
    for name in found:
        if name and not (held.key == "method" and name.upper() in HTTP_VERBS):
            yield name, line, held.sure


def _matched(node: ast.Match, scope: Scope, package: Package, wanted: Wanted) -> Iterator[Method]:
    subjects = node.subject.elts if isinstance(node.subject, ast.Tuple) else [node.subject]
    for case in node.cases:
        reason = branch_reason(case.body, scope, package)
        found = list(_in_mapping(case.pattern, scope, package, wanted))
        for position, subject in enumerate(subjects):
            held = holder(subject, scope, wanted.keys)
            if held:
                pattern = _at(case.pattern, position, len(subjects))
                found += [f for p in pattern for f in _names(_texts_of(p, scope, package), held, case.pattern.lineno)]
        for name, line, sure in found:
            yield Method(name, How.COMPARISON, scope.module.file, line, bool(reason), reason, sure)


def _at(pattern: ast.pattern, position: int, count: int) -> list[ast.pattern]:
    """Return the part of a pattern that stands for one of several subjects."""
    if count == 1:
        return [pattern]
    if isinstance(pattern, ast.MatchOr):
        return [p for inner in pattern.patterns for p in _at(inner, position, count)]
    if isinstance(pattern, ast.MatchSequence) and len(pattern.patterns) == count:
        return [pattern.patterns[position]]
    return []


def _texts_of(pattern: ast.pattern, scope: Scope, package: Package) -> list[str]:
    match pattern:
        case ast.MatchValue(value=value):
            return texts(value, scope, package)
        case ast.MatchOr(patterns=patterns):
            return [text for inner in patterns for text in _texts_of(inner, scope, package)]
        case ast.MatchAs(pattern=ast.pattern() as inner):
            return _texts_of(inner, scope, package)
    return []


def _in_mapping(pattern: ast.pattern, scope: Scope, package: Package, wanted: Wanted) -> Iterator[Found]:
    """Read `case {"action": "load", **rest}`."""
    for inner in ast.walk(pattern):
        if isinstance(inner, ast.MatchMapping):
            for key, value in zip(inner.keys, inner.patterns, strict=True):
                for name in texts(key, scope, package):
                    if name in wanted.keys:
                        held = Holder(name, sure=True)
                        yield from _names(_texts_of(value, scope, package), held, inner.lineno)
