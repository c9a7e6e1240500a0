"""Which service is to be tried, on which free ports, and when a file may be written."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from cutover.config import Settings
from cutover.document.override import Override, OverrideRequest
from cutover.engine.stack import ProjectFiles, Stack
from cutover.errors import RefusedError, UsageError
from cutover.flow.override_origin import sources_of, subject_of
from cutover.flow.override_ports import MOST, Wanted, choose_ports, wanted_ports
from cutover.flow.override_proof import _differences
from cutover.flow.override_world import World
from cutover.flow.request import Options
from cutover.flow.session import Session
from cutover.model import Container, ContainerState, PortBinding, Protocol
from cutover.ports.allocate import allocate

SERVICES = {
    "green": {"ports": [{"target": 80, "published": "5570"}, {"target": 81, "published": "6570"}]},
    "blue": {"ports": [{"target": 9100, "published": "9100"}]},
    "bare": {},
}


def session(blue="blue", green="green", **options):
    """Return a session of which only what was said counts."""
    settings = Settings(blue=blue, green=green, ports=options.pop("settings_ports", ()))
    return Session(Options(**options), settings, None, Stack(None, ProjectFiles((Path("/srv/c.yml"),))), None, None)


def world(services=SERVICES, containers=(), avoided=None, files=(Path("/srv/c.yml"),)):
    """Return a project with these services."""
    model = {"name": "demo", "services": services}
    return World(Stack(None, ProjectFiles(files)), "demo", model, model, {}, tuple(containers), avoided or {})


def container(service, *bindings, state=ContainerState.RUNNING, project="demo"):
    """Return a container that wants these ports, and has them if it runs."""
    held = bindings if state is ContainerState.RUNNING else ()
    return Container(f"id-{service}", service, project, service, state, published=held, wanted=bindings)


def wanted(request=OverrideRequest(), blue="blue", **options):  # noqa: B008  (frozen)
    """Return legacy port -> target of what is to be tried."""
    opened = session(blue=blue, **options)
    subject = subject_of(opened, world(), request)
    return {p.legacy: p.target for p in wanted_ports(opened, world(), subject, request).ports}


def test_blue_is_tried_on_the_ports_of_green():
    """With green's targets where blue has none, and blue's own ports besides."""
    assert wanted() == {5570: 80, 6570: 81, 9100: 9100}


def test_the_settings_say_where_blue_listens():
    """`ports: [5570:9901]`."""
    assert wanted(settings_ports=("5570:9901",)) == {5570: 9901, 9100: 9100}


def test_another_service_is_tried_on_its_own_ports():
    """It is not the one that takes over from green."""
    assert wanted(OverrideRequest(service="green"), green="green")[5570] == 80
    assert wanted(OverrideRequest(service="blue"), blue="bare") == {9100: 9100}


def test_a_service_without_ports_is_refused():
    """And gets those that --map names."""
    with pytest.raises(RefusedError) as error:
        wanted(OverrideRequest(service="bare"), green=None)
    assert error.value.reference == "no-ports"
    assert wanted(OverrideRequest(service="bare", maps=("8080:20001",)), green=None) == {8080: 8080}


def test_a_service_that_is_not_blue_is_tried_for_green():
    """Where it has no ports of its own, or `--green` says so: with green's, or those of cutover.yaml."""
    assert wanted(OverrideRequest(service="bare")) == {5570: 80, 6570: 81}
    assert wanted(OverrideRequest(service="bare"), settings_ports=("5570:9901",)) == {5570: 9901}
    assert wanted(OverrideRequest(service="blue"), blue="bare") == {9100: 9100}
    opened = replace(session(blue="bare", green=None), options=Options(green="green"))
    subject = subject_of(opened, world(), OverrideRequest(service="blue"))
    found = wanted_ports(opened, world(), subject, OverrideRequest())
    assert {p.legacy for p in found.ports} == {5570, 6570, 9100}
    assert found.notes == ()


def test_why_the_ports_of_green_are_not_tried_is_told():
    """A service with ports of its own may be meant as the successor all the same."""
    opened = session(blue="bare")
    request = OverrideRequest(service="blue")
    found = wanted_ports(opened, world(), subject_of(opened, world(), request), request)
    assert "--green green" in found.notes[0]


@pytest.mark.parametrize("mode", ["host", "none", "service:green", "container:x"])
def test_a_service_that_can_publish_nothing(mode):
    """No port of it can change hands, so `up` and `swap` could not use what would be written."""
    seen = world({**SERVICES, "blue": {"image": "i:1", "network_mode": mode, "command": ["x", "--port", "80"]}})
    with pytest.raises(RefusedError) as error:
        wanted_ports(session(), seen, subject_of(session(), seen, OverrideRequest()), OverrideRequest())
    assert error.value.reference == ("host-network" if mode == "host" else "network-shared")
    assert "--from-image --image i:1" in error.value.hint


@pytest.mark.parametrize(
    ("maps", "reference"),
    [
        (("1:2",), "port-does-not-occur"),
        (("5570:70000",), "bad-port"),
        (("5570",), "bad-port"),
        (("0:5",), "bad-port"),
        (("5570:7000", "6570:7000"), "mapping-twice"),
        (("5570:7000", "5570:7001"), "mapping-twice"),
    ],
)
def test_mappings_that_make_no_sense(maps, reference):
    """Each is named."""
    with pytest.raises(UsageError) as error:
        wanted(OverrideRequest(maps=maps))
    assert error.value.reference == reference


@pytest.mark.parametrize(
    ("request_", "name", "origin"),
    [
        (OverrideRequest(), "blue_test", "blue"),
        (OverrideRequest(service="bare"), "bare_test", "bare"),
        (OverrideRequest(origin="green"), "blue_test", "green"),
        (OverrideRequest(origin="green", name="again"), "again", "green"),
        (OverrideRequest(service="new", image="new:1"), "new_test", "new"),
        (OverrideRequest(image="new:1", from_image=True), "blue_test", "blue"),
    ],
)
def test_what_is_tried(request_, name, origin):
    """Blue, a service that is named, green with changes, or an image."""
    subject = subject_of(session(), world(), request_)
    assert (subject.name, subject.origin) == (name, origin)


@pytest.mark.parametrize(
    ("request_", "reference", "words"),
    [
        (OverrideRequest(service="bleu"), "unknown-service", "did you mean 'blue'?"),
        (OverrideRequest(origin="geen"), "unknown-service", "did you mean 'green'?"),
        (OverrideRequest(name="bare"), "service-exists", "bare"),
        (OverrideRequest(name="a b"), "bad-name", "a b"),
        (OverrideRequest(from_image=True), "no-image", "image"),
    ],
)
def test_names_that_are_wrong(request_, reference, words):
    """The nearest one is named."""
    with pytest.raises((UsageError, RefusedError)) as error:
        subject_of(session(), world(), request_)
    assert error.value.reference == reference
    assert words in error.value.message


def test_the_files_that_define_a_service(tmp_path):
    """In the order in which Compose merges them, from `include:` where no other has it."""
    base, second, third = tmp_path / "a.yml", tmp_path / "b.yml", tmp_path / "c.yml"
    base.write_text("include: [inc/d.yml, {path: [e.yml]}]\nservices: {x: {image: i}}\n")
    second.write_text("services: {y: {image: i}}\n")
    third.write_text("services: {x: {user: root}}\n")
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "d.yml").write_text("include: [f.yml]\nservices: {w: {image: i}}\n")
    (tmp_path / "inc" / "f.yml").write_text("services: {v: {image: i}}\n")
    (tmp_path / "e.yml").write_text("services: {u: {image: i}}\n")
    seen = world(files=(base, second, third))
    assert sources_of(seen, "x") == ("a.yml", "c.yml")
    assert sources_of(seen, "w") == ("inc/d.yml",)
    assert sources_of(seen, "v") == ("inc/f.yml",)
    assert sources_of(seen, "u") == ("e.yml",)


def chosen(seen, ports=((5570, 80),), mapping=None, previous=None):
    """Choose test ports and let go of them; return legacy port -> test port."""
    subject = subject_of(session(), seen, OverrideRequest())
    asked = OverrideRequest(maps=tuple(f"{a}:{b}" for a, b in (mapping or {}).items()))
    found = wanted_ports(session(), seen, subject, asked)
    kept = tuple(p for p in found.ports if p.legacy in dict(ports))
    rows, held = choose_ports(seen, subject, Wanted(kept, mapping or {}), previous)
    held.close()
    return {r.legacy: r.published for r in rows}


def free(count=1, base=26000):
    """Return ports that are free now."""
    with allocate(count, base=base) as found:
        return found.ports


def test_test_ports_collide_with_nothing():
    """Sockets of the host, stopped containers, other services, other files."""
    first = chosen(world())[5570]
    stopped = container("old", PortBinding("", first, 1), state=ContainerState.EXITED, project="other")
    second = chosen(world(containers=[stopped]))[5570]
    assert second != first
    third = chosen(world(containers=[stopped], avoided={second: "other.yml wants it"}))[5570]
    assert third not in {first, second}
    declared = {**SERVICES, "other": {"ports": [{"target": 1, "published": f"{first}-{third}"}]}}
    assert not first <= chosen(world(declared))[5570] <= third


def test_ports_of_the_file_are_taken_again():
    """The same input gives the same bytes, also while the test stack itself has them."""
    (port,) = free()
    previous = f'cutover.test-ports: "5570:{port}"'
    assert chosen(world(), previous=previous) == {5570: port}
    running = container("blue_test", PortBinding("127.0.0.1", port, 80))
    with socket.socket() as held:
        held.bind(("127.0.0.1", port))
        held.listen()
        assert chosen(world(containers=[running]), previous=previous) == {5570: port}
        assert chosen(world(), previous=previous) != {5570: port}


@pytest.mark.parametrize("state", [ContainerState.RUNNING, ContainerState.CREATED, ContainerState.EXITED])
@pytest.mark.parametrize("project", ["demo", "other"])
def test_a_port_that_another_container_got_meanwhile_is_not_taken_again(state, project):
    """Docker has it, or will bind it as soon as that container starts, though nobody listens on it here."""
    (port,) = free()
    other = container("other", PortBinding("127.0.0.1", port, 80), state=state, project=project)
    previous = f'cutover.test-ports: "5570:{port}"'
    assert chosen(world(), previous=previous) == {5570: port}
    assert chosen(world(containers=[other]), previous=previous)[5570] != port


def test_who_loses_a_port_takes_none_that_another_had():
    """The other legacy ports stay where they were tried."""
    first, second = free(2)
    other = container("other", PortBinding("127.0.0.1", first, 80), project="other")
    previous = f'cutover.test-ports: "5570:{first},6570:{second}"'
    found = chosen(world(containers=[other]), ((5570, 80), (6570, 81)), previous=previous)
    assert found[6570] == second
    assert found[5570] not in {first, second}


def test_a_named_port_that_is_taken():
    """By a socket, by a service of the project, or by another test stack: nothing else is chosen in its place."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(RefusedError) as error:
            chosen(world(), mapping={5570: port})
    assert error.value.reference == "port-taken"
    for mapping, seen in (({5570: 9100}, world()), ({5570: port}, world(avoided={port: "overrides/x.yml has it"}))):
        with pytest.raises(RefusedError) as error:
            chosen(seen, mapping=mapping)
        assert error.value.reference == "port-taken"


def test_tcp_and_udp_of_one_number_stay_together():
    """53 over both is one test port over both."""
    both = [{"target": 53, "published": "53", "protocol": p} for p in ("tcp", "udp")]
    seen = world({"green": {"ports": both}, "blue": {}})
    subject = subject_of(session(), seen, OverrideRequest())
    rows, held = choose_ports(seen, subject, wanted_ports(session(), seen, subject, OverrideRequest()), None)
    held.close()
    assert {r.protocol for r in rows} == {Protocol.TCP, Protocol.UDP}
    assert len({r.published for r in rows}) == 1


@pytest.mark.parametrize("settings_ports", [(), ("53",), ("53:5353",)])
@pytest.mark.parametrize("order", [("tcp", "udp"), ("udp", "tcp")])
def test_a_port_that_the_settings_name_is_tried_over_both(settings_ports, order):
    """TCP's is the first where cutover.yaml names it, and blue's target counts for both."""
    both = [{"target": 53, "published": "53", "protocol": p} for p in order]
    seen, opened = world({"green": {"ports": both}, "blue": {}}), session(settings_ports=settings_ports)
    found = wanted_ports(opened, seen, subject_of(opened, seen, OverrideRequest()), OverrideRequest()).ports
    assert {p.protocol for p in found} == {Protocol.TCP, Protocol.UDP}
    assert {p.target for p in found} == {5353 if settings_ports == ("53:5353",) else 53}
    assert not settings_ports or found[0].protocol is Protocol.TCP


def test_a_range_of_thousands_is_not_tried_in_full():
    """Each test port is held by sockets; a warning says so."""
    many = [{"target": n, "published": str(n)} for n in range(10000, 10200)]
    seen = world({"green": {"ports": many}, "blue": {}})
    found = wanted_ports(session(), seen, subject_of(session(), seen, OverrideRequest()), OverrideRequest())
    assert len(found.ports) == MOST
    assert "200 ports" in found.warnings[0]


def test_evidence_names_places_and_never_values():
    """What Compose made otherwise may be a secret."""
    override = Override("t", "blue", "", (), expected={"environment": {"TOKEN": "hunter2", "B": "1"}, "user": "root"})
    model = {"services": {**SERVICES, "t": {"environment": {"TOKEN": "hunter3"}, "tty": True}}}
    assert list(_differences(world(), override, model)) == [
        "t.environment.B: missing",
        "t.environment.TOKEN: not as expected",
        "t.tty: unexpected",
        "t.user: missing",
    ]
    model["services"]["blue"] = {"image": "changed"}
    assert "services.blue.image: unexpected" in list(_differences(world(), override, model))
