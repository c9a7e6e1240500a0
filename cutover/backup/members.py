"""What a tar stream would do to the folder it is unpacked in, told from its headers alone.

Refused are members that are absolute or contain `..`, hard links that lead outside, and members or hard links whose
way leads through a symbolic link of the same stream: what is written *through* a link lands wherever it points. A
symbolic link itself may point anywhere: that is content. Device nodes are refused unless they are asked for: whoever
can open one reaches a disk of the host past all rights. A whiteout, which is device 0/0 and stands for nothing, is no
such thing. Unpacking happens in a container that sees the volume alone, so this is the second wall, not the first.
"""

from __future__ import annotations

import struct
import tarfile
from collections.abc import Callable, Iterator

from cutover.backup.chunks import Chunks
from cutover.errors import RefusedError

_PLAIN = {
    tarfile.REGTYPE,
    tarfile.AREGTYPE,
    tarfile.CONTTYPE,
    tarfile.GNUTYPE_SPARSE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
}
SMALL_BYTES = 1 << 18
NOT_OURS = "this is no backup of a volume that cutover wrote: find out where it comes from before you use it"
Look = Callable[[tarfile.TarInfo], None]
_KNOWN = _PLAIN | {tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE}


def check_members(chunks: Iterator[bytes], *, devices: bool = False) -> int:
    """Read a tar stream to its end and return the number of its members.

    Raises:
        RefusedError: a member would leave the folder, is a device node and `devices` is not said, or it is no tar.

    """
    judge = Judge(devices=devices)
    stream = Chunks(chunks)
    for _ in _looked_at(stream, judge.look):
        pass
    _see_end(stream)
    return judge.count


def judged(chunks: Iterator[bytes], *, devices: bool = False) -> Iterator[bytes | memoryview]:
    """Yield a tar stream as it comes, each byte once the member that it belongs to was looked at.

    Raises:
        RefusedError: as `check_members`; what would leave the folder was not yielded.

    """
    return _gathered(_let_through(Chunks(chunks, keep=True), Judge(devices=devices).look))


def _let_through(stream: Chunks, look: Look) -> Iterator[memoryview]:
    for next_at in _looked_at(stream, look):
        yield from stream.passed(next_at)
    yield from stream.passed(0)
    for block in stream.blocks():
        _see_nothing(block)
        yield from stream.passed(0)


def _looked_at(stream: Chunks, look: Look) -> Iterator[int]:
    """Look at one member after the other; yield where the next one begins."""
    try:
        with tarfile.open(fileobj=stream, mode="r:", errors="surrogateescape") as tar:
            while (member := tar.next()) is not None:
                look(member)
                tar.members.clear()  # type: ignore[attr-defined]  # it would remember them all
                yield tar.offset
    except (tarfile.TarError, EOFError, ValueError, OverflowError, IndexError, struct.error) as error:
        raise _no_tar(str(error)) from error


def _see_end(stream: Chunks) -> None:
    for block in stream.blocks():
        _see_nothing(block)


def _see_nothing(block: memoryview) -> None:
    if bytes(block).strip(b"\0"):
        raise _no_tar("something follows the end of the tar, where another program might go on reading")


def _gathered(pieces: Iterator[memoryview]) -> Iterator[bytes | memoryview]:
    """Put small pieces together: a header is 512 bytes."""
    small = bytearray()
    for piece in pieces:
        if len(piece) < SMALL_BYTES:
            small += piece
        if small and (len(piece) >= SMALL_BYTES or len(small) >= SMALL_BYTES):
            yield bytes(small)
            small.clear()
        if len(piece) >= SMALL_BYTES:
            yield piece
    if small:
        yield bytes(small)


def _no_tar(why: str) -> RefusedError:
    hint = "cutover backups --verify looks at every backup; another one may be whole"
    return RefusedError("backup-no-tar", "The stream in this backup is not a whole tar.", evidence=[why], hint=hint)


class Judge:
    """Looks at one member after the other, in their order."""

    def __init__(self, *, devices: bool = False) -> None:
        self._devices = devices
        self.count = 0
        self._links: set[int] = set()
        """Hashes of the names that are symbolic links: a volume may have a million of them."""

    def look(self, member: tarfile.TarInfo) -> None:
        """See that a member stays inside.

        Raises:
            RefusedError: it does not.

        """
        self.count += 1
        if member.type not in _KNOWN:
            raise _refused(member, f"it is of an unknown type, {member.type!r}")
        parts = self._inside(member, member.name, "its name")
        if hash(parts) in self._links and not member.issym():
            raise _refused(member, "it would replace a symbolic link of the same name")
        if member.issym():
            self._links.add(hash(parts))
        if member.islnk():
            self._look_at_link(member, parts)
        if member.isdev() and not member.isfifo() and not self._devices and not _is_whiteout(member):
            raise _refused(member, "it is a device node", hint="--devices, if you trust who made it")

    def _look_at_link(self, member: tarfile.TarInfo, parts: tuple[str, ...]) -> None:
        target = self._inside(member, member.linkname, "the file that it is another name of")
        if hash(target) in self._links:  # a second name of a symbolic link is one, too
            self._links.add(hash(parts))

    def _inside(self, member: tarfile.TarInfo, name: str, what: str) -> tuple[str, ...]:
        if name.startswith("/"):
            raise _refused(member, f"{what} is absolute: {name!r}")
        if "\0" in name:
            raise _refused(member, f"{what} holds a zero byte")
        parts = tuple(p for p in name.split("/") if p not in {"", "."})
        if ".." in parts:
            raise _refused(member, f"{what} leads upwards: {name!r}")
        for length in range(len(parts)):
            if hash(parts[:length]) in self._links:
                raise _refused(member, f"{what} leads through the symbolic link {'/'.join(parts[:length])!r}")
        return parts


def _is_whiteout(member: tarfile.TarInfo) -> bool:
    return member.ischr() and (member.devmajor, member.devminor) == (0, 0)


def _refused(member: tarfile.TarInfo, why: str, hint: str = NOT_OURS) -> RefusedError:
    return RefusedError(
        "member-outside",
        f"The backup holds {member.name!r}, which is not unpacked: {why}.",
        evidence=[f"member {member.name!r} at byte {member.offset} of the tar"],
        hint=hint,
    )
