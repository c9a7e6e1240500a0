"""Whole commands on bad files, as a user meets them: an exit code that is documented, words, and nothing touched."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.fuzz.engine import empty_engine
from tests.fuzz.mutate import mutated
from tests.fuzz.registry import TARGETS
from tests.fuzz.target import ROOT

PROJECT = "shop"
RUN = "20250101T000000.000-aaaa"
PATIENCE_S = 60.0
OURS = (".cutover/", "overrides/")
"""Where a verb that acts may write, whatever it is given; no Engine is there that could take a swap further."""
CODES = {0, 1, 2, 3, 4}
COMPOSE = b"""\
services:
  green:
    image: "legacy:1"
    ports: ["127.0.0.1:45570:5570"]
  blue:
    image: suite:1
"""
BASE = {
    "compose.yml": (COMPOSE, "document-edits"),
    "cutover.yaml": (b"green: green\nblue: blue\nports: [45570]\nproject: shop\nsuites: {}\n", "cutover-yaml"),
    ".env": (b"COMPOSE_FILE=compose.yml\nTAG=1\n", "dotenv"),
    f".cutover/{PROJECT}/{RUN}/journal.jsonl": (b"", "journal"),
    f".cutover/{PROJECT}/{RUN}/files/manifest.json": (b"", "manifest"),
    f".cutover/{PROJECT}/edge/edge.json": (b"", "edge-record"),
    f".cutover/{PROJECT}.lock.json": (b"", "lock-note"),
    f".cutover/{PROJECT}/tests/blue.json": (b"{}", "lock-note"),
}
"""The files of a project, each with the target whose seeds and words it is made bad with."""
LOOKS = (
    ("status",), ("history",), ("plan",), ("swap", "--dry-run"), ("ports", "--no-ask"), ("doctor", "--no-ask"), ("schema",),
    ("init", "--print"), ("edge", "status"), ("override", "blue", "--stdout"), ("probe", "tcp://127.0.0.1:1"),
)  # fmt: skip
ACTS = (
    ("rollback",), ("rollback", RUN), ("recover",), ("commit",), ("swap",), ("canary", "5"), ("promote",), ("smoke",), ("parity",),
    ("surface",), ("down", "blue"), ("up", "blue"), ("rehearse",),
)  # fmt: skip
JUNK = (
    "--port", "--port=99999999999999999999", "--port=1:2:3", "--probe=zmq://:1?send=[[[[", "--probe=http://[::1", "--observe=nan",
    "--observe=1e999", "-p", "-p=../x", "--project-name=\udcff", "--file=/dev/null", "--file=.", "--json", "--green=", "--green=a b",
    "--strategy=x", "--image=::", "--service=green", "--context=nowhere", "--profile=\n", "--env-file=nowhere", "\udc80", "-", "--", "",
)  # fmt: skip
HOSTS = (
    "unix:///nonexistent/docker.sock",
    "tcp://127.0.0.1:1",
    "tcp://[::1",
    "nonsense",
    "tcp://a b:99999",
    "http://",
    "unix://",
    "ftp://x",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One command on one project folder. `says` is what the Engine says; `host` another DOCKER_HOST than its."""

    words: tuple[str, ...]
    looks: bool
    files: dict[str, bytes] = field(repr=False)
    host: str | None = None
    says: dict[str, bytes] = field(default_factory=dict, repr=False)


def cases(seed: int) -> Iterator[Case]:
    """Yield commands without end, each verb in its turn, with the dice of `seed`."""
    random = Random(seed)
    verbs = [(words, True) for words in LOOKS] + [(words, False) for words in ACTS]
    while True:
        random.shuffle(verbs)
        for words, looks in verbs:
            options = [random.choice(JUNK)] if random.random() < 0.25 else []
            project = (
                []
                if random.random() < 0.2
                else ["-p", PROJECT]
                if "schema" not in words and "init" not in words
                else []
            )
            host = random.choice(HOSTS) if random.random() < 0.15 else None
            yield Case((*words, *project, *options), looks, _files(random), host, _says(random))


def _files(random: Random) -> dict[str, bytes]:
    files = {}
    bad = set(random.sample(list(BASE), random.choice((1, 1, 2))))
    for name, (content, target) in BASE.items():
        if name.startswith(".cutover") and name not in bad and random.random() < 0.5:
            continue
        found = content or random.choice(list(TARGETS[target].seeds()))
        files[name] = mutated(found, random, TARGETS[target].words) if name in bad else found
    return files


def _says(random: Random) -> dict[str, bytes]:
    if random.random() < 0.7:
        return {}
    target = TARGETS["docker-inspect"]
    (one, *_) = (json.loads(random.choice(list(target.seeds()))),)
    details = json.dumps(one[0] if isinstance(one, list) else one).encode()
    inspected = mutated(details, random, target.words)
    return {"/containers/json": random.choice((b'[{"Id": "abc"}]', b"{}", b"[1]", b"nonsense")), "inspect": inspected}


def wrong(case: Case, folder: Path, engine: str) -> list[str]:
    """Run a command in a folder of its own and return what is wrong with it."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in case.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    before = _seen(folder)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "COMPOSE_", "CUTOVER_"))}
    environment |= {"DOCKER_HOST": case.host or engine, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "cutover", *case.words]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"no end within {PATIENCE_S:g} s"]
    told = (done.stdout + done.stderr).decode(errors="replace")
    found = []
    if done.returncode not in CODES:
        found.append(f"exit code {done.returncode}")
    if "Traceback" in told:
        found.append("a traceback: " + told.strip().splitlines()[-1])
    if not told.strip():
        found.append("not a word")
    after = _seen(folder)
    touched = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    if case.looks and touched:
        found.append(f"a verb that looks touched {sorted(touched)}")
    elif any(not name.startswith(OURS) for name in touched):
        found.append(f"touched {sorted(touched)}")
    return found


def _seen(folder: Path) -> dict[str, str]:
    paths = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def main(seconds: int, seed: int) -> int:
    """Run commands for so long, print what was wrong, and keep the folders of those."""
    kept = ROOT / "build" / "fuzz" / "cli"
    ran, found, end = 0, 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as name, empty_engine(Path(name)) as (host, says):
        for case in cases(seed):
            if time.monotonic() > end:
                break
            says.clear()
            says.update(case.says)
            folder = Path(name) / "project"
            ran += 1
            for line in wrong(case, folder, host):
                found += 1
                place = kept / f"{seed}-{ran}"
                shutil.copytree(folder, place, dirs_exist_ok=True)
                print(
                    f"{place}: {list(case.words)} with DOCKER_HOST={case.host or 'an empty Engine'}: {line}", flush=True
                )
    print(f"{ran} commands in {seconds} s, {found} findings")
    return 1 if found else 0
