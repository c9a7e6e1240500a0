"""Suites as steps of a swap: the parked blue does its work before the move, and again through the legacy ports."""

from __future__ import annotations

from collections.abc import Iterator

from cutover.errors import StepError
from cutover.flow.context import Context
from cutover.flow.plan import Step
from cutover.flow.proof import inside_address, legacy_host
from cutover.flow.steps.base import Passive, Prior
from cutover.model import Colour
from cutover.validate.results import Verdict
from cutover.validate.talk import Address, Line, question_of


class SmokeInside(Passive):
    """Runs the suites against blue at its own address, while green serves."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Ask every step of every suite.

        Raises:
            StepError: one of them fails.

        """
        del step, prior
        host = inside_address(ctx, ctx.need(Colour.BLUE))
        if host is None:
            ctx.note("the suites are not run inside: blue's own address cannot be reached from this machine")
            return
        run(ctx, {port: Address(host, ctx.target(Colour.BLUE, port) or port) for port in ports_of(ctx)}, "inside")


class SmokeOutside(Passive):
    """Runs the suites through the legacy ports, as clients do."""

    def apply(self, ctx: Context, step: Step, prior: Prior) -> None:
        """Ask every step of every suite.

        Raises:
            StepError: one of them fails.

        """
        del step, prior
        run(ctx, {port: Address(legacy_host(ctx, port), port) for port in ports_of(ctx)}, "through the legacy ports")


def run(ctx: Context, addresses: dict[int, Address], where: str) -> None:
    """Run every suite of a swap.

    Raises:
        StepError: one of them fails; the evidence is what was wrong.

    """
    from cutover.flow.explain import Explainer  # noqa: PLC0415
    from cutover.validate.judge import Judge  # noqa: PLC0415  (JSONPath costs 60 ms that a dry run need not pay)
    from cutover.validate.smoke import run_suite  # noqa: PLC0415

    for name, suite in ctx.suites.items():
        with Line(addresses, Explainer(ctx.daemon, ctx.clock, ctx.plan.project)) as line:
            verdict = run_suite(name, suite, line, Judge(ctx.errors), f"{ctx.plan.blue} {where}", ctx.observer)
        if not verdict.passed:
            raise _failed(ctx, verdict, where)
        ctx.note(f"suite {name} {where}: {len(verdict.checks)} steps passed")


def ports_of(ctx: Context) -> Iterator[int]:
    """Yield every port that the suites ask."""
    asked = {question_of(step).port for suite in ctx.suites.values() for step in suite.complete()}
    yield from sorted(asked)


def _failed(ctx: Context, verdict: Verdict, where: str) -> StepError:
    blue = ctx.find(Colour.BLUE)
    log = [f"log: {line}" for line in ctx.daemon.logs(blue.id, tail=8)] if blue else []
    wrong = [f"{f.code}: {f.message}" for f in verdict.errors]
    return StepError(
        "suite-failed",
        f"{ctx.plan.blue} fails suite {verdict.name} {where}: {wrong[0]}",
        evidence=[*wrong[1:], *(e for f in verdict.errors[:1] for e in f.evidence), *log],
        hint=f"cutover rehearse; or try it alone: cutover up, then cutover smoke {verdict.name} --on test",
    )
