"""Listeners of this host, and docker-proxy's command line."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from cutover.model import Listener, Protocol
from cutover.ports.host import ProxyTarget, host_listeners, proxy_target
from cutover.ports.owners import tidy_command

PROXY = "/usr/sbin/docker-proxy -proto tcp -host-ip :: -host-port 5570 -container-ip 172.21.0.6 -container-port 5571"


def test_own_listeners_are_found_with_their_owner() -> None:
    """What this process listens on is on the list, with pid and command; a client's socket is not."""
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.create_connection(tcp.getsockname()) as client,
    ):
        udp.bind(("127.0.0.1", 0))
        found = {(x.address, x.port, x.protocol): x for x in host_listeners()}
        listener = found["127.0.0.1", tcp.getsockname()[1], Protocol.TCP]
        assert listener.pid == os.getpid()
        ours = Path("/proc/self/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        assert listener.command
        assert listener.command in ours
        assert ("127.0.0.1", udp.getsockname()[1], Protocol.UDP) in found
        assert ("127.0.0.1", client.getsockname()[1], Protocol.TCP) not in found


def test_docker_proxy_tells_where_it_leads() -> None:
    """The target stands in its arguments; newer versions add more of them."""
    assert proxy_target(Listener("::", 5570, command=PROXY)) == ProxyTarget("172.21.0.6", 5571)
    assert proxy_target(Listener("::", 5570, command=f"{PROXY} -use-listen-fd")) == ProxyTarget("172.21.0.6", 5571)


@pytest.mark.parametrize("command", [None, "", "vim docker-proxy -container-ip 1.2 -container-port 5", "docker-proxy"])
def test_others_are_no_docker_proxy(command: str | None) -> None:
    """Only the program itself counts, not its name among the arguments."""
    assert proxy_target(Listener("::", 5570, command=command)) is None


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["serve", "--password", "hunter2", "-v"], "serve --password *** -v"),
        (["serve", "--api-key=hunter2"], "serve --api-key=***"),
        (["serve", "--token", "--port", "1"], "serve --token --port 1"),
        (["x" * 500], "x" * 400),
    ],
)
def test_commands_are_bounded_and_masked(arguments: list[str], shown: str) -> None:
    """A command line goes into reports: no passwords, no pages."""
    assert tidy_command(arguments) == shown
