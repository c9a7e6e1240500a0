"""Every fault of the catalogue that a container can have, named first by the doctor; healthy services left alone."""

from __future__ import annotations

import time

import pytest

from tests.scenarios.doctor_world import FAULTS, HEALTHY, Ward

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]
SOON_S, WAITS_S = 5.0, 10.0
WAITED_FOR = {"not-reading", "slow-reply"}
"""Findings for which a reply has to be waited for."""


@pytest.fixture(scope="module")
def ward(engine, tmp_path_factory):
    """Give the project, up."""
    made = Ward(tmp_path_factory.mktemp("ward"))
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def told(ward):
    """Give what the doctor says of all of them: by service."""
    said, _ = ward.doctor("--json")
    assert said.code == 1, said
    assert said.json["unknown"] == [], said
    return {one["service"]: one["findings"] for one in said.json["services"]}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_first(told, name):
    """By its code, with evidence or a cure."""
    first = told[name][0] if told[name] else None
    assert first is not None, told[name]
    assert (first["code"], first["severity"]) == (FAULTS[name].code, FAULTS[name].severity), told[name]
    assert first["cure"]


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_service_has_no_error(told, name):
    """Nor a warning."""
    assert [f for f in told[name] if f["severity"] != "info"] == []


@pytest.mark.parametrize("name", ["loopback", "pub", "stuck", "foreign", "suite-thread"])
def test_it_takes_seconds(ward, name):
    """Asked for one service alone: 5 s, 10 s where a reply has to be waited for."""
    said, took_s = ward.doctor(name)
    assert said.code == 1, said
    assert FAULTS[name].code in said.out
    assert took_s < (WAITS_S if FAULTS[name].code in WAITED_FOR else SOON_S), said


def test_what_a_person_reads(ward):
    """What happened, the evidence, and the next command."""
    said, _ = ward.doctor("loopback")
    lines = said.out.splitlines()
    assert lines[0].startswith("error: loopback-only: ")
    assert any(line.startswith("  | listens inside: 127.0.0.1:8000") for line in lines), said
    assert any(line.startswith("  next: ") for line in lines), said


def test_a_service_that_there_is_not(ward):
    """Those that there are are named."""
    said, _ = ward.doctor("nope")
    assert said.code == 2, said
    assert "loopback" in said.err
    assert "docker compose ps -a" in said.err


def test_nothing_is_changed(ward):
    """The same containers run, started when they were."""
    ask = ("ps", "-a", "--format", "{{.ID}} {{.Service}}")
    before = ward.compose(*ask).stdout
    ward.doctor("web")
    time.sleep(0.1)
    assert ward.compose(*ask).stdout == before
