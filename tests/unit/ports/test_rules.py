"""What the doctor knows beside what a test stack is told: one fact each, and the code that it must have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cutover.model import Certainty, Container, ContainerState, Endpoint, Health, Listener, PortBinding, Severity
from cutover.ports.catalogue import CATALOGUE
from cutover.ports.diagnose import diagnose
from cutover.ports.facts import Dependant, Facts, Named, Probed, Queue, Setting
from cutover.ports.firewall import Drop
from cutover.ports.published import Conflict
from cutover.wire.speech import Speech, Tongue
from cutover.wire.zmtp import Peer

BLUE = Container(
    "b" * 64,
    "shop-suite-1",
    "shop",
    "suite",
    ContainerState.RUNNING,
    published=(PortBinding("", 5570, 5570),),
    wanted=(PortBinding("", 5570, 5570),),
    endpoints=(Endpoint("shop_default", "n", "172.21.0.6"),),
)
GONE = replace(BLUE, state=ContainerState.EXITED, exit_code=1)
CREATED = replace(BLUE, state=ContainerState.CREATED, published=())
FOREIGN = Conflict(BLUE.wanted[0], listener=Listener("0.0.0.0", 5570, pid=812, command="nc -l 5570"))
STALE = "/usr/sbin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 5570 -container-ip 172.21.0.9 -container-port 1"
ASKED = Probed("zmq://:5570", 5570, ok=False, detail="no reply", kind="zmq", timeout_s=2.0)
TAKEN = replace(FOREIGN, listener=None, container=BLUE, held=BLUE.wanted[0])
HTTP = replace(ASKED, probe="http://:5570/health", kind="http", path="/health")
REP = Speech(Tongue.ZMTP, peer=Peer((3, 1), "NULL", "REP"))


def facts(**changes: Any) -> Facts:
    """Return the facts of a service that does all that it should, with some of them changed."""
    well = Facts(BLUE, ("ready",), (5570,), (Listener("0.0.0.0", 5570),), seconds=30.0, speaks={5570: REP})
    return replace(well, **changes)


@pytest.mark.parametrize(
    ("changes", "code", "telling"),
    [
        ({"container": GONE, "log": ("x", "ModuleNotFoundError: No module named 'torch'")}, "died-on-import", "torch"),
        ({"container": GONE, "log": ("IndentationError: unexpected indent",)}, "died-on-import", "unexpected indent"),
        (
            {"container": GONE, "log": ("zmq.error.ZMQError: Address already in use (addr='tcp://*:8721')",)},
            "port-wanted-twice",
            "port 8721",
        ),
        ({"container": CREATED, "conflicts": (FOREIGN,)}, "host-port-foreign", "process 812 (nc -l 5570)"),
        (
            {
                "container": CREATED,
                "conflicts": (TAKEN,),
            },
            "host-port-container",
            "container shop-suite-1",
        ),
        (
            {
                "container": CREATED,
                "conflicts": (replace(FOREIGN, listener=Listener("0.0.0.0", 5570, pid=9, command=STALE)),),
            },
            "stale-proxy",
            "leads to no container",
        ),
        ({"container": CREATED, "engine_error": "no such device"}, "not-started", "never started"),
        ({"container": replace(BLUE, state=ContainerState.PAUSED)}, "paused", "is paused"),
        ({"listeners": (), "log": ("loading model shards: 40%",)}, "still-starting", "started 30 s ago"),
        (
            {"listeners": (Listener("::", 5570),), "refused": frozenset({5570}), "probed": (ASKED,)},
            "ipv6-only",
            "takes IPv6 alone",
        ),
        (
            {
                "container": replace(BLUE, health=Health.UNHEALTHY),
                "health_command": ("CMD", "curl", "-f", "http://localhost"),
                "health_output": 'exec: "curl": executable file not found in $PATH',
            },
            "healthcheck-missing",
            "no curl",
        ),
        ({"probed": (ASKED,)}, "not-reading", "shakes hands on 5570"),
        ({"probed": (replace(ASKED, replied=True, late_s=4.1),)}, "slow-reply", "after 4.1 s"),
        ({"probed": (ASKED,), "speaks": {5570: Speech(Tongue.HTTP, status=200)}}, "wrong-protocol", "speaks HTTP"),
        ({"probed": (HTTP,)}, "wrong-protocol", "asked over http"),
        (
            {"probed": (ASKED,), "speaks": {5570: replace(REP, peer=Peer((3, 1), "CURVE"))}},
            "wrong-mechanism",
            "wants CURVE",
        ),
        (
            {"probed": (ASKED,), "speaks": {5570: replace(REP, peer=Peer((3, 1), "NULL", "XPUB"))}},
            "wrong-socket-type",
            "XPUB socket",
        ),
        (
            {"probed": (replace(HTTP, replied=True, detail="status 503"),), "speaks": {5570: Speech(Tongue.HTTP)}},
            "health-not-ok",
            "status 503",
        ),
        ({"dependants": (Dependant("web", ("shop_front",), names_it=True),)}, "other-network", "shares no network"),
        (
            {"misnamed": (Named("web", "URL", "manager", 5570, resolves=False),)},
            "alias-missing",
            "asks for manager:5570",
        ),
        ({"firewall": (Drop("-A DOCKER-USER -p tcp --dport 5570 -j DROP"),)}, "firewall-drops", "firewall drops"),
        (
            {"container": CREATED, "gpu_refusal": 'could not select device driver "nvidia"'},
            "gpu-refused",
            "does not take its GPU reservation",
        ),
    ],
)
def test_each_fault_comes_first_under_its_code(changes: dict[str, Any], code: str, telling: str) -> None:
    """An error, in the catalogue, with a next command."""
    found = diagnose(facts(**changes))
    assert (found[0].code, found[0].severity) == (code, Severity.ERROR)
    assert CATALOGUE[code].severity is Severity.ERROR
    assert telling in found[0].message
    assert found[0].cure


def test_a_healthy_service_has_no_error() -> None:
    """Whatever else is worth knowing."""
    assert diagnose(facts()) == ()
    job = replace(GONE, exit_code=0, published=(), wanted=())
    assert diagnose(facts(container=job, targets=(), listeners=None)) == ()
    old = replace(BLUE, restart_count=3)
    assert diagnose(facts(container=old, seconds=3600.0)) == ()
    assert diagnose(facts(dependants=(Dependant("web", ("shop_default",)), Dependant("job", ())))) == ()


def test_a_port_that_was_named_and_is_not_published_is_a_warning() -> None:
    """The health port of the original: started, told in the log, and nobody could ask it."""
    listeners = (Listener("0.0.0.0", 5570), Listener("0.0.0.0", 9903))
    (found,) = diagnose(facts(listeners=listeners, log=("Started HTTP health server on port 9903",)))
    assert (found.code, found.severity) == ("listened-not-published", Severity.WARNING)
    (found,) = diagnose(facts(listeners=listeners, settings=(Setting("environment HEALTH_PORT", 9903),)))
    assert found.severity is Severity.WARNING
    assert found.cure == "ports: [9903:9903], if somebody outside is to ask it"


def test_what_may_happen_is_a_warning_and_what_is_meant_is_known() -> None:
    """A port in the ephemeral range, and one that is bound to one address."""
    here = PortBinding("127.0.0.1", 40000, 5570)
    found = diagnose(facts(container=replace(BLUE, published=(here,), wanted=(here,)), ephemeral=(32768, 60999)))
    assert [(f.code, f.severity) for f in found] == [
        ("host-port-ephemeral", Severity.WARNING),
        ("one-address", Severity.INFO),
    ]


def test_what_is_only_in_the_log_of_a_healthy_service_is_no_error() -> None:
    """Somebody else's port was taken once, an optional import failed, a healthcheck got a 404 and is content."""
    (found,) = diagnose(facts(log=("metrics: Address already in use, going on without",)))
    assert (found.code, found.severity) == ("port-wanted-twice", Severity.WARNING)
    log = ("ImportError: no libcuda, running on the CPU", "ready", "serving", "done", "bye")
    assert [f.code for f in diagnose(facts(container=GONE, log=log))] == ["exited"]
    checked = replace(BLUE, health=Health.UNHEALTHY, failing_streak=2)
    told = {"health_command": ("CMD", "curl", "-f", "http://x"), "health_output": "curl: (22) 404 Not Found"}
    assert [f.code for f in diagnose(facts(container=checked, **told))] == ["unhealthy"]


def test_a_client_that_leaves_out_the_empty_frame_is_told() -> None:
    """A DEALER before a REP; a ROUTER takes it."""
    bare = replace(ASKED, bare=True)
    assert first(probed=(bare,))[0] == "wrong-socket-type"
    assert "sends no empty frame" in diagnose(facts(probed=(bare,)))[0].message
    router = {5570: replace(REP, peer=Peer((3, 1), "NULL", "ROUTER"))}
    assert first(probed=(bare,), speaks=router)[0] == "not-reading"


def test_what_waits_in_the_kernel_is_evidence() -> None:
    """A server that listens, and whose loop does not accept."""
    probed = (replace(HTTP, detail="no answer within 8 s"),)
    found = diagnose(facts(probed=probed, speaks={}, queues={5570: Queue(2, 0)}))[0]
    assert (found.code, found.sure) == ("not-reading", Certainty.CERTAIN)
    assert found.evidence[0] == "port 5570 inside: 2 connections not accepted, 0 bytes not read (Recv-Q)"


def test_a_port_that_is_a_rule_of_the_firewall_alone() -> None:
    """Docker's userland proxy is off, and loopback was asked; elsewhere, or with a proxy, the way is at fault."""
    probed = replace(HTTP, host="::1", detail="refused")
    seen = {"speaks": {5570: Speech(Tongue.HTTP, status=200)}, "probed": (probed,)}
    held = {5570: "host: 0.0.0.0:5570 is held by the Engine itself (PID 7), and no docker-proxy runs for it"}
    found = diagnose(facts(**seen, unproxied=held))[0]
    assert (found.code, found.evidence[1]) == ("loopback-unproxied", held[5570])
    for other in ({}, {**held, 1: "x"}):
        told = diagnose(facts(**{**seen, "probed": (replace(probed, host="10.0.0.1"),)}, unproxied=other))[0]
        assert told.code == "no-answer"
        assert "at its own address, and by way of 10.0.0.1 nothing comes back" in told.message


def test_networks_that_cannot_be_shared_are_nobodys_fault() -> None:
    """The host's own, a dependant that only waits for it, and a job that has ended."""
    apart = (Dependant("web", ("shop_front",), names_it=True),)
    on_host = replace(BLUE, endpoints=(Endpoint("host", "h", ""),))
    assert diagnose(facts(container=on_host, dependants=apart)) == ()
    assert diagnose(facts(dependants=(Dependant("web", ("host",), names_it=True),))) == ()
    (found,) = diagnose(facts(dependants=(Dependant("web", ("shop_front",)),)))
    assert found.severity is Severity.WARNING
    assert (
        diagnose(
            facts(
                container=replace(on_host, published=()), listeners=(Listener("0.0.0.0", 5570), Listener("0.0.0.0", 22))
            )
        )
        == ()
    )


def test_a_password_in_a_healthcheck_is_not_shown() -> None:
    """Its command line is masked."""
    told = {
        "health_command": ("CMD", "curl", "--password", "hunter2", "http://x"),
        "health_output": 'exec: "curl": executable file not found in $PATH',
    }
    (found, *_) = diagnose(facts(container=replace(BLUE, health=Health.UNHEALTHY), **told))
    assert found.code == "healthcheck-missing"
    assert "hunter2" not in str(found)


def test_a_stuck_loop_is_told_as_far_as_it_is_known() -> None:
    """Likely without an exception or a stack, certain with one; queues and threads are evidence."""
    (found,) = diagnose(facts(probed=(replace(ASKED, waited_s=8.0),), queues={5570: Queue(0, 512)}))
    assert found.sure is Certainty.CERTAIN
    assert "no reply in 8 s" in found.message
    assert "port 5570 inside: 0 connections not accepted, 512 bytes not read (Recv-Q)" in found.evidence
    (found,) = diagnose(facts(probed=(ASKED,), log=("Exception in thread Thread-1 (loop):", "KeyError: 'id'")))
    assert found.sure is Certainty.CERTAIN
    assert "nobody caught" in found.message
    (found,) = diagnose(facts(probed=(ASKED,), stack=("MainThread: wait (threading.py:320)",)))
    assert "thread: MainThread: wait (threading.py:320)" in found.evidence
    assert found.sure is Certainty.LIKELY
    (found,) = diagnose(facts(probed=(ASKED,), log=("Traceback (most recent call last):", "TimeoutError: retrying")))
    assert found.sure is Certainty.LIKELY  # who printed it has caught it


def listeners(*ports: int, address: str = "0.0.0.0") -> tuple[Listener, ...]:
    """Return who listens on these ports."""
    return tuple(Listener(address, port) for port in ports)


def first(**changes: Any) -> tuple[str, Severity, Certainty, bool]:
    """Return what is found first, how grave and how sure that is, and whether an edit is offered."""
    found = diagnose(facts(**changes))[0]
    return found.code, found.severity, found.sure, found.fix is not None


def test_another_listener_is_no_proof_that_it_was_meant() -> None:
    """One published port and one listener left over is certain, and has an edit; all else is neither."""
    assert first(listeners=listeners(8888)) == ("listens-elsewhere", Severity.ERROR, Certainty.CERTAIN, True)
    assert first(listeners=listeners(8888, 9999))[2:] == (Certainty.POSSIBLE, False)
    assert first(targets=(5570, 5571), listeners=listeners(8888))[2:] == (Certainty.POSSIBLE, False)
    assert first(listeners=listeners(8888), log=("serving metrics", "loading shard 3%"))[:2] == (
        "still-starting",
        Severity.ERROR,
    )
    assert first(listeners=listeners(5678, address="127.0.0.1"))[0] == "nothing-listens"


def test_a_published_port_beside_one_that_is_served_is_a_warning() -> None:
    """A debugger's, that is seldom on; unless its probe failed, or all is not well."""
    idle = {"targets": (5570, 5678), "listeners": listeners(5570)}
    assert first(**idle)[:2] == ("nothing-listens", Severity.WARNING)
    assert first(**idle, container=replace(BLUE, health=Health.UNHEALTHY))[1] is Severity.ERROR
    assert first(**idle, probed=(replace(ASKED, target=5678),))[1] is Severity.ERROR
    told = first(**{**idle, "listeners": listeners(5570, 5679)}, settings=(Setting("environment APP_PORT", 5679),))
    assert told == ("port-mismatch", Severity.WARNING, Certainty.CERTAIN, True)


def test_only_a_setting_makes_an_edit_that_publishes() -> None:
    """What a log mentions may be nobody's business outside; an address of the other ports is kept."""
    more = listeners(5570, 25672)
    (found,) = diagnose(facts(listeners=more, log=("HTTP server for health on [::]:25672",)))
    assert (found.severity, found.fix) == (Severity.WARNING, None)
    for line in ("took 25672 ms", "started TCP listener on [::]:25672", "pid 25672: health ok"):
        (found,) = diagnose(facts(listeners=more, log=(line,)))
        assert (found.severity, found.fix) == (Severity.INFO, None)
    local = replace(BLUE, published=(PortBinding("127.0.0.1", 5570, 5570),))
    found = diagnose(facts(container=local, listeners=more, settings=(Setting("environment HEALTH_PORT", 25672),)))[0]
    assert found.fix is not None
    assert (found.fix.target, found.fix.host_ip) == (25672, "127.0.0.1")


def test_what_a_service_outlived_is_a_warning() -> None:
    """A worker killed for memory, two crashes that are over, an import that failed and was done without."""
    assert first(oom_killed=True)[:2] == ("oom-killed", Severity.WARNING)
    assert first(oom_killed=True, container=replace(GONE, exit_code=137))[:2] == ("oom-killed", Severity.ERROR)
    assert first(oom_killed=True, container=GONE)[:2] == ("oom-killed", Severity.ERROR)
    job = {"container": replace(GONE, exit_code=0, wanted=(), published=()), "targets": (), "listeners": None}
    assert first(oom_killed=True, **job)[:2] == ("oom-killed", Severity.WARNING)
    assert first(container=replace(BLUE, restart_count=2), seconds=9.0)[:2] == ("restarting", Severity.WARNING)
    assert diagnose(facts(container=replace(BLUE, restart_count=1), seconds=9.0)) == ()
    ill = first(container=replace(BLUE, restart_count=2), seconds=9.0, probed=(ASKED,))
    assert ill[:2] == ("restarting", Severity.ERROR)
    log = ("ModuleNotFoundError: No module named 'x'",)
    assert first(container=GONE, log=log)[2] is Certainty.CERTAIN
    assert first(container=GONE, log=(*log, "bye"))[2] is Certainty.LIKELY
    for container, lines in (
        (replace(GONE, exit_code=0), log),
        (GONE, ("WARNING: ImportError: no CUDA",)),
        (replace(BLUE, restart_count=4), log),
    ):
        assert "died-on-import" not in [f.code for f in diagnose(facts(container=container, log=lines))]


def test_another_services_port_is_not_its_own() -> None:
    """A database in the same container, while the model loads and afterwards: no edit, and no wrong cause."""
    redis = (Setting("environment REDIS_PORT", 6379),)
    loads = facts(listeners=listeners(6379), settings=redis, log=("Loading model 40%",))
    assert (diagnose(loads)[0].code, diagnose(loads)[0].fix) == ("still-starting", None)
    (found,) = diagnose(facts(listeners=listeners(5570, 6379), settings=redis))
    assert (found.code, found.severity, found.fix) == ("listened-not-published", Severity.INFO, None)


def test_a_line_about_an_open_port_or_before_a_traceback_is_no_loading() -> None:
    """It has started, or it never will."""
    for line in ("Starting server on :9000", "listening on 9000, waiting for connections"):
        assert first(listeners=listeners(9000), log=(line,))[0] == "listens-elsewhere"
    dead = ("Starting server", "Traceback (most recent call last):", "ModuleNotFoundError: No module named 'x'")
    assert first(listeners=(), log=dead)[:3] == ("died-on-import", Severity.ERROR, Certainty.LIKELY)
    dead = ("Starting server", "Traceback (most recent call last):", "KeyError: 'x'")
    assert first(listeners=(), log=dead)[0] == "nothing-listens"


def test_a_port_that_was_taken_after_its_death_is_no_cause() -> None:
    """It ran with it, and ended of something else; only the Engine's own refusal says otherwise."""
    taken = {"container": GONE, "conflicts": (TAKEN,), "log": ("ModuleNotFoundError: No module named 'x'",)}
    found = diagnose(facts(**taken))
    assert [(f.code, f.severity) for f in found][:1] == [("died-on-import", Severity.ERROR)]
    assert ("host-port-container", Severity.WARNING) in [(f.code, f.severity) for f in found]
    assert not any("docker stop" in (f.cure or "") for f in found)
    assert first(**taken, engine_error="Bind for 0.0.0.0:5570 failed: port is already allocated")[0] == (
        "host-port-container"
    )


def test_a_name_that_something_else_answers_to_is_no_fault() -> None:
    """The host's own name server may know it; where that could not be tried, it is a warning."""
    named = Named("web", "URL", "manager", 5570)
    assert diagnose(facts(misnamed=(replace(named, resolves=True),))) == ()
    assert first(misnamed=(named,))[:3] == ("alias-missing", Severity.WARNING, Certainty.POSSIBLE)


def test_a_rule_with_a_condition_is_a_warning() -> None:
    """It may be as it should be."""
    drop = Drop("-A DOCKER-USER -s 10.0.0.0/8 -p tcp --dport 5570 -j DROP", plain=False)
    assert first(firewall=(drop,))[:3] == ("firewall-drops", Severity.WARNING, Certainty.POSSIBLE)


def test_a_secret_in_a_listeners_command_is_not_shown() -> None:
    """The program and its first argument are."""
    here = (Listener("127.0.0.1", 5570, pid=7, command="serve --token s3cr3t app s3cr3t"),)
    found = diagnose(facts(listeners=(replace(here[0], command="serve -v app s3cr3t"),)))[0]
    assert found.evidence[0] == "listens inside: 127.0.0.1:5570 (serve app)"
