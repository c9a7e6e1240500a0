"""Draws what the clients saw around a hand-over, from `scripts/bench --out raw.json`: timeline.py raw.json out.svg."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any
from xml.sax.saxutils import escape

BEFORE_S, AFTER_S = 0.6, 4.4
SCALE = 150
"""Pixels a second."""
LEFT, NAMES_WIDTH, TOP, ROW, GAP = 160, 74, 52, 10, 12
COLOURS = {"g": "#2e9e5b", "b": "#2f6fd0", "w": "#e8a33d", "x": "#d43d3d"}
MEANINGS = {
    "g": "green answers",
    "b": "blue answers",
    "w": "answered after 0.1 s or more",
    "x": "not answered as it should be",
}
KINDS = {"http-new": "HTTP, new", "http-kept": "HTTP, kept", "zmq-req": "ZeroMQ REQ", "tcp-stream": "TCP stream"}
INK, PALE = "#222", "#777"

Round = Mapping[str, Any]


def main() -> None:
    """Write the picture."""
    raw, out = map(Path, sys.argv[1:])
    out.write_text(svg(json.loads(raw.read_text("utf-8"))["rounds"]), "utf-8")


def svg(rounds: Sequence[Round]) -> str:
    """Return the picture: for each way its median round, a row for each kind of client, by when requests were due."""
    parts, y = [], TOP
    for way in dict.fromkeys(str(each["way"]) for each in rounds):
        these = [each for each in rounds if each["way"] == way]
        drawn = lanes(way, these, y)
        parts += drawn
        y += max(2 * 14, ROW * len(chosen(these)["timeline"]["lanes"])) + GAP
    width = LEFT + NAMES_WIDTH + int((BEFORE_S + AFTER_S) * SCALE) + 12
    height = y + 22
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([head, ground, *legend(), *axis(y), *parts, "</svg>", ""])


def lanes(way: str, these: Sequence[Round], y: int) -> list[str]:
    """Return one way's rows, under its name, its silence and what failed."""
    one = chosen(these)
    silence = median(each["figures"]["longest_s"] for each in these) * 1000
    failed = median(each["figures"]["failed"] for each in these)
    parts = [text(8, y + 9, way, 12, weight="bold"), text(8, y + 23, f"{silence:,.0f} ms, {failed:,.0f} failed", 11)]
    line = one["timeline"]
    origin = first_trouble(line)
    for kind, marks in line["lanes"].items():
        parts += row(y, KINDS.get(kind, kind), marks, origin, line["bin_s"])
        y += ROW
    if (x := place_of(int(line["end_s"] / line["bin_s"]), origin, line["bin_s"])) < place_of(0, 0, 0) + AFTER_S * SCALE:
        parts.append(
            f'<rect x="{x:.1f}" y="{y - ROW * len(line["lanes"]) - 2}" width="1.5" '
            f'height="{ROW * len(line["lanes"]) + 2}" fill="{INK}"/>'
        )
    return parts


def place_of(place: int, origin: int, bin_s: float) -> float:
    """Return where a bin stands, in pixels."""
    return LEFT + NAMES_WIDTH + ((place - origin) * bin_s + BEFORE_S) * SCALE


def chosen(these: Sequence[Round]) -> Round:
    """Return the median round: the one in the middle by its longest silence."""
    return sorted(these, key=lambda each: each["figures"]["longest_s"])[len(these) // 2]


def first_trouble(line: Mapping[str, Any]) -> int:
    """Return the bin in which the longest trouble begins; without any, that of blue's first answer.

    What happens before the act, and after green is to end, is not the hand-over.
    """
    begin, end = int(line["act_s"] / line["bin_s"]), int(line["end_s"] / line["bin_s"])
    for wanted in (r"[xw.]*[xw][xw.]*", "b"):
        found = [m for marks in line["lanes"].values() for m in re.finditer(wanted, marks[:end]) if m.end() > begin]
        if found:
            longest = max(found, key=lambda m: len(m[0]) if wanted != "b" else -m.start())
            return max(begin, longest.start())
    return begin


def row(y: int, name: str, line: str, origin: int, bin_s: float) -> list[str]:
    """Return one kind's row, from BEFORE_S before the trouble to AFTER_S after it."""
    begin = max(0, origin - int(BEFORE_S / bin_s))
    x = place_of(begin, origin, bin_s)
    parts = [text(LEFT, y + 8, name, 10, fill=PALE)]
    for mark, run in groupby(filled(line[begin : origin + int(AFTER_S / bin_s)])):
        width = len(list(run)) * bin_s * SCALE
        if mark in COLOURS:
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 2}" fill="{COLOURS[mark]}"/>')
        x += width
    return parts


def filled(line: str) -> str:
    """Return a row in which a bin that no request was due in looks like the one before it."""
    marks = list(line)
    for place in range(1, len(marks) - 1):
        if marks[place] == "." and marks[place + 1] != ".":
            marks[place] = marks[place - 1]
    return "".join(marks)


def legend() -> list[str]:
    """Return what the colours mean."""
    parts, x = [], 8
    for mark, words in MEANINGS.items():
        parts += [f'<rect x="{x}" y="12" width="12" height="12" fill="{COLOURS[mark]}"/>', text(x + 17, 22, words, 12)]
        x += 40 + 7 * len(words)
    return [
        *parts,
        text(
            8,
            40,
            "each request stands where it was due; | is where green is stopped, if the hand-over did not do so",
            11,
            fill=PALE,
        ),
    ]


def axis(y: int) -> list[str]:
    """Return the seconds, as lines behind everything."""
    parts = []
    for second in range(int(AFTER_S) + 1):
        x = LEFT + NAMES_WIDTH + (BEFORE_S + second) * SCALE
        parts.append(f'<line x1="{x:.0f}" y1="{TOP - 6}" x2="{x:.0f}" y2="{y}" stroke="#ddd"/>')
        parts.append(text(int(x) - 7, y + 13, f"{second} s", 11))
    return parts


def text(x: int, y: int, words: str, size: int, *, weight: str = "normal", fill: str = INK) -> str:
    """Return a text element."""
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}">{escape(words)}</text>'


if __name__ == "__main__":
    main()
