"""An assertion on two colours: they answer the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cutover.config import Rule, Settings
from cutover.testing.service import Service, message_of
from cutover.validate.judge import Judge
from cutover.validate.leaks import leaks
from cutover.validate.parity.compare import compare
from cutover.validate.talk import Response

MOST = 20


def assert_parity(
    green: Service, blue: Service, *, rules: Iterable[Rule | Mapping[str, Any]] = (), **said: Any
) -> None:
    """Assert that both answer a question the same, by the rules of cutover.yaml and then those given here.

    `said` is what `Service.ask` takes. Errors are the same if they are of one kind; seconds are not compared.

    Raises:
        AssertionError: they do not, with a diff by path.
        UsageError: the question, or a rule, is none.

    """
    __tracebackhide__ = True  # pytest shows the line of the test
    message = message_of(said)
    wrong = list(_differences(green.settings, green.ask(message), blue.ask(message), rules))
    if wrong:
        asked = f"{message.to} {message.request if message.request is not None else ''}".rstrip()
        more = [f"... and {len(wrong) - MOST} more lines"] if len(wrong) > MOST else []
        raise AssertionError(
            "\n".join([f"{blue.name} does not answer as {green.name} does", asked, *wrong[:MOST], *more])
        )


def _differences(
    settings: Settings, ours: Response, theirs: Response, rules: Iterable[Rule | Mapping[str, Any]]
) -> Iterable[str]:
    judge = Judge(settings.errors)
    kinds = judge.error_kind(ours), judge.error_kind(theirs)
    leak = leaks(theirs.body)
    if leak is not None and leaks(ours.body) is None:
        yield leak.message
        yield from leak.evidence
    if not (ours.answered or theirs.answered):
        yield f"neither answers: {kinds[0]}, {kinds[1]}"
    elif kinds[0] != kinds[1]:
        yield from (f"- {kinds[0] or 'no error'}", f"+ {kinds[1] or 'no error'}")
    elif kinds[0] is None and ours.code != theirs.code:
        yield from (f"- HTTP {ours.code}", f"+ HTTP {theirs.code}")
    if kinds == (None, None) or kinds[0] != kinds[1]:
        told = (
            *settings.parity.rules,
            *(r if isinstance(r, Rule) else Rule.model_validate(dict(r)) for r in rules),
        )
        for difference in compare(ours.value, theirs.value, told):
            yield f"{difference.path}: {difference.message}"
            yield from difference.lines()
