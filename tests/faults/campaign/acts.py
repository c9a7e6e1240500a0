"""What is done to the world while a verb of cutover stands still: as an Engine, an administrator or a kernel would."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.campaign.worlds import World

PAUSED_S = 3.0
GONE_S = 1.0
COMMENT = "# edited by hand\n"
HOG = "import mmap; [mmap.mmap(-1, 1 << 22).write(b'x' * (1 << 22)) for _ in range(4096)]"


@dataclass
class Deed:
    """One act: what is done, and what takes it back before the recovery, as whoever did it would."""

    world: World
    name: str
    later: list[threading.Thread] = field(default_factory=list)
    put_back: Callable[[], None] | None = None
    """What a person does once told that their own edit is in the way."""

    @property
    def is_for_hands(self) -> bool:
        """Say whether the recovery may ask for the person who did it."""
        return self.name in FOR_HANDS

    def do(self) -> None:
        """Do it."""
        DEEDS[self.name](self)

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Wait for what comes later, and take back, after the block, what a recovery cannot know of: an edit."""
        for thread in self.later:
            thread.join()
        yield
        if self.put_back is not None:
            self.put_back()


def _containers(deed: Deed, *services: str) -> list[str]:
    found = [deed.world.rig.container(s) for s in services]
    return [c["Id"] for c in found if c is not None and c["State"]["Running"]]


def _edges(deed: Deed) -> list[str]:
    label = f"--filter=label=io.cutover.project={deed.world.rig.project}"
    return _docker("ps", "-q", label).split()


def _of(deed: Deed, services: tuple[str, ...]) -> list[str]:
    """Return the containers of services, or of the edge where none is named."""
    return _containers(deed, *services) if services else _edges(deed)


def _docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=60).stdout


def _kill(*services: str) -> Callable[[Deed], None]:
    def act(deed: Deed) -> None:
        for container in _of(deed, services):
            _docker("kill", container)

    return act


def _crash(*services: str) -> Callable[[Deed], None]:
    """Kill the process and not the container: its restart policy brings it back."""

    def act(deed: Deed) -> None:
        for container in _of(deed, services):
            pid = int(_docker("inspect", "--format={{.State.Pid}}", container) or 0)
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    return act


def _remove(*services: str) -> Callable[[Deed], None]:
    def act(deed: Deed) -> None:
        for container in _containers(deed, *services):
            _docker("rm", "-f", container)

    return act


def _pause(*services: str) -> Callable[[Deed], None]:
    def act(deed: Deed) -> None:
        paused = _of(deed, services)
        for container in paused:
            _docker("pause", container)
        _later(deed, PAUSED_S, lambda: [_docker("unpause", c) for c in paused])

    return act


def _oom(*services: str) -> Callable[[Deed], None]:
    """Have the kernel find no memory for the container, and take its first process."""

    def act(deed: Deed) -> None:
        for container in _of(deed, services):
            pid = int(_docker("inspect", "--format={{.State.Pid}}", container) or 0)
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/oom_score_adj").write_text("1000")
                _docker("update", "--memory=96m", "--memory-swap=96m", container)
                _docker("exec", container, "python3", "-c", HOG)
                _docker("update", "--memory=4g", "--memory-swap=4g", container)

    return act


def _remove_network(deed: Deed) -> None:
    name = f"0-cutover-{deed.world.rig.project}"
    for container in _docker("network", "inspect", "--format={{range .Containers}}{{.Name}} {{end}}", name).split():
        _docker("network", "disconnect", "-f", name, container)
    _docker("network", "rm", name)


def _edit(deed: Deed) -> None:
    """Add a line, and see in the end that it was not lost."""
    file = deed.world.rig.file
    with file.open("a") as edited:
        edited.write(COMMENT)

    def put_back() -> None:
        text = file.read_text()
        assert text.endswith(COMMENT), "the edit was lost"
        file.write_text(text.removesuffix(COMMENT))

    deed.put_back = put_back


def _edit_ports(deed: Deed) -> None:
    """Give whoever has the legacy port another one."""
    file, port = deed.world.rig.file, f"{deed.world.rig.http}:6570"
    other = f"{deed.world.rig.http + 20000}:6570"
    before = file.read_text()
    file.write_text(before.replace(port, other))

    def put_back() -> None:
        text = file.read_text()
        assert port not in before or other in text, "the edit was lost"
        file.write_text(text.replace(other, port))

    deed.put_back = put_back


def _delete_file(deed: Deed) -> None:
    """Move the file away, and back where nobody has put it back meanwhile."""
    file = deed.world.rig.file
    away = file.with_suffix(".away")
    file.rename(away)

    def put_back() -> None:
        away.unlink() if file.exists() else away.rename(file)

    deed.put_back = put_back


def _hide_file(deed: Deed) -> None:
    """Make it unreadable, for root too: there is a folder in its place."""
    _delete_file(deed)
    file, put_file_back = deed.world.rig.file, deed.put_back
    assert put_file_back is not None
    file.mkdir()

    def put_back() -> None:
        if file.is_dir():
            file.rmdir()
        put_file_back()

    deed.put_back = put_back


def _later(deed: Deed, seconds: float, act: Callable[[], object]) -> None:
    deed.later.append(threading.Timer(seconds, act))
    deed.later[-1].start()


def _stop_engine(number: int) -> Callable[[Deed], None]:
    def act(deed: Deed) -> None:
        engine = deed.world.engine
        assert engine is not None
        engine.stop(number)
        _later(deed, GONE_S, engine.start)

    return act


def _another(verb: str) -> Callable[[Deed], None]:
    def act(deed: Deed) -> None:
        told = deed.world.run(deed.world.command(verb))
        assert told.code == 1, f"two at once: {told}"
        assert "lock-held" in told.err, told

    return act


DEEDS: dict[str, Callable[[Deed], None]] = {
    "engine-stopped": _stop_engine(signal.SIGTERM),
    "engine-killed": _stop_engine(signal.SIGKILL),
    "green-killed": _kill("old"),
    "blue-killed": _kill("new"),
    "green-crashed": _crash("old"),
    "blue-crashed": _crash("new"),
    "green-removed": _remove("old"),
    "blue-removed": _remove("new"),
    "both-paused": _pause("old", "new"),
    "green-oom": _oom("old"),
    "blue-oom": _oom("new"),
    "edge-killed": _kill(),
    "edge-crashed": _crash(),
    "edge-paused": _pause(),
    "edge-oom": _oom(),
    "park-network-removed": _remove_network,
    "edited-by-hand": _edit,
    "ports-edited": _edit_ports,
    "file-deleted": _delete_file,
    "file-unreadable": _hide_file,
    "second-swap": _another("swap"),
    "second-rollback": _another("rollback"),
    "second-recover": _another("recover"),
}
FOR_HANDS = {"ports-edited", "file-deleted", "file-unreadable"}
"""After these the recovery may say that the file has to be put back first: exit code 1 or 4, and nothing is lost."""
