"""What to do about a difference: the rule to write where it is meant to be, or where to look where it hardly is."""

from __future__ import annotations

import json

from cutover.config.parity import Lenient
from cutover.model import Severity
from cutover.validate.parity.difference import Difference
from cutover.validate.parity.values import general_path, kind_of

_LOOK = {
    "green-failed": "is green up? cutover smoke --on green",
    "no-answer": "is blue still up? cutover status; docker logs shows why it stopped",
    "error-turned-ok": "blue has to refuse what green refuses; clients rely on the error",
    "error-differs": "clients tell errors apart by their kind: blue has to name them as green does; `errors: kind:` in "
    "cutover.yaml says where the kind stands",
    "not-judged": "is it the service's own reply? the case may ask for less, or `codec:` may be another",
    "too-many-to-pair": "`by: KEY` on the rule pairs the items by a key that tells them apart",
    "stack-trace": "blue catches it, logs it, and answers with an error that says what the client did wrong",
    "renamed-key": "clients read the old name: blue has to answer under it, or under both",
    "missing-key": "clients may read it: blue has to answer it",
}
_RULED = frozenset(
    [
        "number-differs",
        "order-differs",
        "text-differs",
        "value-differs",
        "type-differs",
        "extra-key",
        "missing-item",
        "extra-item",
    ]
)
_AROUND = frozenset(Lenient)
_NEAR = 0.01


def cure_for(difference: Difference) -> str | None:
    """Return what to do about a difference; None where nothing is known."""
    if difference.code in _RULED and difference.path != "$":
        return f"if it is meant to differ: {rule_for(difference)}"
    if difference.code in _AROUND and difference.severity is Severity.ERROR:
        return f"if it is meant to differ, under `parity:`  warn: [{difference.code}]"
    return _LOOK.get(difference.code)


def unsteady(difference: Difference) -> str:
    """Return what to do about a difference where green, asked twice, gives two answers."""
    kind = "type" if kind_of(difference.green) == "number" else "ignore"
    return f"green, asked twice, does not agree with itself there: {_rule(general_path(difference.path), kind)}"


def rule_for(difference: Difference) -> str:
    """Return the rule that would let this difference pass, as it is written under `parity: rules:`."""
    path = general_path(difference.path)
    if difference.code == "order-differs":
        return _rule(path, "unordered")
    if difference.code == "number-differs":
        return _rule(path, "number", f"rel: {_NEAR}") if _near(difference) else _rule(path, "type")
    if difference.code in {"missing-item", "extra-item"}:
        path = path.rpartition("[")[0] or path
    return _rule(path, "ignore")


def _near(difference: Difference) -> bool:
    try:
        return bool(abs(difference.green - difference.blue) <= _NEAR * abs(difference.green))
    except OverflowError:
        return False


def _rule(path: str, kind: str, more: str = "") -> str:
    """Return a rule; a path that YAML's braces would cut (`$.models[*].name`) is quoted."""
    shown = json.dumps(path, ensure_ascii=False) if any(sign in path for sign in "[]{},'\"#: ") else path
    return f"- {{path: {shown}, rule: {kind}{f', {more}' if more else ''}}}"
