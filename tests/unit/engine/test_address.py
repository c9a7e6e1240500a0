"""Which Engine is meant: the precedence of the Docker CLI."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from cutover.engine.address import DEFAULT_SOCKET, EngineAddress, resolve
from cutover.errors import UsageError

REMOTE = "ssh://me@gpu1"
FAR = EngineAddress(REMOTE, "far")
ALSO = EngineAddress("tcp://10.0.0.9:2375", "also")


def add_context(config: Path, name: str, host: str) -> Path:
    """Write a Docker context as `docker context create` does, and return its file."""
    folder = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    endpoints = {"docker": {"Host": host, "SkipTLSVerify": False}}
    path = folder / "meta.json"
    path.write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))
    return path


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a Docker configuration folder with two contexts, and an environment that says nothing else."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    for address in (FAR, ALSO):
        add_context(tmp_path, str(address.context), address.url)
    return tmp_path


@pytest.mark.parametrize(
    ("option", "host", "context", "chosen", "expected"),
    [
        (None, None, None, None, EngineAddress(DEFAULT_SOCKET)),
        (None, None, None, "far", FAR),
        (None, None, "also", "far", ALSO),
        (None, "unix:///x.sock", "also", "far", EngineAddress("unix:///x.sock")),
        ("far", "unix:///x.sock", "also", "also", FAR),
        ("default", None, "also", "far", EngineAddress(DEFAULT_SOCKET)),
        ("default", "unix:///x.sock", None, "far", EngineAddress("unix:///x.sock")),
        (None, None, "default", "far", EngineAddress(DEFAULT_SOCKET)),
        (None, "", "", "far", FAR),
    ],
)
def test_precedence(  # noqa: PLR0917
    option: str | None,
    host: str | None,
    context: str | None,
    chosen: str | None,
    expected: EngineAddress,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`--context`, then DOCKER_HOST, then DOCKER_CONTEXT, then what `docker context use` chose, then the socket."""
    for name, value in (("DOCKER_HOST", host), ("DOCKER_CONTEXT", context)):
        if value is not None:
            monkeypatch.setenv(name, value)
    if chosen:
        (config / "config.json").write_text(json.dumps({"currentContext": chosen}))
    assert resolve(option) == expected


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # docker-py leaves the files open
@pytest.mark.parametrize("where", ["option", "environment", "config"])
def test_a_context_that_does_not_exist(where: str, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever named it: refused, with those that there are, and never another Engine instead."""
    if where == "environment":
        monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    if where == "config":
        (config / "config.json").write_text('{"currentContext": "gone"}')
    with pytest.raises(UsageError, match="no Docker context named 'gone'") as caught:
        resolve("gone" if where == "option" else None)
    assert caught.value.reference == "unknown-context"
    assert caught.value.evidence == ("contexts: also, default, far",)


def test_a_context_that_cannot_be_read(config: Path) -> None:
    """Told in our words."""
    add_context(config, "bad", "").write_text("{")
    with pytest.raises(UsageError) as caught:
        resolve("bad")
    assert (caught.value.reference, caught.value.hint) == ("context-unreadable", "docker context inspect bad")


@pytest.mark.parametrize(
    ("url", "local", "host"),
    [
        (DEFAULT_SOCKET, True, "127.0.0.1"),
        ("unix:///run/user/1000/docker.sock", True, "127.0.0.1"),
        ("tcp://10.0.0.9:2375", False, "10.0.0.9"),
        ("tcp://127.0.0.1:2375", False, "127.0.0.1"),
        ("ssh://me@gpu1:2222", False, "gpu1"),
        ("tcp://[::1]:2375", False, "::1"),
    ],
)
def test_where_published_ports_appear(url: str, local: bool, host: str) -> None:
    """And whether `/proc` of this machine is the Engine's own; behind TCP that cannot be known."""
    address = EngineAddress(url)
    assert (address.local, address.host) == (local, host)


TCP = "tcp://192.0.2.9:2376"


def add_certificates(folder: Path) -> Path:
    """Write the three files that Docker looks for; what is in them matters to nobody here."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (folder / name).write_text("secret")
    return folder


@pytest.mark.parametrize(
    ("host", "environment", "verify"),
    [
        (TCP, {"DOCKER_TLS_VERIFY": "1"}, True),
        (TCP, {"DOCKER_TLS_VERIFY": "0"}, True),
        (TCP, {"DOCKER_TLS": "1"}, False),
        (TCP, {"DOCKER_TLS": "1", "DOCKER_TLS_VERIFY": ""}, False),
        (TCP, {"DOCKER_TLS_VERIFY": ""}, None),
        (TCP, {}, None),
        ("unix:///x.sock", {"DOCKER_TLS_VERIFY": "1"}, None),
        ("ssh://me@gpu1", {"DOCKER_TLS_VERIFY": "1"}, None),
    ],
)
@pytest.mark.parametrize("option", [None, "default"])
def test_tls_of_the_environment(  # noqa: PLR0917
    host: str,
    environment: dict[str, str],
    verify: bool | None,
    option: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the Docker CLI reads it: DOCKER_CERT_PATH says where the files are, and asks for nothing by itself."""
    folder = add_certificates(tmp_path / "certificates")
    for name, value in {"DOCKER_HOST": host, "DOCKER_CERT_PATH": str(folder), **environment}.items():
        monkeypatch.setenv(name, value)
    tls = resolve(option).tls
    assert (tls and tls.verify) is verify
    if tls:
        assert tls.cert == (str(folder / "cert.pem"), str(folder / "key.pem"))
        assert tls.ca_cert == str(folder / "ca.pem")


def test_tls_files_are_looked_for_in_the_configuration(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where DOCKER_CERT_PATH names no other folder; without them nothing is tried unencrypted instead."""
    monkeypatch.setenv("DOCKER_HOST", TCP)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    with pytest.raises(UsageError) as caught:
        resolve()
    assert (caught.value.reference, str(config) in caught.value.message) == ("tls-unreadable", True)
    assert "DOCKER_CERT_PATH" in (caught.value.hint or "")
    add_certificates(config)
    tls = resolve().tls
    assert tls is not None
    assert tls.ca_cert == str(config / "ca.pem")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_of_a_context(config: Path) -> None:
    """A context brings its own, and the address does not show it."""
    folder = add_certificates(config / "contexts" / "tls" / hashlib.sha256(b"also").hexdigest() / "docker")
    address = resolve("also")
    assert address.tls is not None
    assert (address.tls.verify, address.tls.ca_cert) == (True, str(folder / "ca.pem"))
    assert "pem" not in repr(address)
    assert "tls" not in repr(address)
    assert resolve("far").tls is None
