"""What to do about a difference: the rule to write where it is meant to be, or where to look where it hardly is."""

from __future__ import annotations

import json

_RULES = {
    "number-differs": ("number", "abs: 0.001"),
    "order-differs": ("unordered", ""),
    "text-differs": ("ignore", ""),
    "value-differs": ("ignore", ""),
    "type-differs": ("ignore", ""),
    "extra-key": ("ignore", ""),
    "missing-item": ("ignore", ""),
    "extra-item": ("ignore", ""),
}
_WORDS = {
    "green-failed": "is green up? cutover smoke --on green",
    "no-answer": "is blue still up? cutover status; docker logs shows why it stopped",
    "error-turned-ok": "blue has to refuse what green refuses; clients rely on the error",
    "stack-trace": "blue catches it, logs it, and answers with an error that says what the client did wrong",
    "renamed-key": "clients read the old name: blue has to answer under it, or under both",
    "missing-key": "clients may read it: blue has to answer it",
}


def cure_for(code: str, path: str) -> str | None:
    """Return what to do about a difference of this kind at this path; None where nothing is known."""
    if code in _RULES:
        return f"if it is meant to be so: {rule_text(code, path)}"
    return _WORDS.get(code)


def rule_text(code: str, path: str) -> str:
    """Return the rule that would let this kind of difference pass, as it is written under `parity: rules:`."""
    kind, more = _RULES.get(code, ("ignore", ""))
    parts = [f"path: {_quoted(path)}", f"rule: {kind}", *([more] if more else [])]
    return f"- {{{', '.join(parts)}}}"


def _quoted(path: str) -> str:
    """Quote a path that YAML's braces would cut: `$.models[*].name` has brackets."""
    return json.dumps(path, ensure_ascii=False) if any(sign in path for sign in "[]{},'\"#: ") else path
