"""How the docker library is asked for a client: TLS is handed on, and what it lacks for SSH is said."""

from __future__ import annotations

from typing import Any

import docker
import docker.errors
import pytest
from docker.tls import TLSConfig

from cutover.engine.address import EngineAddress
from cutover.engine.daemon import Daemon
from cutover.errors import EngineError

REMOTE = "tcp://192.0.2.9:2376"


@pytest.mark.parametrize("tls", [TLSConfig(verify=True), None])
def test_tls_is_handed_on(tls: TLSConfig | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the address has none, none is asked for."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(docker, "DockerClient", lambda **options: asked.update(options))
    Daemon(EngineAddress(REMOTE, tls=tls))
    assert (asked["base_url"], asked["tls"] or None) == (REMOTE, tls)


def test_ssh_without_paramiko_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own words are the evidence."""
    monkeypatch.delattr("docker.api.client.SSHHTTPAdapter", raising=False)
    with pytest.raises(EngineError) as caught:
        Daemon(EngineAddress("ssh://me@192.0.2.9"))
    assert (caught.value.reference, caught.value.hint) == ("ssh-needs-paramiko", "pip install 'cutover[ssh]'")
    assert "paramiko" in caught.value.evidence[0]


def test_another_refusal_of_the_library_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one over SSH that has another cause."""

    def refuse(**_: object) -> None:
        raise docker.errors.DockerException("Invalid bind address format")

    monkeypatch.setattr(docker, "DockerClient", refuse)
    with pytest.raises(EngineError) as caught:
        Daemon(EngineAddress("ssh://me@192.0.2.9"))
    assert caught.value.reference == "engine-refused"
