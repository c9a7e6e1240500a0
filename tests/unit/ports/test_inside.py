"""Listeners inside a container: from a made-up `/proc`, by `exec`, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cutover.errors import EngineError
from cutover.model import Container, ContainerState
from cutover.ports.inside import Source, look_inside, sockets_of

ID = "2ff189cc55f590ced0070208fc7636bd74a28262f4a0d5aa6270ad295b37459b"
TABLE = (Path(__file__).parents[2] / "recorded" / "proc" / "echo-listening.txt").read_text()
CONTAINER = Container(ID, "green", "shop", "manager", ContainerState.RUNNING, pid=4242)


def _process(proc: Path, pid: int, cgroup: str, *, sockets: Sequence[int] = (), network: str = "net:[7]") -> Path:
    folder = proc / str(pid)
    for name in ("net", "fd", "ns"):
        (folder / name).mkdir(parents=True)
    (folder / "cgroup").write_text(cgroup)
    (folder / "mountinfo").write_text("")
    (folder / "cmdline").write_bytes(b"python3\0serve.py\0--password=hunter2\0")
    (folder / "net" / "tcp").write_text(TABLE)
    (folder / "ns" / "net").symlink_to(network)
    for number, inode in enumerate(sockets):
        (folder / "fd" / str(number)).symlink_to(f"socket:[{inode}]")
    return folder


def test_proc_shows_listeners_and_their_owners(tmp_path: Path) -> None:
    """The first process need not be the one that listens; passwords in its command line are masked."""
    _process(tmp_path, 4242, f"9:pids:/docker/{ID}\n")
    _process(tmp_path, 4250, f"0::/system.slice/docker-{ID}.scope\n", sockets=[178536, 178538])
    _process(tmp_path, 1, "0::/init.scope\n", sockets=[178539])
    inside = look_inside(CONTAINER, proc=tmp_path)
    assert inside.source is Source.PROC
    owners = {(x.port, x.protocol.value): (x.pid, x.command) for x in inside.listeners}
    owner = (4250, "python3 serve.py --password=***")
    assert owners == {
        (7000, "tcp"): owner,
        (7001, "tcp"): owner,
        (7002, "tcp"): (None, None),
        (7000, "udp"): (None, None),
    }


def test_mounts_prove_the_container_where_the_cgroup_is_hidden(tmp_path: Path) -> None:
    """A private cgroup namespace may show `0::/`; Docker's own mounts still name the container."""
    folder = _process(tmp_path, 4242, "0::/\n")
    assert look_inside(CONTAINER, proc=tmp_path).source is Source.NONE
    (folder / "mountinfo").write_text(f"812 801 254:0 /var/lib/docker/containers/{ID}/hosts /etc/hosts rw\n")
    assert look_inside(CONTAINER, proc=tmp_path).source is Source.PROC


def test_a_foreign_process_is_not_believed(tmp_path: Path) -> None:
    """The same number on another machine, or in another PID namespace, is somebody else."""
    _process(tmp_path, 4242, "9:pids:/user.slice\n", sockets=[178536])
    inside = look_inside(CONTAINER, proc=tmp_path)
    assert (inside.source, inside.listeners) == (Source.NONE, ())
    assert inside.reason == "process 4242 on this machine is not of green"
    assert sockets_of(CONTAINER, proc=tmp_path) is None


def test_a_container_without_an_id_is_never_found(tmp_path: Path) -> None:
    """An empty id is in every text: it must not make every process the container's."""
    _process(tmp_path, 4242, f"9:pids:/docker/{ID}\n")
    nameless = Container("", "green", "shop", "manager", ContainerState.RUNNING, pid=4242)
    assert look_inside(nameless, proc=tmp_path).source is Source.NONE


def test_on_the_host_network_only_its_own_listeners_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`network_mode: host` shows the whole host's table; what other processes hold is not the container's."""
    monkeypatch.setattr("os.getpid", lambda: 77)
    _process(tmp_path, 77, "0::/\n")
    _process(tmp_path, 4242, f"9:pids:/docker/{ID}\n", sockets=[178536])
    inside = look_inside(CONTAINER, proc=tmp_path)
    assert [(x.port, x.pid) for x in inside.listeners] == [(7000, 4242)]


def test_exec_is_the_second_choice(tmp_path: Path) -> None:
    """Where `/proc` says nothing, `cat` inside does, and the reason is kept."""
    asked: list[Sequence[str]] = []

    def run_inside(argv: Sequence[str]) -> bytes:
        asked.append(argv)
        return TABLE.encode()

    inside = look_inside(CONTAINER, run_inside=run_inside, proc=tmp_path)
    assert (inside.source, len(inside.listeners)) == (Source.EXEC, 4)
    assert inside.reason.endswith("4242 cannot be read: No such file or directory")
    assert asked == [("cat", "/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6")]


def test_exec_without_ipv6_is_tried_again(tmp_path: Path) -> None:
    """`cat` fails as a whole if one table is missing: then TCP alone is asked for."""

    def run_inside(argv: Sequence[str]) -> bytes:
        if "/proc/net/tcp6" in argv:
            raise EngineError("exec-failed", "exit code 1")
        return TABLE.encode()

    assert look_inside(CONTAINER, run_inside=run_inside, proc=tmp_path).source is Source.EXEC


def test_nothing_can_be_read(tmp_path: Path) -> None:
    """An image without `cat` on a remote Engine: both reasons are told."""

    def run_inside(_: Sequence[str]) -> bytes:
        raise EngineError("exec-failed", "cat: not found")

    inside = look_inside(CONTAINER, run_inside=run_inside, proc=tmp_path)
    assert inside.source is Source.NONE
    assert inside.reason.endswith("No such file or directory; `cat` inside failed: cat: not found")
    told = look_inside(CONTAINER, run_inside=lambda _: b"OCI runtime exec failed", proc=tmp_path)
    assert told.reason.endswith("showed no socket table")


def test_a_stopped_container_has_nothing_inside(tmp_path: Path) -> None:
    """Nobody is asked, and the state is told."""
    stopped = Container(ID, "green", "shop", "manager", ContainerState.EXITED)
    assert look_inside(stopped, proc=tmp_path).reason == "green is exited, not running"
