"""What `docker inspect` tells of a container's ports and end: numbers and names, no other value."""

from __future__ import annotations

from cutover.engine.vitals import PortSetting, vitals_from


def _details(**config: object) -> dict[str, object]:
    return {"State": {"OOMKilled": True, "Error": "no such file"}, "Config": config}


def test_ports_of_the_environment() -> None:
    """By name, or by an address to bind; what is no port, or another service's address, is left out."""
    env = ["AGENT_PORT=9901", "PORT=5571", "BIND=tcp://*:5570", "LISTEN_ADDR=0.0.0.0:8080", "REDIS=redis:6379"]
    env += [
        "SUPPORT=12",
        "PORT_NAME=http",
        "HTTP_PORT=99999",
        "PASSPORT=hunter2",
        "ADDR=redis:6379",
        "PORT",
        "X_PORT=٣",
    ]
    found = vitals_from(_details(Env=env)).settings
    assert found == (
        PortSetting("environment", "AGENT_PORT", 9901),
        PortSetting("environment", "PORT", 5571),
        PortSetting("environment", "BIND", 5570),
        PortSetting("environment", "LISTEN_ADDR", 8080),
    )
    assert "hunter2" not in repr(found)


def test_ports_of_the_command() -> None:
    """`--port 9901`, `--health-port=9902`, `-p 80`, in a shell's one word as well."""
    command = ["sh", "-c", "exec serve --port 9901 --health-port=9902 -p 80 --workers 4 --port"]
    assert [(s.name, s.port) for s in vitals_from(_details(Cmd=command)).settings] == [
        ("--port", 9901),
        ("--health-port", 9902),
        ("-p", 80),
    ]


def test_how_it_ended() -> None:
    """The Engine's own word for a start that failed; a container without a command has no settings."""
    found = vitals_from(_details())
    assert (found.oom_killed, found.error, found.settings) == (True, "no such file", ())
