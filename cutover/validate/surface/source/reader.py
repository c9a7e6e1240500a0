"""Read files and folders, and gather what each of the finders sees in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cutover.validate.surface.source.comparisons import compared_methods
from cutover.validate.surface.source.conventions import conventional_methods, missing_classes, named_classes
from cutover.validate.surface.source.decorators import decorated_methods, registered_methods
from cutover.validate.surface.source.files import read_trees
from cutover.validate.surface.source.method import Method, Reading, Skipped, Wanted
from cutover.validate.surface.source.module import indexed
from cutover.validate.surface.source.package import Package
from cutover.validate.surface.source.routes import routes
from cutover.validate.surface.source.tables import table_methods


def read_source(paths: list[Path], wanted: Wanted | None = None, *, relative_to: Path | None = None) -> Reading:
    """Return the methods that Python files and folders have; none of it is imported or run.

    Files below a folder are shown relative to it. What cannot be read is named in `skipped`, and never raises.
    """
    wanted = wanted or Wanted()
    skipped: list[Skipped] = []
    trees = read_trees(paths, skipped, relative_to)
    package = Package(indexed(shown, tree) for shown, tree in trees)
    found = dict.fromkeys(_found(package, wanted, skipped))
    skipped += [Skipped(name, "no such class in the source") for name in missing_classes(package, wanted)]
    return Reading(tuple(found), tuple(skipped), len(package.modules))


def _found(package: Package, wanted: Wanted, skipped: list[Skipped]) -> Iterator[Method]:
    for module in package.modules:
        try:
            found = [
                *table_methods(module, package, wanted, skipped),
                *compared_methods(module, package, wanted),
                *decorated_methods(module, package),
                *registered_methods(module, package),
                *routes(module, package),
                *conventional_methods(module, package, wanted),
            ]
        except RecursionError:  # an expression nested beyond what anybody wrote by hand
            skipped.append(Skipped(module.file, "nested too deep to be followed"))
            continue
        yield from found
    yield from named_classes(package, wanted)
