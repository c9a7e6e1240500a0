"""`edge:` and `canary:` of `cutover.yaml`: what may be said there, and how a mistake is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from cutover.cli.main import cli
from cutover.config import load
from cutover.config.edge import Canary, Edge, Holding, Sticky, ZeroMQ
from cutover.config.messages import Codec
from cutover.config.schema import json_schema
from cutover.errors import UsageError

DOCUMENTED = Path(__file__).parents[3] / "docs" / "edge.md"
ALL = """\
edge:
  ports: {5570: zmq-rep, 6570: http, 5432: tcp, 5580: zmq}
  check_path: /health?deep=1
  zmq:
    codec: msgpack
    method: header.method
    replay: [health, list_models]
    lost_reply: {ok: false, why: "${reason}"}
    overflow_reply: "${reason}"
    error_if: {status: error}
    answer_timeout_s: 30
  hold: {limit: 50, timeout_s: 1.5, release_per_s: 100}
  sticky: {cookie: colour, identity: true}
  drain_s: 0
  cut_after_s: 1
  image: registry.example/edge:1
  base: debian:12
canary:
  steps: [1, 10.5, 100]
  every_s: 5
  min_requests: 10
  max_error_rate: 0
  max_p95_ratio: 2
  p95_slack_s: 0
"""


def written(folder: Path, text: str) -> Path:
    """Write a cutover.yaml."""
    path = folder / "cutover.yaml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    """Return the first complaint, the folder left out."""
    with pytest.raises(UsageError) as caught:
        load(written(folder, text))
    assert caught.value.reference == "config-invalid"
    return caught.value.message.replace(f"{folder}/", "")


def test_all_that_it_may_say(tmp_path: Path) -> None:
    """Every key, none at its default."""
    said = load(written(tmp_path, ALL))
    assert said.edge == Edge(
        ports={5570: "zmq-rep", 6570: "http", 5432: "tcp", 5580: "zmq"},
        check_path="/health?deep=1",
        zmq=ZeroMQ(
            codec=Codec.MSGPACK,
            method="header.method",
            replay=("health", "list_models"),
            lost_reply={"ok": False, "why": "${reason}"},
            overflow_reply="${reason}",
            error_if={"status": "error"},
            answer_timeout_s=30,
        ),
        hold=Holding(limit=50, timeout_s=1.5, release_per_s=100),
        sticky=Sticky(cookie="colour", identity=True),
        drain_s=0,
        cut_after_s=1,
        image="registry.example/edge:1",
        base="debian:12",
    )
    assert said.canary == Canary(
        steps=(1, 10.5, 100), every_s=5, min_requests=10, max_error_rate=0, max_p95_ratio=2, p95_slack_s=0
    )
    for part in (said.edge, said.edge.zmq, said.edge.hold, said.edge.sticky, said.canary):
        unsaid = set(type(part).model_fields) - part.model_fields_set
        assert unsaid <= {"header"}  # which excludes a cookie


def test_the_example_of_the_documentation_holds(tmp_path: Path) -> None:
    """And shows every key."""
    text = DOCUMENTED.read_text().partition("```yaml\n")[2].partition("```")[0]
    said = load(written(tmp_path, text))
    for part in (said.edge, said.edge.zmq, said.edge.hold, said.edge.sticky, said.canary):
        assert all(f"{key}:" in text for key in type(part).model_fields)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("edge: {prots: {}}", "unknown key `edge.prots`; did you mean `ports`?"),
        ("edge: {drain: 3}", "unknown key `edge.drain`; did you mean `drain_s`?"),
        ("edge: {zmq: {replays: [x]}}", "unknown key `edge.zmq.replays`; did you mean `replay`?"),
        ("edge: {hold: {timeout: 3}}", "unknown key `edge.hold.timeout`; did you mean `timeout_s`?"),
        ("edge: {sticky: {cokie: x}}", "unknown key `edge.sticky.cokie`; did you mean `cookie`?"),
        ("canary: {step: [5]}", "unknown key `canary.step`; did you mean `steps`?"),
        ("egde: {}", "unknown key `egde`; did you mean `edge`?"),
        ("strategy: egde", "`strategy`: Input should be 'auto', 'edge', 'relink' or 'recreate'; did you mean `edge`?"),
    ],
)
def test_a_typo_is_told_with_the_nearest_key(tmp_path: Path, text: str, told: str) -> None:
    """With file and line."""
    assert refusal(tmp_path, text) == f"cutover.yaml:1: {told}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("edge: {ports: {5570: zmq-reb}}", "`edge.ports.5570`: Input should be 'http'"),
        ("edge: {ports: {5570: udp}}", "`edge.ports.5570`: Input should be 'http'"),
        ("edge: {ports: {web: http}}", "`edge.ports.web`: Input should be a valid integer"),
        ("edge: {ports: {65536: http}}", "`edge.ports.65536`: Input should be less than or equal to 65535"),
        ("edge: {ports: {0: http}}", "`edge.ports.0`: Input should be greater than or equal to 1"),
        ("edge: {check_path: health}", "`edge.check_path`: String should match pattern"),
        ('edge: {check_path: "/x\\n"}', "`edge.check_path`: String should match pattern"),
        ('edge: {check_path: "/x\\n  bind :1"}', "`edge.check_path`: String should match pattern"),
        ("edge: {zmq: {codec: yaml}}", "`edge.zmq.codec`: Input should be 'json', 'msgpack' or 'raw'"),
        ("edge: {zmq: {answer_timeout_s: 0}}", "`edge.zmq.answer_timeout_s`: Input should be greater than 0"),
        ("edge: {hold: {limit: 0}}", "`edge.hold.limit`: Input should be greater than or equal to 1"),
        ("edge: {hold: {timeout_s: 0}}", "`edge.hold.timeout_s`: Input should be greater than 0"),
        ("edge: {sticky: {header: X, cookie: y}}", "`edge.sticky`: sticky is by header or by cookie, not by both"),
        ('edge: {sticky: {header: "a b"}}', "`edge.sticky.header`: String should match pattern"),
        ('edge: {sticky: {cookie: "a\\n"}}', "`edge.sticky.cookie`: String should match pattern"),
        ("edge: 3", "`edge`: Input should be a valid dictionary"),
        ("canary: {steps: [25, 5]}", "`canary`: steps are shares in per cent"),
        ("canary: {steps: [5, 5]}", "`canary`: steps are shares in per cent"),
        ("canary: {steps: [0, 5]}", "`canary`: steps are shares in per cent"),
        ("canary: {steps: [5, 101]}", "`canary`: steps are shares in per cent"),
        ("canary: {steps: []}", "`canary.steps`: "),
        ("canary: {max_error_rate: 2}", "`canary.max_error_rate`: Input should be less than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_told(tmp_path: Path, text: str, told: str) -> None:
    """Nothing of it reaches a configuration file of HAProxy or the broker."""
    assert refusal(tmp_path, text).startswith(f"cutover.yaml:1: {told}")


def test_the_schema_shows_every_key_with_what_it_is_for() -> None:
    """As `cutover schema` prints it."""
    printed = CliRunner().invoke(cli, ["schema"])
    assert printed.exit_code == 0
    defined = json.loads(printed.stdout)["$defs"]
    for model in (Edge, ZeroMQ, Holding, Sticky, Canary):
        shown = defined[model.__name__]["properties"]
        assert set(shown) == set(model.model_fields)
        assert all(field.get("description") for field in shown.values())


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        ({"edge": {"ports": {"5570": "zmq"}}}, True),
        ({"edge": {"ports": {"5570": "zmq-x"}}}, False),
        ({"edge": {"prots": {}}}, False),
        ({"edge": {"zmq": {"replay": "health"}}}, True),
        ({"canary": {"steps": []}}, False),
    ],
)
def test_an_editor_finds_the_same_mistakes(content: dict, holds: bool) -> None:
    """By the schema."""
    assert Draft202012Validator(json_schema("settings")).is_valid(content) is holds
