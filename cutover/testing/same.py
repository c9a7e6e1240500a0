"""An assertion on two colours: they answer the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cutover.config import Message, Rule
from cutover.model import Severity
from cutover.testing.service import Service, message_of
from cutover.validate.judge import Judge
from cutover.validate.parity import compare_replies

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
    wrong = list(_differences(green, blue, message, rules))
    if wrong:
        asked = f"{message.to} {message.request if message.request is not None else ''}".rstrip()
        more = [f"... and {len(wrong) - MOST} more lines"] if len(wrong) > MOST else []
        raise AssertionError(
            "\n".join([f"{blue.name} does not answer as {green.name} does", asked, *wrong[:MOST], *more])
        )


def _differences(
    green: Service, blue: Service, message: Message, rules: Iterable[Rule | Mapping[str, Any]]
) -> Iterator[str]:
    """Yield what `cutover parity` would call an error: one rule for both."""
    settings = green.settings
    given = (r if isinstance(r, Rule) else Rule.model_validate(dict(r)) for r in rules)
    told, judge = (*settings.parity.rules, *given), Judge(settings.errors)
    ours, theirs = green.ask(message), blue.ask(message)
    if not (ours.answered or theirs.answered):
        yield f"neither answers: {judge.error_kind(ours)}, {judge.error_kind(theirs)}"
        return
    own = ([green.address(p) for p in green.ports], [blue.address(p) for p in blue.ports])
    for difference in compare_replies(ours, theirs, told, judge, own=own, warn=settings.parity.warn):
        if difference.severity is Severity.ERROR:
            yield f"{difference.code}: {difference.path}: {difference.message}"
            yield from difference.lines()
