"""Scenarios on a real Docker Engine: one intent each, checks on state."""
