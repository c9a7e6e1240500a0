"""Observe once, plan purely, run without judgement, go back when anything is wrong."""
