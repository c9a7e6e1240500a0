"""A module as its tree and the names that it defines; and a package of modules, in which names are followed."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
NamedFunction = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Class:
    """A class and the module that it stands in."""

    node: ast.ClassDef
    module: Module

    @property
    def methods(self) -> dict[str, NamedFunction]:
        """Return what is defined in its body, the last definition of a name."""
        return {n.name: n for n in self.node.body if isinstance(n, NamedFunction)}


@dataclass(eq=False)
class Module:
    """One file: what stands at its top, and how it calls what it imports."""

    file: str
    tree: ast.Module
    functions: dict[str, NamedFunction] = field(default_factory=dict)
    classes: dict[str, Class] = field(default_factory=dict)
    assigned: dict[str, ast.expr] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def dotted(self) -> str:
        """Return the name by which others import it, as far as the folder tells."""
        parts = PurePath(self.file).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a node stands: its module, the class and the function around it, None outside of any."""

    module: Module
    cls: Class | None = None
    function: NamedFunction | None = None


def indexed(file: str, tree: ast.Module) -> Module:
    """Return a module with its names."""
    module = Module(file, tree)
    for node in _top(tree.body):
        if isinstance(node, NamedFunction):
            module.functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            module.classes[node.name] = Class(node, module)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            module.assigned.update({t.id: node.value for t in targets if isinstance(t, ast.Name)})
    for found in ast.walk(tree):
        if isinstance(found, ast.Import):
            module.imports.update({a.asname or a.name: (a.name, "") for a in found.names})
        elif isinstance(found, ast.ImportFrom):
            module.imports.update({a.asname or a.name: (found.module or "", a.name) for a in found.names})
    return module


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, those within `if` and `try` at the top included."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _top([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _top([*node.body, *(s for h in node.handlers for s in h.body), *node.orelse])


@functools.lru_cache(maxsize=1)
def walk(module: Module) -> tuple[tuple[ast.AST, Scope], ...]:
    """Return every node with where it stands, in the order of the source."""
    return tuple(_walk(module))


def _walk(module: Module) -> Iterator[tuple[ast.AST, Scope]]:
    # without recursion: a chain of 300 `elif` nests 300 deep
    stack: list[tuple[ast.AST, Scope]] = [(module.tree, Scope(module))]
    while stack:
        node, scope = stack.pop()
        yield node, scope
        inside = scope
        if isinstance(node, ast.ClassDef):
            inside = Scope(module, Class(node, module), None)
        elif isinstance(node, NamedFunction):
            inside = Scope(module, scope.cls, node)
        stack += [(child, inside) for child in reversed(list(ast.iter_child_nodes(node)))]
