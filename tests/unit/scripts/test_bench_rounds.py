"""How a round is shown: as letters, as a table, as a picture; and what wrk said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benching.asked import LOST, OK, Kind, Log, Request
from benching.cost import Costs, Pass, read
from benching.figures import figures
from benching.rounds import Round, mark, stuck_percent, timeline
from benching.table import table
from timeline import first_trouble, svg


def asked(due: float, who: str = "one", took: float = 0.001, outcome: str = OK) -> Request:
    """Return a request."""
    return Request(Kind.HTTP_NEW, due, due + took, outcome, who)


HANDED = [
    *(asked(n / 50) for n in range(50)),
    *(asked(1 + n / 50, "", outcome="refused") for n in range(10)),
    *(asked(1.2 + n / 50, "two") for n in range(90)),
]
"""At 1.0 s the port is refused, at 1.2 s the successor answers."""
LINE = timeline([Log(Kind.HTTP_NEW, HANDED)], "one", 0.9, 2.5, (0.0, 3.0))
ROUND = Round(
    way="recreate",
    number=1,
    act_s=0.5,
    figures=figures(HANDED, 0, 3),
    ending=figures([], 3, 3),
    stuck_percent=0.0,
    broken={},
    reopened=0,
    twice_worked=0,
    lag_s={"p99.9": 0.0, "p100": 0.0},
    unsent=0,
    timeline=LINE,
    details={},
)


@pytest.mark.parametrize(
    ("request_", "letter"),
    [
        (asked(1.0), "g"),
        (asked(1.0, "two"), "b"),
        (asked(1.0, "two", 0.3), "w"),
        (asked(1.0, "", 5.0, LOST), "x"),
    ],
    ids=["green", "blue", "waited", "lost"],
)
def test_a_request_is_a_letter(request_: Request, letter: str) -> None:
    """By who answered it, unless it waited or failed."""
    assert mark(request_, "one") == letter


def test_a_bin_shows_the_worst_of_its_requests() -> None:
    """One failure among answers is not lost in them."""
    three = [asked(0.001), asked(0.002, outcome=LOST), asked(0.003, "two")]
    line = timeline([Log(Kind.TCP, three)], "one", 0, 1, (0, 1))
    assert line["lanes"]["tcp-stream"][0] == "x"


def test_the_picture_begins_where_the_trouble_does() -> None:
    """And shows green, failures and blue, each in its colour."""
    assert first_trouble(LINE) == 50
    picture = svg([ROUND.as_dict()])
    for colour in ("#2e9e5b", "#2f6fd0", "#d43d3d"):
        assert picture.count(colour) >= 2, "once in the legend, once in the lane"
    assert "recreate" in picture


def test_the_picture_of_a_switch_without_trouble_begins_at_blues_first_answer() -> None:
    """There is nothing else to see."""
    smooth = [asked(n / 50, "one" if n < 70 else "two") for n in range(150)]
    assert first_trouble(timeline([Log(Kind.TCP, smooth)], "one", 1.0, 2.5, (0.0, 3.0))) == 70


def test_a_name_cannot_break_the_picture() -> None:
    """What stands in a file is not markup."""
    assert "<b>" not in svg([replace(ROUND, way="<b>").as_dict()])


def test_answers_that_green_still_gives_are_shared_out() -> None:
    """Of the last half second before its end; who failed does not count."""
    late = [asked(1.8, "one"), asked(1.9, "two"), asked(1.95, outcome="reset"), asked(0.5, "one")]
    assert stuck_percent(late, "one", 2.0) == 50.0
    assert stuck_percent([], "one", 2.0) == 0.0


def test_a_way_that_cannot_be_had_stands_in_the_table() -> None:
    """It is never left out in silence."""
    text = table([ROUND], {"docker-rollout": "not on the PATH"}, ["recreate", "docker-rollout"])
    assert "docker-rollout      not measured: not on the PATH" in text
    row = next(line for line in text.splitlines() if line.startswith("recreate"))
    assert row.split()[1:5] == ["220", "220", "10", "10"]


def test_wrk_is_read_in_any_unit() -> None:
    """It writes microseconds, milliseconds and seconds."""
    report = "  Latency Distribution\n     50%  {}\n     75%  2.00ms\nRequests/sec:  22157.61\n"
    assert read(report.format("586.00us")) == (22157.61, 586.0)
    assert read(report.format("1.02ms"))[1] == pytest.approx(1020.0)


def test_the_share_of_the_edge_is_that_of_neighbours_in_time() -> None:
    """A machine that slowed down half-way does not make the edge slow."""
    figures_ = [("direct", 100.0), ("edge", 80.0), ("direct", 50.0), ("edge", 40.0)]
    costs = Costs([Pass("nginx", "::1", path, per_s, 1.0) for path, per_s in figures_])
    assert costs.ratio("nginx", "::1") == pytest.approx(0.8)
    assert costs.good


def test_what_haproxy_alone_takes_does_not_excuse_the_edge() -> None:
    """It is shown beside it; the verdict is about the edge."""
    paths = {"direct": 100.0, "plain": 54.0, "edge": 49.0}
    costs = Costs([Pass("nginx", "::1", path, per_s, 1.0) for path, per_s in paths.items()])
    assert costs.ratio("nginx", "::1", "plain") == pytest.approx(0.54)
    assert not costs.good
    assert costs.text().endswith("NO")
