"""Which numbers inside a service move with its ports, and which are left alone with a warning."""

from __future__ import annotations

import pytest

from cutover.document.override.inside import move_inside
from cutover.document.override.values import OverrideRequest, TestPort
from cutover.errors import UsageError


def moved(service, ports=((5570, 20001, 5570),), written=None, env=None, **request):
    """Move the ports (legacy, test port, target) of a service that was written as it is computed."""
    rows = [TestPort(old, new, target, origin_target=target) for old, new, target in ports]
    asked = OverrideRequest(**request)
    return move_inside(service, written or service, env or {}, rows, request=asked, own_names=("suite",))


def test_every_place_of_a_port_moves_together():
    """Argument, variable, address and healthcheck; what the file says about another number stays."""
    found = moved(
        {
            "command": ["serve", "--port", "5570", "--size=5571"],
            "environment": {"AGENT_PORT": "5570", "BIND": "tcp://*:5570", "N": "7"},
            "healthcheck": {"test": ["CMD", "curl", "http://localhost:5570/"]},
        }
    )
    assert found.targets == {5570: 20001}
    assert {key: c.written for key, c in found.changes.items()} == {
        "command": ("serve", "--port", "20001", "--size=5571"),
        "environment.AGENT_PORT": ("20001",),
        "environment.BIND": ("tcp://*:20001",),
        "healthcheck.test": ("CMD", "curl", "http://localhost:20001/"),
    }
    assert found.warnings == []


@pytest.mark.parametrize(
    "service",
    [
        {},
        {"command": ["serve"], "healthcheck": {"test": ["CMD", "curl", "http://localhost:5570/"]}},
        {"environment": {"URL": "http://localhost:5570"}},
        {"environment": {"PUBLIC_PORT": "5570"}},
        {"environment": {"REDIS_HOST": "redis", "REDIS_PORT": "5570"}},
        {"command": ["x", "--redis-host", "redis", "--redis-port", "5570"]},
    ],
)
def test_the_port_inside_stays_where_nothing_tells_the_service(service):
    """A test stack that listens on 5570 must not be published as if it listened elsewhere."""
    found = moved(service)
    assert found.targets == {}
    assert "healthcheck.test" not in found.changes
    assert found.notes == ["nothing in the file tells the service to listen on 20001: it stays on 5570 inside"]


def test_two_targets_are_two_ports():
    """`5570:9901` and `6570:9902`: it is the port inside that the service is told."""
    found = moved(
        {"command": ["x", "--port", "9901", "--health-port", "9902"]},
        ports=((5570, 20001, 9901), (6570, 20002, 9902)),
    )
    assert found.targets == {9901: 20001, 9902: 20002}
    assert found.changes["command"].written == ("x", "--port", "20001", "--health-port", "20002")


def test_what_clients_are_told_moves_without_telling_the_service():
    """PUBLIC_PORT=8080 of a service that listens on 80."""
    found = moved({"environment": {"PUBLIC_PORT": "8080"}}, ports=((8080, 20001, 80),))
    assert found.targets == {}
    assert found.changes["environment.PUBLIC_PORT"].written == ("20001",)


def test_places_left_alone_are_named_with_the_reason():
    """No value is shown but the port's own number."""
    found = moved(
        {
            "command": ["x", "5570", "--metrics-port", "9100"],
            "environment": {"PEER": "green:5570", "SIZE": "5570", "URL": "http://localhost:5570/?t=hunter2"},
        }
    )
    assert [w.split(" ")[0] for w in found.warnings] == [
        "command[1]",
        "command[3]",
        "environment.PEER",
        "environment.SIZE",
        "environment.URL",
    ]
    told = "\n".join(found.warnings)
    assert "somebody else" in told
    assert "--also environment.SIZE" in told
    assert "9100, which is not mapped" in told
    assert "hunter2" not in told


def test_also_moves_a_place_that_looks_like_no_port():
    """A positional argument, say: and then the service is told."""
    found = moved({"command": ["http.server", "5570"]}, also=("command[1]",))
    assert found.targets == {5570: 20001}
    assert found.changes["command"].written == ("http.server", "20001")


def test_also_of_a_place_without_a_port():
    """The places that have one are named."""
    with pytest.raises(UsageError) as error:
        moved({"environment": {"SIZE": "5570", "X": "1"}}, also=("environment.X",))
    assert error.value.evidence == ("places with one: environment.SIZE",)


def test_keep_target_leaves_the_inside_alone():
    """Only the published side moves, and nothing is warned about that is right."""
    found = moved({"command": ["x", "--port", "5570"], "environment": {"N": "5570"}}, keep_target=True)
    assert (found.targets, found.changes, found.warnings) == ({}, {}, [])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("x --port ${PORT} --password ${PW}", ("x", "--port", "20001", "--password", "${PW}")),
        (["x", "--port", "${PORT:-1}", "--password", "$PW"], ("x", "--port", "20001", "--password", "$PW")),
    ],
)
def test_variables_of_a_command_stay_variables(written, expected):
    """The command is written again, the secret in it is not."""
    service = {"command": ["x", "--port", "5570", "--password", "hunter2"]}
    found = moved(service, written={"command": written}, env={"PORT": "5570", "PW": "hunter2"})
    assert found.changes["command"].written == expected
    assert found.changes["command"].values[2] == "20001"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("x $OPTIONS", "put together from variables"),
        (["x", "--port", "5570", "--password", "${UNKNOWN}"], "put together from variables"),
    ],
)
def test_values_of_variables_are_not_copied(written, why):
    """The port stays inside instead: published elsewhere it works as well."""
    service = {"command": ["x", "--port", "5570", "--password", "hunter2"]}
    found = moved(service, written={"command": written}, env={"OPTIONS": "--port 5570 --password hunter2"})
    assert (found.targets, found.changes) == ({}, {})
    assert why in found.notes[0]
    assert "hunter2" not in repr(found)


def test_a_secret_is_not_copied():
    """The port stays inside, which is a warning, with what to do about it."""
    service = {"command": ["x", "--port", "5570", "--password", "hunter2"]}
    found = moved(service)
    assert (found.targets, found.changes, found.notes) == ({}, {}, [])
    assert "looks as if it held a secret" in found.warnings[0]
    assert "--also command" in found.warnings[0]
    assert "hunter2" not in repr(found)
    assert moved(service, also=("command",)).changes["command"].written[2] == "20001"


def test_a_command_with_short_flags_is_no_secret():
    """`python3 -u FILE --port 5570` moves."""
    found = moved({"command": ["python3", "-u", "/app/srv.py", "--port", "5570"]})
    assert found.changes["command"].written == ("python3", "-u", "/app/srv.py", "--port", "20001")
    assert found.warnings == []


def test_a_variable_from_an_env_file_is_set_anew():
    """The model before interpolation does not have it; a bare number or address can be written down."""
    service = {"environment": {"PORT": "5570", "BIND": "tcp://0.0.0.0:5570", "OPTS": "--port 5570 --key k"}}
    found = moved(service, written={"environment": ["OTHER=1"]})
    assert (found.targets, found.changes) == ({}, {})  # OPTS cannot be written without --key
    del service["environment"]["OPTS"]
    found = moved(service, written={"environment": ["OTHER=1"]})
    assert {c.key: c.written for c in found.changes.values()} == {
        "environment.BIND": ("tcp://0.0.0.0:20001",),
        "environment.PORT": ("20001",),
    }
