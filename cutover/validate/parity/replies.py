"""Two replies to one question: did both answer, are both errors of the same kind, is what they say equal? Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cutover.config import Rule
from cutover.model import Severity
from cutover.validate.judge import Judge
from cutover.validate.leaks import leaks
from cutover.validate.parity.compare import compare
from cutover.validate.parity.difference import Difference
from cutover.validate.parity.values import ABSENT
from cutover.validate.talk import Response, ResponseKind

GREEN_FAILED = "green-failed"
"""The one code that says nothing about blue: there was nothing to compare with."""


def compare_replies(green: Response, blue: Response, rules: Sequence[Rule], judge: Judge) -> tuple[Difference, ...]:
    """Return what differs between two replies; no errors among it where they count as equal.

    Two errors are equal if they are of the same kind; where the rest of them differs, that is told as a warning.
    """
    if green.answered and identical(green, blue):
        return ()
    return tuple(_differences(green, blue, rules, judge))


def identical(green: Response, blue: Response) -> bool:
    """Say whether two replies are the same, byte by byte: nothing that could be decoded from them differs."""
    return (
        green.body == blue.body
        and green.kind is blue.kind
        and green.code == blue.code
        and _content_type(green) == _content_type(blue)
    )


def _differences(green: Response, blue: Response, rules: Sequence[Rule], judge: Judge) -> Iterator[Difference]:
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
    yield from _content_types(green, blue)
    yield from _what_they_say(green, blue, rules, judge)


def _what_they_say(green: Response, blue: Response, rules: Sequence[Rule], judge: Judge) -> Iterator[Difference]:
    one, other = (None if r.kind is ResponseKind.GARBLED else judge.error_kind(r) for r in (green, blue))
    if one is None and other is None:
        if green.code != blue.code:
            yield Difference("status-differs", "$", green.code, blue.code, f"HTTP {green.code} and HTTP {blue.code}")
        yield from compare(green.value, blue.value, rules)
    elif other is None:
        yield Difference("error-turned-ok", "$", green.value, blue.value, f"green refuses ({one}), blue does not")
    elif one is None:
        yield Difference("ok-turned-error", "$", green.value, blue.value, f"green answers, blue refuses: {other}")
    elif one == other:
        yield from (replace(d, severity=Severity.WARNING) for d in compare(green.value, blue.value, rules))
    elif green.code != blue.code and _without_status(one) == _without_status(other):
        yield Difference("status-differs", "$", green.code, blue.code, f"HTTP {green.code} and HTTP {blue.code}")
    else:
        yield Difference("error-differs", "$", green.value, blue.value, f"another kind of error: {one}, {other}")


def _leak(green: Response, blue: Response) -> Iterator[Difference]:
    """Yield that blue's reply leaks a stack trace and green's does not."""
    found = leaks(blue.body)
    if found and not leaks(green.body):
        yield Difference("stack-trace", "$", green.value, blue.value, "; ".join([found.message, *found.evidence]))


def _content_types(green: Response, blue: Response) -> Iterator[Difference]:
    one, other = _content_type(green), _content_type(blue)
    if one != other:
        message = f"content type {one or 'none'} in green, {other or 'none'} in blue"
        yield Difference("content-type-differs", "$", one, other, message, Severity.WARNING)


def _content_type(response: Response) -> str:
    """Return the media type without parameters, whatever the case of the header."""
    if response.code is None:
        return ""
    named = next((v for k, v in response.headers.items() if k.lower() == "content-type"), "")
    return named.partition(";")[0].strip().lower()


def _without_status(kind: str) -> str:
    return kind.partition(" ")[2].partition(" ")[2] if kind.startswith("http ") else kind


def _failure(response: Response) -> str:
    return ": ".join(dict.fromkeys(filter(None, [str(response.kind), response.detail])))


def _outcome(response: Response) -> str:
    return "answered" if response.answered else str(response.kind)
