"""Good input to begin with: files of this repository, and a folder of real compose files where there is one."""

from __future__ import annotations

import os
from functools import cache

from tests.fuzz.target import ROOT

CORPUS = os.environ.get("CUTOVER_CORPUS") or str(ROOT.parent / "shared" / "corpus")
LARGEST_BYTES = 6000
EVERY = 8

DRESSED = b"""\xef\xbb\xbf# the stack\r
x-common: &common\r
  restart: always\r
services:\r
  green:\r
    <<: *common\r
    image: "legacy:1"   # \xc3\xa9\r
    ports:\r
      # requests\r
      - "5570:5570"   # zmq\r
      - target: 6570\r
        published: "6570"\r
        protocol: tcp\r
  blue: {image: 'suite:1', ports: ["1:1", 2:2]}\r
  third:\r
    image: ${IMAGE:-third}\r
    ports: [ "${PORT:-80}:80", "8000-8002:9000-9002/udp", '[::1]:53:53' ]"""


@cache
def compose_files() -> tuple[bytes, ...]:
    """Return compose files: those of this repository, one in odd dress, and some of the corpus."""
    own = [p.read_bytes() for p in sorted((ROOT / "compose").glob("*.y*ml"))]
    own += [p.read_bytes() for p in sorted((ROOT / "overrides").glob("*.y*ml"))]
    return (DRESSED, *own, *real_files())


@cache
def real_files() -> tuple[bytes, ...]:
    """Return some of the corpus, smallest first; none where it is not there."""
    try:
        names = sorted(os.scandir(os.path.join(CORPUS, "files")), key=lambda e: (e.stat().st_size, e.name))  # noqa: PTH118
    except FileNotFoundError:
        return ()
    small = [entry.path for entry in names if entry.stat().st_size <= LARGEST_BYTES]
    found = []
    for path in small[::EVERY]:
        with open(path, "rb") as file:  # noqa: PTH123
            found.append(file.read())
    return tuple(found)
