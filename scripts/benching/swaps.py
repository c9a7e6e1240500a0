"""Many swaps to and fro on a standing edge, under load, against the same load on the same edge when it is quiet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice

from stack import StackError

from benching.asked import Request
from benching.figures import Figures, figures, lag, worked_on_twice
from benching.load import Load, Wanted
from benching.site import KIND_PORTS, ONE, TWO, Site, site
from benching.verdict import Swaps
from benching.ways import no_edge, swap

Span = tuple[float, float]


def run(count: int, rate: float, hosts: tuple[str, ...], quiet_s: float, say: Callable[[str], None]) -> Swaps:
    """Return what `count` swaps gave. Half of the quiet time lies before them, half after: machines have moods.

    The services load in no time: the load is on the edge, not on the patience of who runs this.

    Raises:
        StackError: there is no edge to be had.

    """
    if why := no_edge():
        raise StackError(why)
    with site(load_s=0.1) as here:
        here.write(edge=True)
        here.compose("up", "-d", ONE)
        here.wait_for(ONE)
        swap(here, ONE, TWO, "--strategy", "edge")
        here.wait_for(TWO)
        with Load(Wanted(KIND_PORTS, hosts, rate, patience_s=10.0)) as load:
            time.sleep(quiet_s / 2)
            began = time.monotonic()
            each_s = list(_swaps(here, count, say))
            ended = time.monotonic()
            time.sleep(quiet_s / 2)
        time.sleep(0.3)  # the services write down what they were asked
        twice = len(worked_on_twice(here.asked_of()))
    requests = [r for log in load.logs for r in log.requests]
    return Swaps(
        wanted=count,
        done=len(each_s),
        quiet=outside(requests, (load.begin_s, load.until_s), (began, ended)),
        swapping=figures(requests, began, ended),
        broken={log.kind: log.broken for log in load.logs},
        worked_twice=twice,
        lag_s=lag(load.logs),
        unsent=sum(log.unsent for log in load.logs),
        each_s=tuple(each_s),
    )


def outside(requests: Sequence[Request], all_of_it: Span, inner: Span) -> Figures:
    """Return the figures of what was due before and after the swaps; the swaps are no silence of the quiet edge."""
    before = [r for r in requests if r.due_s < inner[0]]
    after = [r for r in requests if r.due_s >= inner[1]]
    width = inner[1] - inner[0]
    moved = [Request(r.kind, r.due_s - width, r.ended_s - width, r.outcome, r.who, r.host) for r in after]
    return figures([*before, *moved], all_of_it[0], all_of_it[1] - width)


def _swaps(here: Site, count: int, say: Callable[[str], None]) -> Sequence[float]:
    """Swap to and fro; what fails ends it, and the count tells."""
    taken: list[float] = []
    for green, blue in islice(cycle(((TWO, ONE), (ONE, TWO))), count):
        began = time.monotonic()
        try:
            swap(here, green, blue, "--strategy", "edge")
        except StackError as error:
            say(f"swap {len(taken) + 1}: {error}")
            break
        taken.append(round(time.monotonic() - began, 3))
        if len(taken) % 10 == 0:
            say(f"{len(taken)} swaps, {sum(taken) / len(taken):.2f} s each")
    return taken
