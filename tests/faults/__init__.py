"""Crashes and deaths on purpose: long, and run by hand (`pytest tests/faults`), not by scripts/test."""
