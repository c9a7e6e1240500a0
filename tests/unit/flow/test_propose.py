"""What `init` proposes for projects as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cutover import config
from cutover.config import Settings
from cutover.errors import RefusedError, UsageError
from cutover.flow.propose import Proposal, _quoted, propose, rendered, write_settings
from cutover.model import Container, ContainerState


def service(*ports: str, test: list[str] | None = None) -> dict[str, Any]:
    """Return a service of Compose's model: ports as `published:target[/protocol]`, a healthcheck's command."""
    entries = []
    for port in ports:
        numbers, _, protocol = port.partition("/")
        published, _, target = numbers.partition(":")
        entries.append({"published": published, "target": int(target), "protocol": protocol or "tcp"})
    return {"ports": entries, **({"healthcheck": {"test": test}} if test else {})}


def running(*names: str) -> list[Container]:
    """Return a running container of each service."""
    return [Container(n, n, "shop", n, ContainerState.RUNNING) for n in names]


def pair(services: dict[str, Any], *up: str, green: str | None = None, blue: str | None = None) -> tuple[str, str]:
    """Return the two services that are proposed."""
    made = propose(services, running(*up), green, blue)
    return made.green, made.blue


MANAGER = {"manager_agent": service("5570:5570"), "manager_suite": service(), "redis": service("6379:6379")}


def test_the_service_with_ports_and_its_namesake_without() -> None:
    """Names that are most alike; both guesses are explained."""
    made = propose(MANAGER, running(*MANAGER), None, None)
    assert (made.green, made.blue, made.ports) == ("manager_agent", "manager_suite", (5570,))
    assert made.why_green.startswith(" (guessed: it publishes ports")
    assert made.why_blue.startswith(" (guessed: it publishes none of them")


def test_what_was_named_is_not_guessed() -> None:
    """Nor explained."""
    made = propose(MANAGER, running(*MANAGER), "redis", "manager_suite")
    assert (made.green, made.blue, made.why_green, made.why_blue) == ("redis", "manager_suite", "", "")
    assert pair(MANAGER, *MANAGER, blue="manager_agent") != ("manager_agent", "manager_agent")


@pytest.mark.parametrize(
    ("services", "up", "expected"),
    [
        ({"api-v1": service("80:80"), "api-v2": service("81:80")}, ("api-v2",), ("api-v2", "api-v1")),
        ({"api": service("80:80"), "web": service(), "api2": service("82:80")}, ("api",), ("api", "web")),
        (
            {"app": service("80:80"), "app-new": service(), "db": service("5:5"), "db2": service()},
            ("db",),
            ("db", "db2"),
        ),
    ],
)
def test_what_runs_is_green_and_what_publishes_nothing_is_blue(
    services: dict[str, Any], up: tuple[str, ...], expected: tuple[str, str]
) -> None:
    """Running comes first, then ports of its own, then the name."""
    assert pair(services, *up) == expected


@pytest.mark.parametrize(
    ("green", "probes"),
    [
        (service("5570:5570"), ("tcp://:5570",)),
        (service("9000:9000", "5000:5000", "443:443"), ("tcp://:9000", "tcp://:5000", "tcp://:443")),
        (service("1:8000", "2:8888"), ("http://:1/", "http://:2/")),
        (service("8000:80"), ("http://:8000/",)),
        (service("18080:8080", "5570:5570"), ("http://:18080/", "tcp://:5570")),
        (
            service("6571:6570", test=["CMD-SHELL", "curl -f http://localhost:6570/health?x=1 || exit 1"]),
            ("http://:6571/health?x=1",),
        ),
        (service("8080:80", test=["CMD", "wget", "http://127.0.0.1/ready"]), ("http://:8080/ready",)),
        (service("8080:80", test=["CMD", "curl", "http://[::1]"]), ("http://:8080/",)),
        (service("8443:443", test=["CMD", "curl", "-k", "https://localhost/up"]), ("https://:8443/up",)),
        (service("53:53/udp", "53:53"), ("tcp://:53",)),
        (service("53:53/udp"), ()),
        (service("5570:5570", "5570:5570"), ("tcp://:5570",)),
        (service("7000-7001:70", "5570:5570"), ("tcp://:5570",)),
    ],
)
def test_probes(green: dict[str, Any], probes: tuple[str, ...]) -> None:
    """The healthcheck's own URL, HTTP where it is usual, TCP elsewhere; nothing where nothing can be asked."""
    assert propose({"g": green, "b": service()}, [], "g", "b").probes == probes


def test_a_secret_of_a_healthcheck_is_not_proposed() -> None:
    """Compose fills it in from `.env`, and cutover.yaml is a file that goes into git: 0644."""
    check = ["CMD", "curl", "http://localhost:6570/health?token=7hgf34jkl2"]
    green = service("6570:6570", test=check)
    assert propose({"g": green, "b": service()}, [], "g", "b").probes == ("tcp://:6570",)


def test_a_file_name_says_nothing_but_itself() -> None:
    """A newline in it would end the comment, and the rest be read as settings."""
    text = rendered(Proposal("old", "new", (5570,), ()), "shop", ["a\nstrategy: recreate\n#.yaml"])
    assert YAML(typ="safe", pure=True).load(text)["strategy"] == "auto"


@pytest.mark.parametrize(
    ("services", "green", "blue", "reference"),
    [
        ({"a": service(), "b": service()}, None, None, "nothing-published"),
        ({"a": service("7000-7001:70"), "b": service()}, None, None, "nothing-published"),
        ({"a": service("80:80")}, None, None, "no-blue"),
        ({"a": service("80:80"), "b": service()}, "x", None, "unknown-service"),
        ({"a": service("80:80"), "b": service()}, None, "x", "unknown-service"),
        ({"a": service("80:80"), "b": service()}, "a", "a", "no-blue"),
    ],
)
def test_what_cannot_be_proposed(services: dict[str, Any], green: str | None, blue: str | None, reference: str) -> None:
    """With the reason."""
    with pytest.raises(UsageError) as caught:
        propose(services, [], green, blue)
    assert caught.value.reference == reference


@pytest.mark.parametrize(
    "probes",
    [
        ("http://:6570/health", "tcp://:5570"),
        ("http://:6570/health:", "http://:6570/up?expect=#x", "http://:6570/a,b]{c}*&'%40"),
        (),
    ],
)
def test_the_file_says_what_was_proposed(tmp_path: Path, probes: tuple[str, ...]) -> None:
    """Read back by `config`, it holds; every key that there is stands in it."""
    made = Proposal("old", "new", (5570, 6570), probes, " (guessed: because)")
    text = rendered(made, "shop", ["compose.yaml"])
    path = write_settings(tmp_path, text, force=False)
    assert path == tmp_path / "cutover.yaml"
    assert config.load(path) == Settings(green="old", blue="new", ports=(5570, 6570), probes=probes)
    for key in Settings.model_fields:
        assert f"\n{key}:" in text or f"\n# {key}:" in text, key


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
    | st.sampled_from(
        [
            "yes",
            "7",
            "null",
            "a: b",
            "a #b",
            "a:",
            "- a",
            "{",
            '"',
            "'",
            "\\",
            "~",
            "1e3",
            "._",
            "+_",
            "0x_",
            "2001-13-45",
            "=",
            "<<",
            " a",
            "a ",
        ]
    )
)
def test_any_text_is_read_back_from_yaml_as_it_was(text: str) -> None:
    """As an entry of a list and as a value, plain where that is the same."""
    yaml = YAML(typ="safe", pure=True)
    assert yaml.load(f"- {_quoted(text)}\n") == [text]
    assert yaml.load(f"green: {_quoted(text)}\n") == {"green": text}


def test_what_needs_no_quotes_gets_none() -> None:
    """A person reads the file."""
    assert _quoted("http://:6570/health?x=1") == "http://:6570/health?x=1"
    assert (_quoted("old"), _quoted("7"), _quoted("a:")) == ("old", '"7"', '"a:"')


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """Unless it is forced."""
    write_settings(tmp_path, "green: a\n", force=False)
    with pytest.raises(RefusedError, match="exists already") as caught:
        write_settings(tmp_path, "green: b\n", force=False)
    assert caught.value.reference == "already-there"
    assert (tmp_path / "cutover.yaml").read_text() == "green: a\n"
    write_settings(tmp_path, "green: b\n", force=True)
    assert (tmp_path / "cutover.yaml").read_text() == "green: b\n"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """In one sentence."""
    with pytest.raises(RefusedError, match="cannot be written") as caught:
        write_settings(tmp_path / "missing", "green: a\n", force=False)
    assert caught.value.reference == "not-written"


def test_what_it_shows_in_comments_is_valid(tmp_path: Path) -> None:
    """Who takes the comment signs away gets settings that hold."""
    text = rendered(Proposal("old", "new", (5570,), ("tcp://:5570",)), "shop", ["compose.yaml"])
    keys = ("suites", "parity", "surface", "errors", "record", "backup")
    lines = text.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("# suites:"))
    shown = [
        line.removeprefix("# ") if line.startswith(("#   ", *(f"# {k}:" for k in keys))) else line
        for line in lines[first:]
    ]
    path = tmp_path / config.NAME
    path.write_text("\n".join(shown))
    assert set(config.load(path).model_fields_set) == set(keys)
