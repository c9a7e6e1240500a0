"""Two replies to one question: did both answer, are both errors of the same kind, is what they say equal? Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from cutover.config import Rule
from cutover.model import Severity
from cutover.validate.judge import Judge
from cutover.validate.leaks import leaks
from cutover.validate.parity.around import NOWHERE, Own, around, around_is_same
from cutover.validate.parity.compare import compare
from cutover.validate.parity.difference import Difference
from cutover.validate.parity.values import ABSENT, same
from cutover.validate.talk import Response, ResponseKind

GREEN_FAILED = "green-failed"
"""There was nothing to compare with: it says nothing about blue."""
NOT_JUDGED = "not-judged"
"""Neither reply could be read: whether they are equal is not known."""
STACK_TRACE = "stack-trace"


def compare_replies(
    green: Response,
    blue: Response,
    rules: Sequence[Rule],
    judge: Judge,
    *,
    own: Own = NOWHERE,
    warn: Collection[str] = (),
) -> tuple[Difference, ...]:
    """Return what differs between two replies; no errors among it where they count as equal.

    Two errors are equal if they are of the same kind; where the rest of them differs, that is told as a warning. If
    neither names a kind, they are compared as any replies. `own` says under which addresses each colour knows itself,
    `warn` which codes of what is around the bodies are warnings only.
    """
    if green.answered and identical(green, blue):
        return ()
    found = _differences(green, blue, rules, judge, own)
    return tuple(replace(d, severity=Severity.WARNING) if d.code in warn else d for d in found)


def identical(green: Response, blue: Response) -> bool:
    """Say whether two replies are the same, byte by byte: nothing that could be decoded from them differs.

    Two that could not be read, and of which nothing was kept, are not.
    """
    return (
        green.body == blue.body
        and green.kind is blue.kind
        and green.code == blue.code
        and (bool(green.body) or green.kind is ResponseKind.ANSWER)
        and around_is_same(green, blue)
    )


def _differences(
    green: Response, blue: Response, rules: Sequence[Rule], judge: Judge, own: Own
) -> Iterator[Difference]:
    if not green.answered:
        yield Difference(GREEN_FAILED, "$", _outcome(green), _outcome(blue), f"green did not answer: {_failure(green)}")
        return
    if not blue.answered:
        yield Difference("no-answer", "$", green.value, ABSENT, f"blue did not answer: {_failure(blue)}")
        return
    yield from _leak(green, blue)
    if green.kind is not blue.kind:
        garbled = green if green.kind is ResponseKind.GARBLED else blue
        who = "green" if garbled is green else "blue"
        yield Difference("garbled", "$", green.value, blue.value, f"{who}'s reply cannot be read: {garbled.detail}")
        return
    yield from around(green, blue, own)
    if green.kind is ResponseKind.GARBLED:
        yield from _unreadable(green, blue, rules)
    else:
        yield from _what_they_say(green, blue, rules, judge)


def _unreadable(green: Response, blue: Response, rules: Sequence[Rule]) -> Iterator[Difference]:
    if not (green.body and blue.body):
        message = f"neither reply can be read: {green.detail} (green), {blue.detail} (blue)"
        yield Difference(NOT_JUDGED, "$", _shown(green), _shown(blue), message)
        return
    yield from _statuses(green, blue)
    if green.body == blue.body:
        return
    if same(green.value, blue.value):  # bytes that are no text were replaced, so that there was something to show
        yield Difference("value-differs", "$", green.body, blue.body, "other bytes, which no codec can read")
    else:
        yield from compare(green.value, blue.value, rules)


def _what_they_say(green: Response, blue: Response, rules: Sequence[Rule], judge: Judge) -> Iterator[Difference]:
    one, other = judge.error_kind(green), judge.error_kind(blue)
    if one is not None and other is not None:
        yield from _errors(green, blue, rules, judge)
    elif other is not None:
        yield Difference("ok-turned-error", "$", green.value, blue.value, f"green answers, blue refuses: {other}")
    elif one is not None:
        yield Difference("error-turned-ok", "$", green.value, blue.value, f"green refuses ({one}), blue does not")
    else:
        yield from _statuses(green, blue)
        yield from compare(_said(green), _said(blue), rules)


def _errors(green: Response, blue: Response, rules: Sequence[Rule], judge: Judge) -> Iterator[Difference]:
    one, other = judge.kinds(green), judge.kinds(blue)
    if one != other:
        kinds = (" ".join(filter(None, k)) or judge.error_kind(r) for k, r in ((one, green), (other, blue)))
        yield Difference(
            "error-differs", "$", green.value, blue.value, f"another kind of error: {', '.join(map(str, kinds))}"
        )
        return
    yield from _statuses(green, blue)
    found = compare(_said(green), _said(blue), rules)
    yield from (replace(d, severity=Severity.WARNING) for d in found) if any(one) else found


def _statuses(green: Response, blue: Response) -> Iterator[Difference]:
    if green.code != blue.code:
        yield Difference("status-differs", "$", green.code, blue.code, f"HTTP {green.code} and HTTP {blue.code}")


def _said(response: Response) -> Any:
    """Return what a reply says; an empty body is not null."""
    return ABSENT if response.value is None and not response.body else response.value


def _shown(response: Response) -> Any:
    return response.value if response.body else ABSENT


def _leak(green: Response, blue: Response) -> Iterator[Difference]:
    """Yield that blue's reply leaks a stack trace and green's does not."""
    found = leaks(blue.body)
    if found and not leaks(green.body):
        yield Difference(STACK_TRACE, "$", green.value, blue.value, "; ".join([found.message, *found.evidence]))


def _failure(response: Response) -> str:
    return ": ".join(dict.fromkeys(filter(None, [str(response.kind), response.detail])))


def _outcome(response: Response) -> str:
    return "answered" if response.answered else str(response.kind)
