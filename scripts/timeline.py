"""Draws what the clients saw around a hand-over, from `scripts/bench --out raw.json`: timeline.py raw.json out.svg."""

from __future__ import annotations

import json
import re
import sys
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

BIN_S = 0.02
BEFORE_S, AFTER_S = 0.6, 4.4
SCALE = 150
"""Pixels a second."""
LEFT, TOP, ROW, GAP = 150, 46, 15, 20
COLOURS = {"g": "#2e9e5b", "b": "#2f6fd0", "x": "#d43d3d", ".": "#f0d9d9"}
NAMES = {"http_new": "HTTP, new", "http_kept": "HTTP, kept", "zmq": "ZeroMQ REQ"}


def main() -> None:
    """Write the picture."""
    raw, out = map(Path, sys.argv[1:])
    rounds = json.loads(raw.read_text("utf-8"))["rounds"]
    out.write_text(svg(rounds), "utf-8")


def svg(rounds: list[dict[str, Any]]) -> str:
    """Return the picture: for each strategy its median round, a row per client."""
    parts, y = [], TOP
    for strategy in dict.fromkeys(each["strategy"] for each in rounds):
        these = sorted((r for r in rounds if r["strategy"] == strategy), key=lambda r: r["silence_s"])
        chosen = these[len(these) // 2]
        silence = median(r["silence_s"] for r in these)
        parts.append(text(8, y + 12, strategy, "bold"))
        parts.append(text(8, y + 28, f"silent {silence * 1000:,.0f} ms", "normal"))
        origin = first_trouble(chosen["clients"])
        for name, client in chosen["clients"].items():
            parts += row(y, NAMES[name], client["timeline"], origin)
            y += ROW
        y += GAP
    width = LEFT + 90 + int((BEFORE_S + AFTER_S) * SCALE) + 10
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 20}" font-family="sans-serif">'
    return "\n".join(
        [head, f'<rect width="{width}" height="{y + 20}" fill="white"/>', *legend(), *parts, *axis(y), "</svg>", ""]
    )


def first_trouble(clients: dict[str, Any]) -> int:
    """Return the bin in which the longest stretch without a good answer begins."""
    stretches = [m for client in clients.values() for m in re.finditer(r"[x.]+", client["timeline"].rstrip("x."))]
    return max(stretches, key=lambda m: len(m[0])).start() if stretches else 0


def row(y: int, name: str, line: str, origin: int) -> list[str]:
    """Return one client's row, from BEFORE_S before the trouble to AFTER_S after it."""
    begin = max(0, origin - int(BEFORE_S / BIN_S))
    shown = line[begin : begin + int((BEFORE_S + AFTER_S) / BIN_S)]
    parts, x = [text(LEFT, y + 11, name, "normal")], LEFT + 90.0
    shown = re.sub(r"(?<=([gb]))\.{1,2}(?=\1)", lambda m: m[1] * len(m[0]), shown)  # a bin between two answers
    for mark, run in groupby(shown):
        width = len(list(run)) * BIN_S * SCALE
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 3}" fill="{COLOURS[mark]}"/>')
        x += width
    return parts


def legend() -> list[str]:
    """Return what the colours mean."""
    words = {"g": "green answers", "b": "blue answers", "x": "requests fail", ".": "no answer"}
    parts, x = [], LEFT + 90
    for mark, word in words.items():
        parts += [
            f'<rect x="{x}" y="14" width="12" height="12" fill="{COLOURS[mark]}"/>',
            text(x + 17, 24, word, "normal"),
        ]
        x += 130
    return parts


def axis(y: int) -> list[str]:
    """Return the seconds."""
    return [
        text(LEFT + 90 + int((BEFORE_S + second) * SCALE) - 4, y + 6, f"{second} s", "normal")
        for second in range(int(AFTER_S) + 1)
    ]


def text(x: int, y: int, words: str, weight: str) -> str:
    """Return a text element."""
    return f'<text x="{x}" y="{y}" font-size="12" font-weight="{weight}" fill="#222">{words}</text>'


if __name__ == "__main__":
    main()
