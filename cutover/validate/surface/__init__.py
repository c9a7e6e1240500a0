"""Which methods does green answer that blue does not? Asked, read from the source, and seen in recorded traffic.

verdict = run_surface(settings.surface, folder, green, blue, settings.errors, observer)
"""

from cutover.validate.surface.run import run_surface

__all__ = ["run_surface"]
