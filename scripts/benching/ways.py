"""The ways to hand a port over that need nothing but Compose and cutover; `peers` has the others."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from stack import StackError

from benching.asked import Kind
from benching.site import KIND_PORTS, ONE, PORTS_KEY, TWO, Site, port_lines

SCRIPTS = Path(__file__).parents[1]

Details = dict[str, Any]


class Way(ABC):
    """A way to hand the ports over from one service to the other. `hand_over` happens under load, as does `retire`."""

    name: str
    before, after = ONE, TWO
    ports: Mapping[Kind, int] = KIND_PORTS
    patience_s = 5.0

    def missing(self) -> str | None:
        """Return what this way lacks on this machine, None if nothing."""
        return None

    @abstractmethod
    def prepare(self, site: Site) -> None:
        """Start what serves before."""

    @abstractmethod
    def hand_over(self, site: Site) -> Details:
        """Have the successor serve."""

    def retire(self, site: Site) -> None:
        """Stop the predecessor, where handing over did not do so."""
        del site

    def clean(self) -> None:
        """Remove what is not the project's."""
        return


class Naive(Way):
    """The lines are moved by hand, then `docker compose stop` and `up`."""

    name = "naive compose"

    def prepare(self, site: Site) -> None:
        """Start the predecessor."""
        site.compose("up", "-d", ONE)
        site.wait_for(ONE)

    def hand_over(self, site: Site) -> Details:
        """Stop, edit, start."""
        text = site.file.read_text("utf-8").replace(PORTS_KEY + port_lines(), "", 1)
        site.file.write_text(text + PORTS_KEY + port_lines(), "utf-8")
        site.compose("stop", ONE)
        site.compose("up", "-d", "--no-deps", TWO)
        return {}


class Swap(Way):
    """`cutover swap` of an untouched stack."""

    def __init__(self, name: str, *options: str) -> None:
        self.name = name
        self._options = options

    def missing(self) -> str | None:
        """See that there is an image for the edge, where one is used."""
        return no_edge() if "edge" in self._options else None

    def prepare(self, site: Site) -> None:
        """Start the predecessor, as a user's stack is started."""
        site.write(edge="edge" in self._options)
        site.compose("up", "-d", ONE)
        site.wait_for(ONE)

    def hand_over(self, site: Site) -> Details:
        """Swap."""
        return swap(site, self.before, self.after, *self._options)

    def retire(self, site: Site) -> None:
        """Close the swap: the predecessor is stopped and removed."""
        act(site, "commit")


class StandingEdge(Swap):
    """A swap on an edge that stands already, because of a swap before: so from `two` to `one`."""

    before, after = TWO, ONE

    def __init__(self, name: str, *options: str, patience_s: float = 5.0) -> None:
        super().__init__(name, "--strategy", "edge", *options)
        self.patience_s = patience_s

    def prepare(self, site: Site) -> None:
        """Have the edge adopt the ports, and remove what it replaced: the next successor is made anew."""
        super().prepare(site)
        swap(site, ONE, TWO, "--strategy", "edge", "--commit")
        site.wait_for(TWO)


class Rollback(Swap):
    """Going back on a standing edge while green is warm: from `two` to `one`, which a swap from it left there."""

    before, after = TWO, ONE

    def __init__(self, name: str) -> None:
        super().__init__(name, "--strategy", "edge")

    def prepare(self, site: Site) -> None:
        """Have the edge adopt the ports, and swap twice more: the rollback of the first swap would remove the edge."""
        super().prepare(site)
        for green, blue in ((ONE, TWO), (TWO, ONE), (ONE, TWO)):
            swap(site, green, blue, "--strategy", "edge")
        site.wait_for(TWO)

    def hand_over(self, site: Site) -> Details:
        """Go back to `one`."""
        return act(site, "rollback")

    def retire(self, site: Site) -> None:
        """Leave all as it is: a rollback has nothing to close."""


@cache
def no_edge() -> str | None:
    """Build the edge's image where it is not there; return what went wrong, None if it is there."""
    base = subprocess.run([SCRIPTS / "base-image"], capture_output=True, text=True, check=False)
    if base.returncode:
        return "there is no image to build the edge's on (scripts/base-image)"
    command = [sys.executable, "-m", "cutover", "edge", "build", "--base", base.stdout.strip()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tempfile.gettempdir())
    return f"cutover edge build: {done.stderr.strip()}" if done.returncode else None


def swap(site: Site, green: str, blue: str, *options: str) -> Details:
    """Swap by the command line, as a user does."""
    return act(site, "swap", *options, "--green", green, "--blue", blue)


def act(site: Site, *words: str) -> Details:
    """Run a verb and return what is kept of its report.

    Raises:
        StackError: it did not do what it was to do; with its own words.

    """
    done = site.cutover(*words, "--json", check=False, quiet=True)
    if done.returncode:
        raise StackError(
            f"cutover {' '.join(words)} ended with {done.returncode}: {_error(done.stdout)}\n{done.stderr}"
        )
    run = json.loads(done.stdout)
    return {key: run[key] for key in ("stall_predicted_s", "stall_measured_s", "steps", "strategy") if key in run}


def _error(text: str) -> str:
    try:
        error = json.loads(text)["error"]
        return f"{error['reference']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return text.strip() or "no word on stdout"


def own_ways() -> list[Way]:
    """Return them, from the one that everybody knows to the one without a gap."""
    return [
        Naive(),
        Swap("recreate", "--strategy", "recreate"),
        Swap("relink", "--strategy", "relink"),
        Swap("adoption", "--strategy", "edge"),
        StandingEdge("edge"),
        StandingEdge("edge --exclusive", "--exclusive", patience_s=60.0),
        Rollback("edge: rollback"),
    ]
