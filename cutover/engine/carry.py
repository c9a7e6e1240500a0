"""Helper containers that carry bytes: a command on a volume, its output or its input streamed.

The command runs under a shell that is told nothing but watches its standard input: when the connection to it ends,
because cutover ended, whatever it died of, the command is killed and the container goes. Where the command reads its
standard input that end is the end of what it reads.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import select
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from docker.types import LogConfig

from cutover.engine.daemon import Daemon
from cutover.engine.helpers import PROJECT_LABEL, ROLE_LABEL, own_socket, remove_helper
from cutover.engine.translate import translated
from cutover.errors import EngineError

PLACE = "/cutover-volume"
"""Where a helper sees the volume. No image has such a folder, and `nocopy` keeps Docker from filling the volume."""
CHUNK_BYTES = 1 << 20
SILENCE_S = 600.0
"""How long a command may neither tell nor take anything: a disk that answers is quicker."""
_FRAME = struct.Struct(">BxxxL")
_STDOUT = 1
_STATUS = re.compile(rb"(?:^|\n)cutover-status (\d+)\n?$")
_NOISE_BYTES = 1 << 16
WATCHED = (
    'exec 3<&0; "$@" </dev/null 3<&- & job=$!; (read -r _ <&3; kill -9 "$job") >/dev/null 2>&1 & '
    'wait "$job"; echo "cutover-status $?" >&2'
)
"""A shell gives its background jobs /dev/null as standard input, hence the third descriptor."""
FED = '"$@"; echo "cutover-status $?" >&2'


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
    """A running errand, as long as the connection to it is open; its container is gone after `with`."""

    def __init__(self, daemon: Daemon, errand: Errand) -> None:
        self.errand = errand
        self._daemon = daemon
        self._id, self._channel = _start(daemon, errand)
        self._buffer = bytearray()
        self._noise = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        self._channel.close()
        remove_helper(self._daemon, self._id)

    def close(self) -> None:
        """Hang up: the command is killed where it still runs, and whoever reads its output comes to the end."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)

    def chunks(self) -> Iterator[bytes]:
        """Yield what the command writes, in pieces of about CHUNK_BYTES, until it ended.

        Raises:
            EngineError: nothing came for SILENCE_S.

        """
        ready = bytearray()
        while received := self._receive():
            for stream, content in self._frames(received):
                if stream == _STDOUT:
                    ready += content
                else:
                    self._noise = (self._noise + content)[-_NOISE_BYTES:]
            if len(ready) >= CHUNK_BYTES:
                yield bytes(ready)
                ready.clear()
        if ready:
            yield bytes(ready)

    def feed(self, chunks: Iterable[bytes], told: Callable[[int], None] = lambda _: None) -> None:
        """Give the command its input, all of it; `told` hears the length of each piece that was taken.

        Raises:
            EngineError: it ended before, or took nothing for SILENCE_S.

        """
        try:
            self._channel.settimeout(SILENCE_S)
            for chunk in chunks:
                self._channel.sendall(chunk)
                told(len(chunk))
            self._channel.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._failed(f"it took no more: {error}") from error
        finally:
            self._channel.settimeout(None)

    def end(self, may: frozenset[int] = frozenset({0})) -> list[str]:
        """Wait for the command to end and return what it wrote on standard error, a line each.

        Raises:
            EngineError: it ended with a status that is not in `may`, or was killed.

        """
        for _ in self.chunks():
            pass
        found = _STATUS.search(self._noise)
        if found is None:
            raise self._failed("its container was killed")
        if int(found[1]) not in may:
            raise self._failed(f"it ended with status {int(found[1])}")
        return self._said()

    def _said(self) -> list[str]:
        text = _STATUS.sub(b"", self._noise).decode(errors="replace")
        return [line for line in text.splitlines() if line.strip()]

    def _failed(self, why: str) -> EngineError:
        what = f"`{self.errand.argv[0]}` in a helper container" + (
            f" on volume {self.errand.volume}" if self.errand.volume else ""
        )
        return EngineError("helper-failed", f"{what} did not do its work.", evidence=[why, *self._said()[-8:]])

    def _receive(self) -> bytes:
        if not select.select([self._channel], [], [], SILENCE_S)[0]:
            raise self._failed(f"it said nothing for {SILENCE_S:g} s")
        try:
            return self._channel.recv(CHUNK_BYTES)
        except OSError as error:
            raise self._failed(str(error)) from error

    def _frames(self, received: bytes) -> Iterator[tuple[int, bytes]]:
        """Take frames apart: the Engine sends standard output and error over one connection."""
        self._buffer += received
        at = 0
        while len(self._buffer) - at >= _FRAME.size:
            stream, length = _FRAME.unpack_from(self._buffer, at)
            if len(self._buffer) - at < _FRAME.size + length:
                break
            at += _FRAME.size
            yield stream, bytes(memoryview(self._buffer)[at : at + length])
            at += length
        del self._buffer[:at]


def run_errand(daemon: Daemon, errand: Errand) -> tuple[bytes, list[str]]:
    """Run an errand to its end and return what it wrote on standard output and error; for short answers.

    Raises:
        EngineError: the Engine refuses, or the command failed.

    """
    with Carrier(daemon, errand) as carrier:
        said = b"".join(carrier.chunks())
        return said, carrier.end()


def _start(daemon: Daemon, errand: Errand) -> tuple[str, socket.socket]:
    """Create, attach, start: the container removes itself when its command ended."""
    api = daemon.api
    binds = [f"{errand.volume}:{PLACE}:{'rw' if errand.writes else 'ro'},nocopy"] if errand.volume else []
    host = api.create_host_config(
        auto_remove=True,
        network_mode="none",
        cap_drop=["ALL"],
        cap_add=list(errand.capabilities),
        security_opt=["no-new-privileges"],
        read_only=True,
        binds=binds,
        log_config=LogConfig(type=LogConfig.types.NONE),
    )
    name = f"cutover-{errand.role}-{secrets.token_hex(4)}"
    with translated(f"Starting the helper container {name}"):
        created = api.create_container(
            errand.image,
            entrypoint=["sh", "-c", FED if errand.fed else WATCHED, "cutover"],
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
        )["Id"]
        try:
            params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            channel = own_socket(api.attach_socket(created, params=params))
            api.start(created)
        except BaseException:
            remove_helper(daemon, created)
            raise
    return created, channel
