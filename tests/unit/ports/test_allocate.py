"""Free test ports."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cutover.errors import RefusedError
from cutover.model import Container, ContainerState, PortBinding
from cutover.ports.allocate import HIGHEST, LOWEST, allocate, ephemeral_range, hold


def _proc(folder: Path, low: int, high: int) -> Path:
    file = folder / "sys/net/ipv4/ip_local_port_range"
    file.parent.mkdir(parents=True)
    file.write_text(f"{low}\t{high}\n")
    return folder


def test_ports_are_distinct_ordered_and_the_same_every_time() -> None:
    """Asking twice gives the same answer, once the first is released."""
    with allocate(4, base=21500) as first:
        assert len(set(first.ports)) == 4
        assert list(first.ports) == sorted(first.ports)
        low, high = ephemeral_range()
        assert not any(low <= port <= high for port in first.ports)
    with allocate(4, base=21500) as again:
        assert again.ports == first.ports


def test_held_ports_cannot_be_taken_until_released() -> None:
    """Between the choice and its use nobody gets in; afterwards Docker can."""
    with allocate(1, base=21600) as first:
        (port,) = first.ports
        with allocate(1, base=21600) as second:
            assert second.ports != first.ports
        with pytest.raises(OSError, match="in use"), socket.create_server(("127.0.0.1", port)):
            pass
        first.release()
        with socket.create_server(("0.0.0.0", port)) as taken:
            assert taken.getsockname()[1] == port


@pytest.mark.parametrize(
    ("family", "kind", "host"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
        (socket.AF_INET6, socket.SOCK_STREAM, "::1"),
        (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
    ],
)
def test_a_port_that_somebody_bound_is_passed_over(family: int, kind: int, host: str) -> None:
    """Any family, any protocol, on any address: it is taken."""
    with allocate(1, base=21700) as free:
        (port,) = free.ports
    with socket.socket(family, kind) as holder:
        holder.bind((host, port))
        with allocate(1, base=port) as found:
            assert found.ports != (port,)


def test_ports_of_stopped_containers_are_passed_over() -> None:
    """A stopped container that wants a port would fail to start: its port is not free."""
    with allocate(2, base=21800) as free:
        one, two = free.ports
    wants = Container("i", "old", "p", "s", ContainerState.EXITED, wanted=(PortBinding("", one, 1),))
    with allocate(1, base=one, containers=[wants], taken=[two]) as found:
        assert found.ports[0] > two


def test_ephemeral_ports_are_the_last_choice(tmp_path: Path) -> None:
    """The kernel may give them to any client at any moment; they are taken only when all else is."""
    proc = _proc(tmp_path, 21910, 22910)
    with allocate(1, base=21910, proc=proc) as found:
        assert not 21910 <= found.ports[0] <= 22910
    everything_else = [port for port in range(LOWEST, HIGHEST + 1) if not 21910 <= port <= 22910]
    with allocate(1, base=21910, proc=proc, taken=everything_else) as found:
        assert 21910 <= found.ports[0] <= 22910


def test_too_many_are_refused() -> None:
    """The error says how many there are, and holds nothing back."""
    spare = 21990
    with pytest.raises(RefusedError, match=r"but there are only [01]\."):
        allocate(2, base=spare, taken=[port for port in range(LOWEST, HIGHEST + 1) if port != spare])
    with allocate(1, base=spare) as found:
        assert found.ports


def test_the_kernels_range_has_a_default(tmp_path: Path) -> None:
    """Where `/proc` is not there, the usual range counts."""
    assert ephemeral_range(tmp_path) == (32768, 60999)
    assert ephemeral_range(_proc(tmp_path, 1, 2)) == (1, 2)


def test_a_reserved_port_is_kept_from_every_other_cutover_until_it_is_closed() -> None:
    """Between the release and Docker's own bind the port is free to bind, and taken for everybody who asks here."""
    with allocate(1, base=21600) as first:
        first.release()
        with allocate(1, base=first.ports[0]) as second:
            assert second.ports[0] > first.ports[0]
        with pytest.raises(RefusedError, match="is not free") as refused:
            hold(first.ports)
        assert refused.value.reference == "port-taken"
        assert f"process {os.getpid()}" in refused.value.evidence[0], "it says who"
    with allocate(1, base=first.ports[0]) as third:
        assert third.ports == first.ports


def test_a_name_dies_with_its_process() -> None:
    """A cutover that was killed keeps nothing."""
    code = (
        "import signal, sys; from cutover.ports.allocate import allocate; free = allocate(1, base=22100); "
        "free.release(); print(free.ports[0], flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        port = int(holder.stdout.readline())
        with pytest.raises(RefusedError) as refused:
            hold([port])
        assert f"process {holder.pid}" in refused.value.evidence[0]
        holder.kill()
    with hold([port]) as held:
        assert held.ports == (port,)


def test_holding_names_who_has_the_port() -> None:
    """A process of the host, or the container that publishes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(RefusedError) as refused:
            hold([port])
        assert str(os.getpid()) in refused.value.evidence[0]
        binding = PortBinding("127.0.0.1", port, 5570)
        green = Container("i", "shop-old-1", "shop", "old", ContainerState.RUNNING, published=(binding,))
        with pytest.raises(RefusedError) as refused:
            hold([binding], containers=[green])
        assert "container shop-old-1 (service old)" in refused.value.evidence[0]
        with hold([PortBinding("127.0.0.2", port, 5570)]) as elsewhere:
            assert elsewhere.ports == (port,), "another address of this machine is another place"
    with hold([port]) as held:
        assert held.ports == (port,)


def test_a_refusal_lets_go_of_what_was_held() -> None:
    """The ports before the one that is taken are free again."""
    with allocate(1, base=22300) as free:
        (first,) = free.ports
    with socket.create_server(("", 0)) as server:
        with pytest.raises(RefusedError):
            hold([first, server.getsockname()[1]])
        with hold([first]) as held:
            assert held.ports == (first,)


def test_a_shortage_of_descriptors_says_nothing_of_the_port() -> None:
    """It is an error, not a port that is taken: 60,000 ports in vain would be the answer."""
    code = (
        "import resource; from cutover.ports.allocate import allocate\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))\n"
        "try:\n    allocate(4)\nexcept OSError as error:\n    print(error.strerror)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "Too many open files\n"


def test_200_stacks_at_once_pick_400_distinct_ports() -> None:
    """Each 'container' binds its ports a while after they were released, as Docker does: nobody gets in between."""
    _room_for_descriptors()
    start, everybody_has_bound = threading.Barrier(200), threading.Barrier(200)

    def stack(_: int) -> tuple[int, ...]:
        start.wait(timeout=60)
        with allocate(2, base=23000) as free, contextlib.ExitStack() as container:
            free.release()
            select.select([], [], [], 0.02)  # what Docker takes from here to its bind
            for port in free.ports:
                sock = container.enter_context(socket.socket())
                sock.bind(("", port))
            free.close()
            everybody_has_bound.wait(timeout=60)
        return free.ports

    with ThreadPoolExecutor(200) as pool:
        picked = [port for ports in pool.map(stack, range(200)) for port in ports]
    assert len(set(picked)) == 400


def _room_for_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
