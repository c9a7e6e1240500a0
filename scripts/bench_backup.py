#!/usr/bin/env python3
"""What it costs to save and restore a volume, beside `cp -a --sparse=auto` of the same volume on the same disk.

    python3 scripts/bench_backup.py [--gigabytes 5] [--rounds 3] [--kind mixed|random]... [--image IMAGE]

*mixed* is two fifths incompressible files, two fifths text, small files, and a sparse file that is mostly hole; some
files have extended attributes, other owners, second names. *random* is incompressible. Each round takes cp, save,
check and restore in turn. Before each, what is read is read once, so that it is in the page cache (`--cold`: no file is
in it); a file of its size is written and removed, for the disk of a virtual machine takes longer for blocks
that it never held; and the disk is synced. Each time holds until the bytes are on the disk (`syncfs`).

After one more round, which is not timed, every file is compared: bytes, owner, mode, mtime in nanoseconds, extended
attributes, blocks on the disk, names that are one file. In that round memory is looked at: the peak resident set
(VmHWM) of a process of its own that does nothing else, and that of all processes in the helper container, every 0.2 s.

Needs root, for the Engine's folder of volumes.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import hashlib
import json
import os
import random
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import docker.errors

from cutover.backup.volumes import Stored, check_stored, restore_volume, save_volume
from cutover.edge.image import edge_image_name
from cutover.engine.address import resolve
from cutover.engine.daemon import Daemon

MB = 1_000_000
PROJECT = f"bench{secrets.token_hex(3)}"
FIGURES = ("cp", "save", "check", "restore")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kind", choices=["mixed", "random"], action="append")
    parser.add_argument("--cold", action="store_true", help="nothing that is read is in the page cache")
    parser.add_argument("--image", default=edge_image_name())
    parser.add_argument("--do", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.do:
        do_one(json.loads(told.do))
        return
    global ready  # noqa: PLW0603
    ready = cool if told.cold else warm
    print(
        f"{told.gigabytes:g} GB, {'not ' * told.cold}in the page cache;"
        f" median of {told.rounds} rounds, in turn, until on the disk;"
        f" load before {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    )
    print(f"{'':10}{'time':>9}{'speed':>12}{'beside cp':>11}{'cutover':>10}{'helper':>9}")
    for kind in told.kind or ["mixed", "random"]:
        measure(kind, int(told.gigabytes * 1000 * MB), told.rounds, told.image)


def measure(kind: str, size: int, rounds: int, image: str) -> None:
    """Measure one kind of volume and print its rows."""
    with volume() as source, scratch() as folder:
        (fill_random if kind == "random" else fill_mixed)(place(source), size)
        used = size_of(place(source))
        times: dict[str, list[float]] = {name: [] for name in FIGURES}
        peaks: dict[str, list[float]] = {}
        for number in range(rounds):
            one_round(source, folder, image, times, None)
            took = ", ".join(f"{name} {times[name][-1]:.1f} s" for name in FIGURES)
            print(f"{kind}, round {number + 1}: {took}; load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
        one_round(source, folder, image, {name: [] for name in FIGURES}, peaks)
        show(kind, used, times, peaks)


def one_round(
    source: str, folder: Path, image: str, times: dict[str, list[float]], peaks: dict[str, list[float]] | None
) -> None:
    """Copy, save, check and restore once; look at memory, and compare, where there are `peaks` to note."""
    level(folder, place(source))
    ready(place(source))
    times["cp"].append(
        timed(folder, lambda: run("cp", "-a", "--sparse=auto", f"{place(source)}/.", str(folder / "cp")))
    )
    shutil.rmtree(folder / "cp")
    archive = folder / "archive"
    facts: dict[str, Any] = {"image": image, "archive": str(archive), "volume": source, "project": PROJECT}
    with volume() as target:
        for name in FIGURES[1:]:
            level(folder, place(source))
            ready(place(source) if name == "save" else archive)
            if name == "restore":
                facts["volume"] = target
            facts["do"] = name
            times[name].append(timed(folder, lambda: facts.update(apart(facts, watched=peaks is not None))))
            if peaks is not None:
                peaks.setdefault(name, []).append(facts["peak"])
                peaks.setdefault(f"{name} helper", []).append(facts["helper"])
        if peaks is not None:
            compare(place(source), place(target))
    shutil.rmtree(archive)


def apart(facts: dict[str, Any], *, watched: bool) -> dict[str, Any]:
    """Do one thing in a process of its own, and return what it said; to watch it takes a good part of a processor."""
    process = subprocess.Popen([sys.executable, __file__, "--do", json.dumps(facts)], stdout=subprocess.PIPE, text=True)
    helper = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal helper
        client = docker.from_env()
        while not done.wait(0.2):
            with contextlib.suppress(docker.errors.APIError, OSError):
                for found in client.api.containers(filters={"label": f"io.cutover.project={PROJECT}"}):
                    top = client.api.top(found["Id"])["Processes"] or ()
                    helper = max(helper, sum(high_water(int(row[1])) for row in top))
        client.close()

    watcher = threading.Thread(target=watch)
    if watched:
        watcher.start()
    said = process.communicate()[0]
    done.set()
    if watched:
        watcher.join()
    if process.returncode:
        raise SystemExit(f"{facts['do']} failed")
    return {**json.loads(said), "helper": helper}


def do_one(facts: dict[str, Any]) -> None:
    """Save, check or restore, and print what came of it and the peak of memory."""
    archive, image = Path(facts["archive"]), facts["image"]
    project = facts["project"]
    daemon = Daemon(resolve())
    said: dict[str, object] = {}
    if facts["do"] == "save":
        stored = save_volume(daemon, facts["volume"], archive, project=project, image=image, tell=lambda *_: None)
        said["stored"] = stored.as_dict()
    else:
        stored = Stored.from_dict(facts["stored"])
        if facts["do"] == "check":
            said["members"] = check_stored(stored, archive)
        else:
            restore_volume(daemon, stored, archive, facts["volume"], project=project, image=image)
    print(json.dumps({**said, "peak": high_water(os.getpid())}))


def show(kind: str, used: int, times: dict[str, list[float]], peaks: dict[str, list[float]]) -> None:
    """Print the medians."""
    beside = statistics.median(times["cp"])
    print(f"{kind}: {used / MB:,.0f} MB on the disk")
    for name in FIGURES:
        took = statistics.median(times[name])
        row = f"  {name:8}{took:>7.1f} s{used / MB / took:>7.0f} MB/s{beside / took:>11.2f}"
        if name in peaks:
            row += f"{max(peaks[name]):>7.0f} MB{max(peaks[f'{name} helper']):>6.0f} MB"
        print(row + "   rounds: " + " ".join(f"{t:.1f}" for t in times[name]), flush=True)


def timed(folder: Path, work: Callable[[], object]) -> float:
    """Return how long it took until what was written is on the disk."""
    sync(folder)
    began = time.perf_counter()
    work()
    sync(folder)
    return time.perf_counter() - began


def level(folder: Path, source: Path) -> None:
    """Have each find the disk as the others do: as many blocks as it needs were just written, and are free."""
    blank = folder / "blank"
    run("dd", "if=/dev/zero", f"of={blank}", "bs=1M", f"count={size_of(source) // MB + 1}", "status=none")
    sync(folder)
    blank.unlink()
    sync(folder)


def size_of(folder: Path) -> int:
    """Return how many bytes a folder takes on the disk."""
    return sum(p.lstat().st_blocks * 512 for p in folder.rglob("*"))


def sync(folder: Path) -> None:
    """Have the file system of a folder write what it has."""
    descriptor = os.open(folder, os.O_RDONLY)
    ctypes.CDLL(None).syncfs(descriptor)
    os.close(descriptor)


def high_water(pid: int) -> float:
    """Return the peak resident set of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / MB


def warm(folder: Path) -> None:
    """Read everything once."""
    run("sh", "-c", 'find "$0" -type f -exec cat {} + >/dev/null', str(folder))


def cool(_: Path) -> None:
    """Have no file in the page cache."""
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


ready = warm


def run(*argv: str) -> None:
    """Run a command."""
    subprocess.run(argv, check=True)


def place(name: str) -> Path:
    """Return the folder of a volume."""
    client = docker.from_env()
    found = Path(client.api.inspect_volume(name)["Mountpoint"])
    client.close()
    return found


@contextmanager
def volume() -> Iterator[str]:
    """Give a new volume, and take it away."""
    client = docker.from_env()
    name = f"{PROJECT}-{secrets.token_hex(3)}"
    client.api.create_volume(name)
    try:
        yield name
    finally:
        client.api.remove_volume(name, force=True)
        client.close()


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder on the disk of the Engine's volumes, and take it away."""
    folder = Path(tempfile.mkdtemp(prefix="cutover-bench-", dir="/var/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def fill_random(folder: Path, size: int, name: str = "random") -> None:
    """Write incompressible files of 128 MB."""
    for number in range(max(1, size // (128 * MB))):
        with (folder / f"{name}-{number}").open("wb") as file:
            for _ in range(128):
                file.write(os.urandom(MB))


def fill_mixed(folder: Path, size: int) -> None:
    """Write all sorts of files."""
    drawn = random.Random(5570)
    fill_random(folder, size * 2 // 5)
    texts = [p.read_bytes() for p in Path(os.__file__).parent.glob("*.py")]
    for number in range(max(1, size * 2 // 5 // (64 * MB))):
        with (folder / f"text-{number}.log").open("wb") as file:
            while file.tell() < 64 * MB:
                text = drawn.choice(texts)
                start = drawn.randrange(len(text) or 1)
                file.write(text[start : start + 4000])
    small = size // 5 // 8000
    for number in range(small):
        path = folder / "small" / f"{number % 100:02}" / f"{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn.choice(texts)[:16000])
        if number % 10 == 0:
            os.setxattr(path, "user.note", b"\0\xff" * 8)
            os.chown(path, 1000 + number % 7, 2000)
            path.chmod(0o4750)
        if number % 100 == 0:
            os.link(path, path.with_suffix(".again"))
    with (folder / "sparse").open("wb") as file:
        for gap in range(64):
            file.seek(gap * 16 * MB)
            file.write(os.urandom(65536))
    (folder / "outside").symlink_to("/etc/passwd")
    os.mkfifo(folder / "fifo")
    (folder / os.fsdecode(b"odd\n\xff name")).write_bytes(b"odd")


def compare(one: Path, other: Path) -> None:
    """See that two folders hold the same."""
    ours, theirs = ({p.relative_to(f): p for p in (f, *f.rglob("*"))} for f in (one, other))
    if ours.keys() != theirs.keys():
        raise SystemExit(f"not the same names: {list(ours.keys() ^ theirs.keys())[:5]}")
    groups: dict[int, int] = {}
    for name, path in ours.items():
        if (a := facts_of(path)) != (b := facts_of(theirs[name])):
            raise SystemExit(f"{name} is not the same: {a} {b}")
        first, second = path.lstat().st_ino, theirs[name].lstat().st_ino
        if groups.setdefault(first, second) != second:
            raise SystemExit(f"{name} is no second name of its file any more")
    print(f"  {len(ours):,} entries are equal: bytes, owner, mode, mtime, xattrs, blocks, links")


def facts_of(path: Path) -> tuple[object, ...]:
    """Return what has to be equal. The blocks of a file may differ by what the file system needs to find them."""
    info = path.lstat()
    xattrs = {n: os.getxattr(path, n, follow_symlinks=False) for n in os.listxattr(path, follow_symlinks=False)}
    content = ""
    if path.is_symlink():
        content = str(path.readlink())
    elif path.is_file():
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    blocks = info.st_blocks // 128 if path.is_file() else 0
    return info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns, info.st_nlink, xattrs, content, blocks


if __name__ == "__main__":
    main()
