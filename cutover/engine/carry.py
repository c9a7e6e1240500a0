"""Helper containers that carry bytes: a command on a volume, its output or its input streamed.

The command runs under a shell that watches its standard input: when the connection to it ends, because cutover ended,
whatever it died of, the command is killed and the container goes. The bytes take a FIFO where the Engine is on this
machine, else that connection.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from docker.types import LogConfig, Mount

from cutover.engine.daemon import Daemon
from cutover.engine.fifo import Fifo
from cutover.engine.frames import STDOUT, Frames
from cutover.engine.helpers import POLL_S, PROJECT_LABEL, ROLE_LABEL, own_socket, remove_helper, surroundings
from cutover.engine.translate import translated
from cutover.errors import EngineError

PLACE = "/cutover-volume"
"""Where a helper sees the volume. No image has such a folder, and `nocopy` keeps Docker from filling the volume."""
PIPE = "/cutover-pipe"
CHUNK_BYTES = 1 << 20
SILENCE_S = 600.0
"""How long a command may neither tell nor take anything: a disk that answers is quicker."""
END_S = 5.0
_STATUS = re.compile(rb"(?:^|\n)cutover-status (\d+)\n?$")
_NOISE_BYTES = 1 << 16
WATCHED = (
    'exec 3<&0; "$@" <{source} >{target} 3<&- & job=$!; (read -r _ <&3; kill -9 "$job") >/dev/null 2>&1 & '
    'wait "$job"; echo "cutover-status $?" >&2'
)
"""A shell gives its background jobs /dev/null as standard input, hence the third descriptor."""
FED = '"$@"; echo "cutover-status $?" >&2'
"""What is watched is what the command reads: it comes to the end when the connection does."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a carrying helper does: `argv` on `volume` (None: on none), from `image`; `fed` where it reads its input."""

    project: str
    image: str
    argv: tuple[str, ...]
    role: str = "carry"
    volume: str | None = None
    writes: bool = False
    fed: bool = False
    capabilities: tuple[str, ...] = ()


class Carrier:
    """A running errand, as long as the connection to it is open; its container is gone after `with`.

    `direct` says whether the bytes may take a FIFO; None: where that can be had.
    """

    def __init__(self, daemon: Daemon, errand: Errand, *, direct: bool | None = None) -> None:
        self.errand = errand
        self._daemon = daemon
        self._fifo = Fifo(fed=errand.fed) if (can_share(daemon) if direct is None else direct) else None
        try:
            self._id, self._channel = self._started()
        except BaseException:
            if self._fifo:
                self._fifo.close()
            raise
        self._frames = Frames()
        self._noise = b""

    def _started(self) -> tuple[str, socket.socket]:
        """Start the container; without the FIFO where the Engine does not find it, as one with a /tmp of its own."""
        if self._fifo is None:
            return _start(self._daemon, self.errand, None)
        try:
            return _start(self._daemon, self.errand, self._fifo)
        except EngineError:
            self._fifo.close()
            self._fifo = None
            return _start(self._daemon, self.errand, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.hang_up()
        self._channel.close()
        if self._fifo:
            self._fifo.close()
        remove_helper(self._daemon, self._id)

    def hang_up(self) -> None:
        """End the connection: the command is killed where it still runs, and whoever reads its output is let go."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)

    def chunks(self) -> Iterator[bytes]:
        """Yield what the command writes, in pieces of about CHUNK_BYTES, until it ended.

        Raises:
            EngineError: nothing came for SILENCE_S.

        """
        ready = bytearray()
        for content in self._received() if self._fifo is None else self._drawn(self._fifo.descriptor):
            if not ready and len(content) >= CHUNK_BYTES // 2:
                yield content
                continue
            ready += content
            if len(ready) >= CHUNK_BYTES // 2:
                yield bytes(ready)
                ready.clear()
        if ready:
            yield bytes(ready)

    def _received(self) -> Iterator[bytes]:
        while (content := self._hear(SILENCE_S)) is not None:
            yield content

    def _drawn(self, descriptor: int) -> Iterator[bytes]:
        """Read the FIFO to its end, and what comes over the connection meanwhile."""
        poll = _polled({descriptor: select.POLLIN, self._channel.fileno(): select.POLLIN})
        connected = True
        while connected:
            events = self._waited(poll)
            if self._channel.fileno() in events:
                connected = self._hear(0) is not None
            if descriptor in events:
                content = _read(descriptor)
                if content == b"":
                    return
                yield content or b""
        while content := _read(descriptor):  # its container is gone: what is in the pipe is the rest
            yield content

    def feed(self, chunks: Iterable[bytes | memoryview]) -> None:
        """Give the command its input, all of it.

        Raises:
            EngineError: it ended before, or took nothing for SILENCE_S.

        """
        descriptor = self._way_in()
        os.set_blocking(descriptor, False)
        poll = _polled({self._channel.fileno(): select.POLLIN})
        poll.register(descriptor, select.POLLOUT | (select.POLLIN if self._fifo is None else 0))
        try:
            for chunk in chunks:
                left = memoryview(chunk)
                while left:
                    events = self._waited(poll)
                    if events.get(self._channel.fileno(), 0) & ~select.POLLOUT and self._hear(0) is None:
                        raise self._failed("it ended before it had taken everything")
                    if events.get(descriptor, 0) & select.POLLOUT:
                        left = left[_write(descriptor, left) :]
                    elif descriptor in events and self._fifo is not None:
                        raise BrokenPipeError("it reads no more")
        except OSError as error:
            self._listen()
            raise self._failed(f"it took no more: {error}") from error
        if self._fifo is None:
            self._channel.shutdown(socket.SHUT_WR)
        else:
            self._fifo.end()

    def _way_in(self) -> int:
        if self._fifo is None:
            return self._channel.fileno()
        while not self._fifo.opened_by_reader():
            if select.select([self._channel], [], [], POLL_S)[0] and self._hear(0) is None:
                raise self._failed("it ended before it read anything")
        return self._fifo.descriptor

    def _waited(self, poll: select.poll) -> dict[int, int]:
        events = dict(poll.poll(SILENCE_S * 1000))
        if not events:
            raise self._failed(f"nothing moved for {SILENCE_S:g} s")
        return events

    def end(self, may: frozenset[int] = frozenset({0})) -> list[str]:
        """Wait for the command to end and return what it wrote on standard error, a line each.

        Raises:
            EngineError: it ended with a status that is not in `may`, or was killed.

        """
        while self._hear(SILENCE_S) is not None:
            pass
        found = _STATUS.search(self._noise)
        if found is None:
            raise self._failed("its container was killed")
        if int(found[1]) not in may:
            raise self._failed(f"it ended with status {int(found[1])}")
        return self._said()

    def _listen(self) -> None:
        """Hear its last words, where it is about to end."""
        with contextlib.suppress(EngineError):
            while self._hear(END_S) is not None:
                pass

    def _said(self) -> list[str]:
        text = _STATUS.sub(b"", self._noise).decode(errors="replace")
        return [line for line in text.splitlines() if line.strip()]

    def _failed(self, why: str) -> EngineError:
        where = f" on volume {self.errand.volume}" if self.errand.volume else ""
        what = f"`{self.errand.argv[0]}` in a helper container{where} did not do its work."
        return EngineError("helper-failed", what, evidence=[why, *self._said()[-8:]])

    def _hear(self, timeout_s: float) -> bytes | None:
        """Return what came over the connection on standard output, None where it ended; the rest is kept as noise."""
        if not select.select([self._channel], [], [], timeout_s)[0]:
            if timeout_s == 0:
                return b""
            raise self._failed(f"it said nothing for {timeout_s:g} s")
        try:
            received = self._channel.recv(CHUNK_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            received = b""
        if not received:
            return None
        content = bytearray()
        for stream, piece in self._frames.taken(received):
            if stream == STDOUT:
                content += piece
            else:
                self._noise = (self._noise + piece)[-_NOISE_BYTES:]
        return bytes(content)


def run_errand(daemon: Daemon, errand: Errand) -> tuple[bytes, list[str]]:
    """Run an errand to its end and return what it wrote on standard output and error; for short answers.

    Raises:
        EngineError: the Engine refuses, or the command failed.

    """
    with Carrier(daemon, errand, direct=False) as carrier:
        said = b"".join(carrier.chunks())
        return said, carrier.end()


def can_share(daemon: Daemon) -> bool:
    """Say whether a container of this Engine can be given a FIFO of this machine's."""
    if not daemon.address.url.startswith("unix://"):
        return False
    where = surroundings(daemon)
    return not (where.rootless or where.remapped or where.labelled or "Docker Desktop" in where.system)


def _polled(descriptors: dict[int, int]) -> select.poll:
    poll = select.poll()
    for descriptor, events in descriptors.items():
        poll.register(descriptor, events)
    return poll


def _read(descriptor: int) -> bytes | None:
    """Return what is in a pipe, b"" at its end, None where nothing is there yet."""
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except BlockingIOError:
        return None


def _write(descriptor: int, content: memoryview) -> int:
    try:
        return os.write(descriptor, content)
    except BlockingIOError:
        return 0


def _script(errand: Errand, fifo: Fifo | None) -> str:
    if fifo is None:
        return FED if errand.fed else WATCHED.format(source="/dev/null", target="/dev/stdout")
    ends = {"source": PIPE, "target": "/dev/null"} if errand.fed else {"source": "/dev/null", "target": PIPE}
    return WATCHED.format(**ends)


def _start(daemon: Daemon, errand: Errand, fifo: Fifo | None) -> tuple[str, socket.socket]:
    """Create, attach, start: the container removes itself when its command ended."""
    api = daemon.api
    host = api.create_host_config(
        auto_remove=True,
        network_mode="none",
        cap_drop=["ALL"],
        cap_add=list(errand.capabilities),
        security_opt=["no-new-privileges"],
        read_only=True,
        binds=[f"{errand.volume}:{PLACE}:{'rw' if errand.writes else 'ro'},nocopy"] if errand.volume else [],
        mounts=[Mount(PIPE, str(fifo.path), type="bind")] if fifo else [],
        log_config=LogConfig(type=LogConfig.types.NONE),
    )
    name = f"cutover-{errand.role}-{secrets.token_hex(4)}"
    with translated(f"Starting the helper container {name}"):
        created = api.create_container(
            errand.image,
            entrypoint=["sh", "-c", _script(errand, fifo), "cutover"],
            command=list(errand.argv),
            name=name,
            user="0:0",
            environment={"LC_ALL": "C"},
            working_dir="/",
            labels={PROJECT_LABEL: errand.project, ROLE_LABEL: errand.role},
            healthcheck={"test": ["NONE"]},
            host_config=host,
            stdin_open=True,
            detach=False,
            use_config_proxy=False,  # it needs no network, and a proxy's URL may hold a password
        )["Id"]
        try:
            params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            channel = own_socket(api.attach_socket(created, params=params))
            api.start(created)
        except BaseException:
            remove_helper(daemon, created)
            raise
    if fifo:
        fifo.hide()
    return created, channel
