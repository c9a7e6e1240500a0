"""What a tar would do to the folder it is unpacked in: each way out, crafted."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.backup.members import check_members, judged
from cutover.errors import RefusedError


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b"", **facts) -> tuple:
    """Return a member to be."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content)
    for key, value in facts.items():
        setattr(info, key, value)
    return info, content


def tar_of(*members: tuple) -> bytes:
    """Return a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def checked(data: bytes, piece: int = 700, **options) -> int:
    """Check a tar that arrives in pieces."""
    return check_members((data[i : i + piece] for i in range(0, len(data), piece)), **options)


LINK = member("./way", tarfile.SYMTYPE, "/etc")
OUTSIDE = {
    "absolute": [member("/etc/passwd", content=b"x")],
    "upwards": [member("./a/../../b", content=b"x")],
    "upwards at the end": [member("a/..", tarfile.DIRTYPE)],
    "hard link to an absolute name": [member("./a", tarfile.LNKTYPE, "/etc/shadow")],
    "hard link upwards": [member("./a", tarfile.LNKTYPE, "../../etc/shadow")],
    "through a symbolic link": [LINK, member("./way/passwd", content=b"x")],
    "through one, written otherwise": [LINK, member("way//./passwd", content=b"x")],
    "through one further up": [LINK, member("./way/a/b/c", tarfile.DIRTYPE)],
    "hard link through a symbolic link": [LINK, member("./a", tarfile.LNKTYPE, "way/shadow")],
    "through a second name of a link": [LINK, member("./two", tarfile.LNKTYPE, "./way"), member("./two/x")],
    "through a link in a folder": [
        member("./d", tarfile.DIRTYPE),
        member("./d/l", tarfile.SYMTYPE, ".."),
        member("d/l/x"),
    ],
    "over a symbolic link": [LINK, member("./way", content=b"x")],
    "a disk": [member("./sda", tarfile.BLKTYPE, devmajor=8)],
    "memory": [member("./mem", tarfile.CHRTYPE, devmajor=1, devminor=1)],
    "the root itself is a link": [member(".", tarfile.SYMTYPE, "/etc"), member("./passwd")],
    "of a type of GNU's own": [member("./volume", b"V")],
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_whoever_would_leave_is_refused_by_name(case: str) -> None:
    """And nothing of it is unpacked."""
    last = OUTSIDE[case][-1][0]
    with pytest.raises(RefusedError) as caught:
        checked(tar_of(member("./fine", content=b"fine"), *OUTSIDE[case]))
    assert caught.value.reference == "member-outside"
    assert repr(last.name) in caught.value.message


def test_what_a_volume_may_hold_passes() -> None:
    """Links that point anywhere, second names, FIFOs, whiteouts, odd and long names, and names that look like `..`."""
    data = tar_of(
        member(".", tarfile.DIRTYPE),
        LINK,
        member("./up", tarfile.SYMTYPE, "../../../../etc/passwd"),
        member("./..a", content=b"1"),
        member("./a..", tarfile.DIRTYPE),
        member("./a../b", content=b"2" * 5000),
        member("./second", tarfile.LNKTYPE, "./a../b"),
        member("./wayfarer/x", content=b"3"),
        member("./fifo", tarfile.FIFOTYPE),
        member("./.wh.gone", tarfile.CHRTYPE),
        member("./line\nfeed", content=b"4"),
        member("./" + "long/" * 80 + "\udcff", content=b"5"),
    )
    assert checked(data) == 12


def test_devices_are_unpacked_where_that_is_said() -> None:
    """By a person who knows what the volume is for."""
    assert checked(tar_of(*OUTSIDE["a disk"]), devices=True) == 1


def test_what_follows_the_end_is_refused() -> None:
    """Another program might read on there."""
    data = tar_of(member("./a", content=b"x"))
    with pytest.raises(RefusedError, match="not a whole tar"):
        checked(data + tar_of(member("/etc/passwd", content=b"x")))


def test_a_zero_byte_in_a_name_is_refused() -> None:
    """A program in C would see another name."""
    data = tar_of(member("./a" + "b" * 150 + "X/../../etc/passwd"))
    with pytest.raises(RefusedError):
        checked(data.replace(b"X/", b"\0/"))


def test_a_tar_that_is_cut_off_is_no_tar() -> None:
    """In a file's content, or in a header."""
    data = tar_of(member("./a", content=b"x" * 5000))
    for length in (513 + 2000, 300):
        with pytest.raises(RefusedError) as caught:
            checked(data[:length])
        assert caught.value.reference == "backup-no-tar"


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=4096), at=st.integers(0, 6000), piece=st.integers(1, 4096))
def test_bytes_that_are_no_tar_are_refused_and_not_a_traceback(data: bytes, at: int, piece: int) -> None:
    """Anywhere in a good one, in any pieces."""
    good = tar_of(member("./a" * 60, content=b"x" * 900), LINK, member("./b", tarfile.LNKTYPE, "./c"))
    with contextlib.suppress(RefusedError):
        assert checked(good[:at] + data + good[at + len(data) :], piece) >= 0


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "", "/"]), min_size=1, max_size=4).map("/".join).filter(bool)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])


@settings(max_examples=200, deadline=None)
@given(members=st.lists(st.tuples(NAMES, KINDS, NAMES), min_size=1, max_size=6))
def test_what_passes_lands_inside(members: list) -> None:
    """Judged by walking the names over a model of the folder, with its links followed."""
    data = tar_of(*(member(name, kind, link) for name, kind, link in members))
    try:
        checked(data)
    except RefusedError:
        return
    links: set[str] = set()
    for name, kind, link in members:
        for path in [name, *([link] if kind == tarfile.LNKTYPE else [])]:
            parts = [p for p in path.split("/") if p not in {"", "."}]
            assert not path.rstrip("/").startswith("/")  # "/" alone is the folder itself
            assert ".." not in parts
            assert not any("/".join(parts[:n]) in links for n in range(len(parts)))
        if kind == tarfile.SYMTYPE:
            links.add("/".join(p for p in name.split("/") if p not in {"", "."}))


def let_through(pieces: Iterator[bytes]) -> bytes:
    """Return what of a stream is let through until it is refused."""
    passed = bytearray()
    try:
        for piece in judged(pieces):
            passed += piece
    except RefusedError:
        return bytes(passed)
    raise AssertionError("nothing was refused")


@settings(deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=8), st.integers(1, 3000))
def test_what_was_looked_at_is_let_through_as_it_is(sizes: list[int], piece: int) -> None:
    """Byte for byte, in whatever pieces it comes."""
    data = tar_of(*(member(f"./{n}", content=bytes([65 + n]) * size) for n, size in enumerate(sizes)))
    assert b"".join(judged(data[i : i + piece] for i in range(0, len(data), piece))) == data


@pytest.mark.parametrize("case", OUTSIDE)
@pytest.mark.parametrize("piece", [100, 512, 1 << 20])
def test_nothing_of_whoever_would_leave_is_let_through(case: str, piece: int) -> None:
    """What came before may be; of the member that is refused not one byte, nor of what follows it."""
    fine = [member("./fine", content=b"fine" * 3000), *OUTSIDE[case][:-1]]
    before, data = tar_of(*fine), tar_of(*fine, OUTSIDE[case][-1])
    passed = let_through(data[i : i + piece] for i in range(0, len(data), piece))
    assert len(passed) <= len(before)
    assert before.startswith(passed)


def test_what_follows_the_end_is_not_let_through() -> None:
    """Another program might read on behind the two empty blocks."""
    data = tar_of(member("./fine", content=b"fine"))
    assert b"more" not in let_through(iter([data, b"\0" * 512, b"more"]))
