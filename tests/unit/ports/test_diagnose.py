"""Facts -> findings, the root cause first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cutover.model import Container, ContainerState, Health, Listener, Protocol, Severity
from cutover.ports.diagnose import diagnose
from cutover.ports.facts import Facts, Probed, Setting

BLUE = Container("b" * 64, "shop-new_test-1", "shop", "new_test", ContainerState.RUNNING)
EVERY = "0.0.0.0"
ASKED = Probed("http://:6570/", 6570, ok=False, detail="refused")


def facts(**changes: Any) -> Facts:
    """Return the facts of a service that does all that it should, with some of them changed."""
    well = Facts(
        BLUE,
        log=("one", "two"),
        targets=(5570, 6570),
        listeners=(Listener(EVERY, 5570), Listener("::", 6570)),
        probed=(replace(ASKED, ok=True, replied=True, detail=""),),
        seconds=12.4,
    )
    contradicted = {"probed": ()} if "listeners" in changes else {}
    return replace(well, **{**contradicted, **changes})


def codes(found: Facts) -> list[str]:
    """Return the codes of what is found."""
    return [f.code for f in diagnose(found)]


def listening(*ports: int, address: str = EVERY) -> tuple[Listener, ...]:
    """Return listeners on these ports."""
    return tuple(Listener(address, port) for port in ports)


def test_all_is_well() -> None:
    """Then there is nothing to say; sockets that are UDP, ephemeral or loopback's own are nobody's business."""
    assert diagnose(facts()) == ()
    more = (Listener(EVERY, 5353, Protocol.UDP), Listener(EVERY, 40123), Listener("127.0.0.1", 9000))
    assert codes(facts(listeners=(*listening(5570, 6570), *more))) == []


@pytest.mark.parametrize(
    ("changes", "expected", "telling"),
    [
        (
            {"container": replace(BLUE, state=ContainerState.EXITED, exit_code=1), "listeners": None},
            ["exited"],
            "exited with code 1.",
        ),
        (
            {"container": replace(BLUE, state=ContainerState.EXITED, exit_code=139), "listeners": None},
            ["exited"],
            "crashed (SIGSEGV)",
        ),
        (
            {"container": replace(BLUE, state=ContainerState.EXITED, exit_code=137), "oom_killed": True},
            ["oom-killed", "exited"],
            "more memory than it may have",
        ),
        (
            {"container": replace(BLUE, state=ContainerState.RESTARTING, restart_count=3), "listeners": None},
            ["restarting"],
            "restarted 3 times",
        ),
        ({"listeners": ()}, ["nothing-listens", "nothing-listens"], "12 s after its start"),
        ({"listeners": listening(5570)}, ["nothing-listens"], "Nobody listens on 6570"),
        (
            {"listeners": listening(5570, 6571), "settings": (Setting("environment HTTP_PORT", 6571),)},
            ["port-mismatch", "listened-not-published"],
            "environment HTTP_PORT=6571 disagrees",
        ),
        (
            {"listeners": listening(5570, 6571), "settings": (Setting("environment REDIS_PORT", 6379),)},
            ["listens-elsewhere", "listened-not-published"],
            "listens on 6571; its published port leads to 6570",
        ),
        (
            {"listeners": (*listening(5570), *listening(6570, address="127.0.0.1")), "probed": (ASKED,)},
            ["loopback-only"],
            "listens on 127.0.0.1:6570 only",
        ),
        (
            {"container": replace(BLUE, health=Health.UNHEALTHY, failing_streak=4), "health_output": "a\nno model"},
            ["unhealthy"],
            "failed 4 times",
        ),
        ({"probed": (replace(ASKED, detail="no reply within 2 s"),)}, ["no-answer"], "no reply within 2 s"),
        (
            {"probed": (replace(ASKED, replied=True, detail="`status` was 'wrong'"),)},
            ["wrong-answer"],
            "`status` was 'wrong'",
        ),
        ({"listeners": None, "probed": (ASKED,)}, ["no-answer"], "does not answer: refused"),
        ({"listeners": listening(5570, 6570, 9000)}, ["listened-not-published"], "listens on 9000"),
        ({"gpu_refusal": "nvml error"}, ["gpu-refused"], "GPU"),
    ],
)
def test_each_thing_has_its_name(changes: dict[str, Any], expected: list[str], telling: str) -> None:
    """A stable code, in the order of cause, and a message that says what was seen."""
    found = diagnose(facts(**changes))
    assert [f.code for f in found] == expected
    assert telling in found[0].message
    assert all(f.cure for f in found if f.severity is Severity.ERROR)


def test_evidence_of_a_wrong_port() -> None:
    """What listens, what the probe said, and which of two suspects is nearer."""
    settings = (Setting("environment METRICS_PORT", 9100), Setting("command --health-port", 6571))
    found = diagnose(facts(listeners=listening(5570, 6571, 9100), settings=settings, probed=(ASKED,)))
    assert found[0].message.startswith("command --health-port=6571 disagrees")
    assert found[0].evidence == (
        "listens inside: 0.0.0.0:5570, 0.0.0.0:6571, 0.0.0.0:9100",
        "probe http://:6570/: refused",
    )
    assert found[0].cure == "set --health-port to 6570, or publish 6571 as the target"


def test_a_suspect_is_named_while_nobody_listens_yet() -> None:
    """A service that is loading with a wrong port: its own PORT is told as evidence, another service's is not."""
    settings = (Setting("environment REDIS_PORT", 6379), Setting("environment PORT", 5571))
    (found,) = diagnose(facts(listeners=(), targets=(5570,), settings=settings))
    assert found.evidence[0] == "environment PORT=5571 disagrees with the published target 5570"
    assert not any("6379" in line for line in found.evidence)


def test_a_side_port_explains_nothing() -> None:
    """Metrics are there while the model is loading: that is no wrong port, and no reason to end the wait."""
    settings = (Setting("environment METRICS_PORT", 9100),)
    found = codes(facts(listeners=listening(5570, 9100), settings=settings))
    assert found == ["nothing-listens", "listened-not-published"]


def test_what_answered_is_there() -> None:
    """The socket tables were read a moment before the port opened: the answer is the later word."""
    answered = Probed("tcp://:6570", 6570, ok=True, replied=True)
    assert codes(facts(listeners=listening(5570), probed=(answered,))) == []
    assert codes(facts(listeners=listening(5570), probed=(replace(answered, ok=False),))) == ["nothing-listens"]


def test_cures_name_the_test_stack() -> None:
    """Each can be copied: the name is in it, and a time that is longer than the one that was too short."""
    (loading,) = diagnose(facts(listeners=listening(5570), seconds=121.0))
    assert "cutover up new_test --ready-timeout 300" in str(loading.cure)
    (refused,) = diagnose(facts(gpu_refusal="nvml error"))
    assert refused.cure == "cutover up new_test --no-gpu"


def test_what_is_wrong_comes_before_what_is_worth_knowing() -> None:
    """A listener that is not published is a warning where a published port is unmet, else only worth knowing."""
    found = diagnose(facts(listeners=listening(5570, 9000), probed=(ASKED,)))
    assert [(f.code, f.severity) for f in found] == [
        ("listens-elsewhere", Severity.ERROR),
        ("listened-not-published", Severity.WARNING),
    ]
    (known,) = diagnose(facts(listeners=listening(5570, 6570, 9000)))
    assert known.severity is Severity.INFO


def test_the_log_is_bounded() -> None:
    """Its end is what matters."""
    gone = replace(BLUE, state=ContainerState.EXITED, exit_code=2)
    (found,) = diagnose(facts(container=gone, listeners=None, log=tuple(map(str, range(50)))))
    assert found.evidence == tuple(f"log: {n}" for n in range(45, 50))
