"""Hands the ports over in every way in turn, under the same load, and notes what the clients saw."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stack import StackError

from benching.asked import Log, Request
from benching.figures import Figures, figures, lag, worked_on_twice
from benching.load import Load, Wanted
from benching.site import Site, site
from benching.ways import Way

MARGIN_S = 1.0
"""Load before the hand-over, after it, and after the predecessor's end."""
LAST_S = 0.5


@dataclass(frozen=True, slots=True)
class Round:
    """One hand-over. `figures` from the load's begin until the predecessor is to end, `ending` from then on.

    `stuck_percent`: of the answers in the last LAST_S before the predecessor's end, how many it still gave. They come
    from connections that the way cannot move, and end with the predecessor.
    """

    way: str
    number: int
    act_s: float
    figures: Figures
    ending: Figures
    stuck_percent: float
    broken: Mapping[str, int]
    reopened: int
    twice_worked: int
    lag_s: Mapping[str, float]
    unsent: int
    timeline: Mapping[str, Any]
    details: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"figures": self.figures.as_dict(), "ending": self.ending.as_dict()}


def measure(way: Way, number: int, wanted: Callable[[Way], Wanted], load_s: float) -> Round:
    """Hand over once, in a project of its own."""
    with site(load_s) as here:
        try:
            way.prepare(here)
            return _under_load(way, number, here, wanted(way))
        finally:
            way.clean()


def _under_load(way: Way, number: int, here: Site, wanted: Wanted) -> Round:
    with Load(wanted) as load:
        time.sleep(MARGIN_S)
        began = time.monotonic()
        details = way.hand_over(here)
        here.wait_for(way.after)
        act_s = time.monotonic() - began
        time.sleep(MARGIN_S)
        ending = time.monotonic()
        way.retire(here)
        time.sleep(MARGIN_S)
    requests = [r for log in load.logs for r in log.requests]
    time.sleep(0.3)  # the services write down what they were asked
    return Round(
        way=way.name,
        number=number,
        act_s=round(act_s, 3),
        figures=figures(requests, load.begin_s, ending),
        ending=figures(requests, ending, load.until_s),
        stuck_percent=stuck_percent(requests, way.before, ending),
        broken={log.kind: log.broken for log in load.logs},
        reopened=sum(log.reopened for log in load.logs),
        twice_worked=len(worked_on_twice(here.asked_of())),
        lag_s=lag(load.logs),
        unsent=sum(log.unsent for log in load.logs),
        timeline=timeline(load.logs, way.before, began, ending, (load.begin_s, load.until_s)),
        details=details,
    )


def stuck_percent(requests: Sequence[Request], before: str, until_s: float) -> float:
    """Return the share of late answers that the predecessor still gave."""
    late = [r for r in requests if r.good and until_s - LAST_S <= r.due_s < until_s]
    return round(100 * sum(r.who == before for r in late) / len(late), 1) if late else 0.0


BIN_S = 0.02
WAITED_S = 0.1
ORDER = "gbwx"
"""Answered by the predecessor, by the successor; answered after WAITED_S or more; failed. A bin shows the worst."""


def timeline(
    logs: Sequence[Log], before: str, act_s: float, end_s: float, span_s: tuple[float, float]
) -> dict[str, Any]:
    """Return for each kind a letter for every BIN_S in which requests were due, `.` where none was."""
    begin_s, until_s = span_s
    lanes: dict[str, str] = {}
    for log in logs:
        bins = ["."] * (int((until_s - begin_s) / BIN_S) + 1)
        for request in log.requests:
            place = int((request.due_s - begin_s) / BIN_S)
            if 0 <= place < len(bins):
                bins[place] = max(bins[place], mark(request, before), key=ORDER.find)
        lanes[log.kind] = "".join(bins)
    return {"bin_s": BIN_S, "act_s": round(act_s - begin_s, 3), "end_s": round(end_s - begin_s, 3), "lanes": lanes}


def mark(request: Request, before: str) -> str:
    """Return a request's letter."""
    if not request.good:
        return "x"
    if request.took_s > WAITED_S:
        return "w"
    return "g" if request.who == before else "b"


def run(
    ways: Sequence[Way], rounds: int, wanted: Callable[[Way], Wanted], load_s: float
) -> tuple[list[Round], dict[str, str]]:
    """Run every way once a round, in turn; return the rounds, and which ways could not be had and why."""
    missing = {way.name: why for way in ways if (why := way.missing())}
    done: list[Round] = []
    for number in range(1, rounds + 1):
        for way in (w for w in ways if w.name not in missing):
            try:
                done.append(measure(way, number, wanted, load_s))
            except (StackError, ChildProcessError) as error:
                missing[way.name] = f"failed: {str(error).splitlines()[0]}"
                say(f"round {number} {way.name}: {error}")
            else:
                say(f"round {number} {one_line(done[-1])}")
    return done, missing


def one_line(one: Round) -> str:
    """Return a round in a line."""
    seen = one.figures
    why = ", ".join(f"{name} {count}" for name, count in sorted(seen.failures.items()))
    return (
        f"{one.way}: silent {seen.longest_s * 1000:,.0f} ms, {seen.failed} failed of {seen.requests}"
        f"{f' ({why})' if why else ''}; then {one.ending.failed} failed"
    )


def say(words: str) -> None:
    """Tell how far it is."""
    print(words, file=sys.stderr, flush=True)
