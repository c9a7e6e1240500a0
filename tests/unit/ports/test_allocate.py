"""Free test ports."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cutover.errors import RefusedError
from cutover.model import Container, ContainerState, PortBinding
from cutover.ports.allocate import HIGHEST, LOWEST, allocate, ephemeral_range


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
