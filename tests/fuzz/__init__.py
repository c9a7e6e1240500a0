"""Bad input: one target an area, which atheris (scripts/fuzz) and Hypothesis (tests/unit/fuzz) both call with bytes."""
