"""The targets: one module an area."""
