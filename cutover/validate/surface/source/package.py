"""Following names through a source: what `self.load`, `handlers.load`, `LOAD` and `Action.LOAD` stand for."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cutover.validate.surface.source.module import Class, Function, Module, NamedFunction, Scope

_DEPTH = 8
_DOES_THE_WORK = ("__call__", "handle", "execute", "run", "call", "process", "post", "get")


@dataclass(frozen=True, slots=True)
class Target:
    """A function that a name stands for, and where it is."""

    node: Function
    scope: Scope


class Package:
    """All modules of a source."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = tuple(modules)
        self._by_name: dict[str, Module] = {}
        self._classes: dict[str, list[Class]] = {}
        self._children: dict[str, list[Class]] = {}
        self._methods: dict[str, list[Target]] = {}
        for module in self.modules:
            parts = module.dotted.split(".")
            for start in range(len(parts)):
                self._by_name.setdefault(".".join(parts[start:]), module)
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ClassDef):
                    self._add(Class(node, module))

    def _add(self, cls: Class) -> None:
        self._classes.setdefault(cls.node.name, []).append(cls)
        for base in cls.node.bases:
            if name := last_name(base):
                self._children.setdefault(name, []).append(cls)
        for name, node in cls.methods.items():
            self._methods.setdefault(name, []).append(Target(node, Scope(cls.module, cls)))

    def classes_named(self, name: str) -> list[Class]:
        """Return the classes with this name, `module.Class` or `Class`."""
        return self._classes.get(name.rpartition(".")[2], [])

    def lineage(self, cls: Class) -> list[Class]:
        """Return a class and what it inherits from, as far as the source has them."""
        found = [cls]
        for here in found:  # grows as it goes
            names = [last_name(b) for b in here.node.bases]
            found += [c for n in names for c in self._classes.get(n, ()) if all(c.node is not f.node for f in found)]
        return found

    def family(self, cls: Class) -> list[Class]:
        """Return a class, what it inherits from and what inherits from it, as far as the source has them."""
        heirs = [cls]
        for here in heirs:
            children = self._children.get(here.node.name, ())
            heirs += [c for c in children if all(c.node is not h.node for h in heirs)]
        above = self.lineage(cls)
        return [*above, *(h for h in heirs if all(h.node is not a.node for a in above))]

    def function(self, expr: ast.expr, scope: Scope, depth: int = 0) -> Target | None:  # noqa: PLR0911  (a line for each spelling)
        """Return the function that an expression stands for, None where it is none or out of reach."""
        if depth > _DEPTH:
            return None
        match expr:
            case ast.Lambda():
                return Target(expr, scope)
            case ast.Name():
                return self._named(expr.id, scope, depth)
            case ast.Attribute():
                return self._attribute(expr, scope, depth)
            case ast.Call(func=func, args=[first, *_]) if last_name(func) in {"partial", "staticmethod", "wraps"}:
                return self.function(first, scope, depth + 1)
            case ast.Call(func=func):
                cls = self.class_of(func, scope)
                return self._worker(cls) if cls else None
            case _:
                return None

    def method(self, cls: Class, name: str) -> Target | None:
        """Return what a method's name stands for in a class: its own, an heir's or an ancestor's."""
        for member in self.family(cls):
            if name in member.methods:
                node = member.methods[name]
                return None if _is_property(node) else Target(node, Scope(member.module, member))
        return None

    def overridden(self, target: Target) -> list[Target]:
        """Return the same method in the classes that inherit from where it stands."""
        cls, node = target.scope.cls, target.node
        if cls is None or isinstance(node, ast.Lambda):
            return []
        return [
            Target(other.methods[node.name], Scope(other.module, other))
            for other in self.family(cls)
            if other.node is not cls.node and node.name in other.methods
        ]

    def class_of(self, expr: ast.expr, scope: Scope) -> Class | None:  # noqa: PLR0911  (a line for each spelling)
        """Return the class that an expression names, or is made from."""
        if isinstance(expr, ast.Call):
            return self.class_of(expr.func, scope)
        if isinstance(expr, ast.Name) and expr.id in {"self", "cls"}:
            return scope.cls
        if isinstance(expr, ast.Attribute) and isinstance(expr.value, ast.Name) and expr.value.id == "self":
            return self._class_of_attribute(expr.attr, scope)
        name = last_name(expr)
        if not name:
            return None
        if name in scope.module.classes:
            return scope.module.classes[name]
        if name in scope.module.imports:
            name = scope.module.imports[name][1] or name
        found = self._classes.get(name, [])
        if found:
            return found[0]
        value = scope.module.assigned.get(name) if isinstance(expr, ast.Name) else None
        return self.class_of(value, scope) if isinstance(value, ast.Call) else self._local_class(name, scope)

    def module_named(self, name: str) -> Module | None:
        """Return the module that an import means, by the longest end of its name that is here."""
        parts = [p for p in name.split(".") if p]
        ends = (".".join(parts[start:]) for start in range(len(parts)))
        return next((self._by_name[end] for end in ends if end in self._by_name), None)

    def value(self, expr: ast.expr, scope: Scope, depth: int = 0) -> tuple[ast.expr, Scope] | None:
        """Return the expression that a name or attribute was last given, followed through imports; itself if none."""
        if depth > _DEPTH:
            return None
        if isinstance(expr, ast.Name):
            return self._value_of_name(expr.id, scope, depth)
        if isinstance(expr, ast.Attribute):
            cls = self.class_of(expr.value, scope)
            for member in self.family(cls) if cls else ():
                if expr.attr in (given := assigned_in(member)):
                    return self.value(given[expr.attr], Scope(member.module, member), depth + 1)
            if isinstance(expr.value, ast.Name) and expr.value.id in scope.module.imports:
                module = self._imported_module(expr.value.id, scope)
                if module and expr.attr in module.assigned:
                    return self.value(module.assigned[expr.attr], Scope(module), depth + 1)
            return None
        return expr, scope

    def _value_of_name(self, name: str, scope: Scope, depth: int) -> tuple[ast.expr, Scope] | None:
        local = assigned_locally(scope.function).get(name) if scope.function else None
        in_class = assigned_in(scope.cls).get(name) if scope.cls and not scope.function else None
        for given in (local, in_class, scope.module.assigned.get(name)):
            if given is not None:
                return self.value(given, scope, depth + 1) if last_name(given) != name else None
        if name in scope.module.imports:
            source, attribute = scope.module.imports[name]
            module = self.module_named(source)
            if module and attribute in module.assigned:
                return self.value(module.assigned[attribute], Scope(module), depth + 1)
        return None

    def _named(self, name: str, scope: Scope, depth: int) -> Target | None:
        if scope.function:
            for node in ast.walk(scope.function):
                if isinstance(node, NamedFunction) and node.name == name and node is not scope.function:
                    return Target(node, Scope(scope.module, scope.cls, scope.function))
        if scope.cls and not scope.function and name in scope.cls.methods:  # a table in a class's body
            return Target(scope.cls.methods[name], scope)
        return self._in_module(scope.module, name, depth)

    def _in_module(self, module: Module, name: str, depth: int) -> Target | None:
        if depth > _DEPTH:
            return None
        if name in module.functions:
            return Target(module.functions[name], Scope(module))
        if name in module.classes:
            return self._worker(module.classes[name])
        if name in module.imports:
            source, attribute = module.imports[name]
            other = self.module_named(source)
            if other and other is not module:
                return self._in_module(other, attribute, depth + 1)
        given = module.assigned.get(name)
        return None if given is None else self.function(given, Scope(module), depth + 1)

    def _attribute(self, expr: ast.Attribute, scope: Scope, depth: int) -> Target | None:
        if isinstance(expr.value, ast.Name):
            module = self._imported_module(expr.value.id, scope)
            if module:
                return self._in_module(module, expr.attr, depth + 1)
        cls = self.class_of(expr.value, scope)
        if cls:
            return self.method(cls, expr.attr)
        return self._only_one(expr.attr)

    def _only_one(self, name: str) -> Target | None:
        """Return the one method of this name in the whole source; of two, nobody knows which is meant."""
        found = [t for t in self._methods.get(name, []) if not _is_property(t.node)]
        return found[0] if len(found) == 1 else None

    def _imported_module(self, name: str, scope: Scope) -> Module | None:
        if name not in scope.module.imports:
            return None
        source, attribute = scope.module.imports[name]
        whole = f"{source}.{attribute}" if attribute else source
        found = self.module_named(whole)
        # `from x import Manager` must not end in a module that happens to be called x
        return found if found and found.dotted.rpartition(".")[2] == whole.rpartition(".")[2] else None

    def _class_of_attribute(self, name: str, scope: Scope) -> Class | None:
        given = assigned_in(scope.cls).get(name) if scope.cls else None
        return self.class_of(given, scope) if isinstance(given, ast.Call) else None

    def _local_class(self, name: str, scope: Scope) -> Class | None:
        given = assigned_locally(scope.function).get(name) if scope.function else None
        return self.class_of(given.func, scope) if isinstance(given, ast.Call) and last_name(given) != name else None

    def _worker(self, cls: Class) -> Target | None:
        found = (self.method(cls, name) for name in _DOES_THE_WORK)
        return next((target for target in found if target), None)


def _is_property(node: Function) -> bool:
    marks = {last_name(d) for d in getattr(node, "decorator_list", ())}
    return bool(marks & {"property", "cached_property", "setter"})


def last_name(expr: ast.expr) -> str:
    """Return `c` of `a.b.c`, `a.b.c()` and `c[...]`; "" where there is no name."""
    inner: ast.expr = expr
    while isinstance(inner, ast.Call | ast.Subscript):
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    if isinstance(inner, ast.Name):
        return inner.id
    return inner.attr if isinstance(inner, ast.Attribute) else ""


@functools.lru_cache(maxsize=512)
def assigned_in(cls: Class | None) -> dict[str, ast.expr]:
    """Return what a class gives its attributes: in its body, and as `self.x = ...` in its methods."""
    found: dict[str, ast.expr] = {}
    for node in ast.walk(cls.node) if cls else ():
        for target, value in assignments(node):
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
                found.setdefault(target.attr, value)
    for node in cls.node.body if cls else ():
        for target, value in assignments(node):
            if isinstance(target, ast.Name):
                found[target.id] = value
    return found


@functools.lru_cache(maxsize=512)
def assigned_locally(function: NamedFunction) -> dict[str, ast.expr]:
    """Return what a function gives its own names."""
    return {
        target.id: value
        for node in ast.walk(function)
        for target, value in assignments(node)
        if isinstance(target, ast.Name)
    }


def assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield targets and values of an assignment, `a, b = x, y` taken apart; nothing for another node."""
    pairs: list[tuple[ast.expr, ast.expr]]
    match node:
        case ast.Assign(targets=targets, value=value):
            pairs = [(target, value) for target in targets]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            pairs = [(target, value)]
        case ast.NamedExpr(target=name, value=value):
            pairs = [(name, value)]
        case _:
            return
    for given, what in pairs:
        if isinstance(given, ast.Tuple) and isinstance(what, ast.Tuple) and len(given.elts) == len(what.elts):
            yield from zip(given.elts, what.elts, strict=True)
        else:
            yield given, what
