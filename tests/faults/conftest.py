"""The fixtures of the scenarios."""

from tests.scenarios.conftest import bare_rig, cold_rig, edge_image, engine, rig

__all__ = ["bare_rig", "cold_rig", "edge_image", "engine", "rig"]
