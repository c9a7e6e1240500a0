"""The rounds as a table of text: medians, and the worst where one bad round must not hide behind good ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from benching.asked import Kind
from benching.rounds import Round

HEAD = (
    f"{'':20}{'silence in ms':>16}{'failed':>16}   {'by kind (median)':24}{'never':>6}{'twice':>6}{'over':>6}"
    f"{'p50':>7}{'p99':>9}{'p99.9':>9}{'still on':>9}{'then':>12}\n"
    f"{'':20}{'median':>8}{'worst':>8}{'median':>8}{'worst':>8}   {' new kept  zmq  tcp':24}{'':>6}{'':>6}{'1 s':>6}"
    f"{'ms':>7}{'ms':>9}{'ms':>9}{'green':>9}{'failed':>12}"
)
NOTES = """\
silence: the longest time without a good answer for any one kind of client
failed: not answered, or not as they should be, from a second before the hand-over to a second after it
never, twice, over 1 s: of all rounds: not answered at all; answered or worked on twice; answered, but late
p50 ...: of the answers, from when each request was due; median of the rounds
still on green: answers that green still gives after the hand-over: connections that this way cannot move
then failed: requests that fail when green ends a second later (median and worst; - where it ended in the hand-over)"""


def table(rounds: Sequence[Round], missing: Mapping[str, str], order: Sequence[str]) -> str:
    """Return the table: a line for each way, also for those that could not be had."""
    lines = [HEAD]
    for way in order:
        these = [each for each in rounds if each.way == way]
        if these:
            lines.append(row(way, these))
        if way in missing:
            lines.append(f"{way:20}not measured: {missing[way]}")
    return "\n".join([*lines, NOTES])


def row(way: str, these: Sequence[Round]) -> str:
    """Return one way's line."""
    seen = [each.figures for each in these]
    silences, failed = [f.longest_s * 1000 for f in seen], [f.failed for f in seen]
    kinds = set(seen[0].silences_s)
    by = "".join(
        f"{median(f.failed_by.get(kind, 0) for f in seen):5.0f}" if kind in kinds else f"{'-':>5}" for kind in Kind
    )
    ms = [median(f.quantiles_s[q] for f in seen) * 1000 for q in ("p50", "p99", "p99.9")]
    twice = sum(f.twice for f in seen) + sum(each.twice_worked for each in these)
    then = [each.ending.failed for each in these]
    return (
        f"{way:20}{median(silences):8,.0f}{max(silences):8,.0f}{median(failed):8,.0f}{max(failed):8,.0f}   {by:24}"
        f"{sum(f.lost for f in seen):6}{twice:6}{sum(f.late for f in seen):6}{ms[0]:7.1f}{ms[1]:9,.1f}{ms[2]:9,.1f}"
        f"{median(each.stuck_percent for each in these):8.0f}%{f'{median(then):.0f} ({max(then)})':>12}"
    )


def lags(rounds: Sequence[Round]) -> str:
    """Return how late the clients themselves were: what is below that is no silence of the ports."""
    p999, most = (max(each.lag_s[q] for each in rounds) * 1000 for q in ("p99.9", "p100"))
    unsent = sum(each.unsent for each in rounds)
    told = f"the clients themselves were late by {p999:.1f} ms at p99.9 of the worst round, {most:.1f} ms at most"
    return f"{told}; {unsent} requests were never sent" if unsent else told
