"""Reading the methods of a service from its source: the tree only, nothing is imported or run."""

from cutover.validate.surface.source.method import How, Method, Reading, Skipped, Wanted
from cutover.validate.surface.source.reader import read_source
from cutover.validate.surface.source.routes import is_route, route

__all__ = ["How", "Method", "Reading", "Skipped", "Wanted", "is_route", "read_source", "route"]
