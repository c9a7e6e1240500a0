"""The command line: verbs that look, verbs that act, and three ways to show what came of it."""
