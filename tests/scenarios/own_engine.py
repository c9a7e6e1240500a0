"""An Engine of a test's own, in a network namespace of its own: it may be stopped, or lack what the other one has."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.rig import IMAGE


class OwnEngine:
    """A second dockerd that a test may stop; `args` are more of its options, `path` is the PATH that it gets."""

    def __init__(self, folder: Path, *args: str, path: str | None = None) -> None:
        self.folder, self.args, self.path = folder, args, path
        self.name = f"cutover-{folder.name[-8:]}"
        self.host = f"unix://{folder}/docker.sock"
        self.process: subprocess.Popen | None = None

    @property
    def prefix(self) -> tuple[str, ...]:
        """Return what runs a command where this Engine's ports are."""
        return ("nsenter", f"--net=/var/run/netns/{self.name}")

    def make(self) -> None:
        """Make the namespace, start the Engine, give it the image."""
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        subprocess.run([*self.prefix, "ip", "link", "set", "lo", "up"], check=True)
        self.start()
        with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as saved:
            load = ["docker", "-H", self.host, "load"]
            subprocess.run(load, stdin=saved.stdout, check=True, capture_output=True)
        assert saved.returncode == 0

    def start(self) -> None:
        """Start dockerd and wait until it answers."""
        places = [f"--{n}={self.folder}/{n}" for n in ("data-root", "exec-root")]
        command = [
            *self.prefix,
            "dockerd",
            *places,
            f"--pidfile={self.folder}/pid",
            "-H",
            self.host,
            *self.args,
            "--bridge=none",
        ]
        environment = {**os.environ, **({"PATH": self.path} if self.path else {})}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=environment)
        end = time.monotonic() + 60
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
            assert time.monotonic() < end, "dockerd does not answer"
            time.sleep(0.1)

    def answers(self) -> bool:
        """Say whether it answers."""
        asked = ["docker", "-H", self.host, "version"]
        return subprocess.run(asked, capture_output=True, check=False, timeout=30).returncode == 0

    def stop(self, number: int) -> None:
        """Send dockerd a signal and wait for its end."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(timeout=60)
        # containerd dies with a killed dockerd. Where nobody collects the dead, its number lives on, and the next
        # dockerd would wait for it.
        (self.folder / "exec-root/containerd/containerd.pid").unlink(missing_ok=True)

    def destroy(self) -> None:
        """Take everything away."""
        if self.process and self.process.poll() is None:
            self.stop(signal.SIGTERM)
        subprocess.run(["ip", "netns", "delete", self.name], check=False)
        mounts = Path("/proc/mounts").read_text().splitlines()
        for mount in sorted((line.split()[1] for line in mounts if str(self.folder) in line), reverse=True):
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def made(own: OwnEngine) -> Iterator[OwnEngine]:
    """Give it, running, and take it away."""
    if shutil.which("dockerd") is None:
        pytest.skip("there is no dockerd on this machine to start a second Engine with")
    try:
        own.make()
        yield own
    finally:
        own.destroy()
