"""Bad input made of good input: what editors, networks, disks and people do to a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

MOST_CHANGES = 6
MOST_BYTES = 100_000
Change = Callable[[bytes, Random, Sequence[bytes]], bytes]


def mutated(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Return data after one change or several; `words` are what may be put in."""
    for _ in range(random.randint(1, MOST_CHANGES)):
        data = random.choice(CHANGES)(data, random, words)[:MOST_BYTES]
    return data


def _cut(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    return data[: random.randint(0, len(data))]


def _lose(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + data[at + random.choice((1, 1, 2, 8, 60)) :]


def _flip(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    if not data:
        return b"\0"
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]


def _put(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.choice(words or (b"\0", b"\n", b" ")) + data[at:]


def _instead(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    """Put a word where another stood, which ends at the next sign that is none of it."""
    at = random.randint(0, len(data))
    end = at
    while end < len(data) and data[end : end + 1].isalnum():
        end += 1
    return data[:at] + random.choice(words or (b"",)) + data[end:]


def _again(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    at = random.randrange(len(lines))
    return b"".join([*lines[: at + 1], *[lines[at]] * random.choice((1, 1, 2, 40)), *lines[at + 1 :]])


def _swap(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    first, second = (random.randrange(len(lines)) for _ in range(2))
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def _without_line(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    del lines[random.randrange(len(lines))]
    return b"".join(lines)


def _ends(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    return data.replace(b"\n", random.choice((b"\r\n", b"\r", b"\xc2\x85", b"\xe2\x80\xa8", b"")))


def _indented(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    at = random.randrange(len(lines))
    lines[at] = random.choice((b" ", b"  ", b"\t")) + lines[at] if random.random() < 0.5 else lines[at].lstrip(b" ")
    return b"".join(lines)


def _long(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    at = random.randint(0, len(data))
    return (
        data[:at]
        + random.choice((*words, b"a", b"9", b"[", b'{"a":', b" ")) * random.choice((60, 500, 5000))
        + data[at:]
    )


CHANGES: tuple[Change, ...] = (
    *(_cut, _lose, _flip, _put, _put, _put, _instead, _instead, _again, _swap, _without_line, _ends, _indented, _long),
)
