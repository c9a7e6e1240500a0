"""What a tar stream would do to the folder it is unpacked in, told from its headers alone.

Refused are members that are absolute or contain `..`, hard links that lead outside, and members or hard links whose
way leads through a symbolic link of the same stream: what is written *through* a link lands wherever it points. A
symbolic link itself may point anywhere: that is content. Device nodes are refused unless they are asked for: whoever
can open one reaches a disk of the host past all rights. A whiteout, which is device 0/0 and stands for nothing, is no
such thing. Unpacking happens in a container that sees the volume alone, so this is the second wall, not the first.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

from cutover.errors import RefusedError

BLOCK_BYTES = 1 << 20
_PLAIN = {
    tarfile.REGTYPE,
    tarfile.AREGTYPE,
    tarfile.CONTTYPE,
    tarfile.GNUTYPE_SPARSE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
}
_KNOWN = _PLAIN | {tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE}


class Chunks(io.RawIOBase):
    """A stream in pieces as a file that can be read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._left = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer at the end."""
        found = []
        while size > 0:
            if not self._left:
                self._left = memoryview(next(self._chunks, b""))
                if not self._left:
                    break
            found.append(self._left[:size])
            self._left = self._left[size:]
            size -= len(found[-1])
        return b"".join(found)


def check_members(chunks: Iterator[bytes], *, devices: bool = False) -> int:
    """Read a tar stream to its end and return the number of its members.

    Raises:
        RefusedError: a member would leave the folder, is a device node and `devices` is not said, or it is no tar.

    """
    stream = Chunks(chunks)
    judge = Judge(devices=devices)
    count = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK_BYTES, errors="surrogateescape") as tar:
            for member in tar:
                judge.look(member)
                count += 1
                tar.members.clear()  # it would remember them all
            _only_zeros(tar)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise RefusedError(
            "backup-no-tar", "The stream in this backup is not a whole tar.", evidence=[str(error)]
        ) from error
    return count


def _only_zeros(tar: tarfile.TarFile) -> None:
    """See that nothing follows the end of the tar: another program might go on reading there."""
    rest = tar.fileobj
    assert rest is not None
    while block := rest.read(BLOCK_BYTES):
        if block.strip(b"\0"):
            raise RefusedError("backup-no-tar", "Something follows the end of the tar in this backup.")


class Judge:
    """Looks at one member after the other, in their order."""

    def __init__(self, *, devices: bool = False) -> None:
        self._devices = devices
        self._links: set[int] = set()
        """Hashes of the names that are symbolic links: a volume may have a million of them."""

    def look(self, member: tarfile.TarInfo) -> None:
        """See that a member stays inside.

        Raises:
            RefusedError: it does not.

        """
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
            raise _refused(member, "it is a device node")

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


def _refused(member: tarfile.TarInfo, why: str) -> RefusedError:
    return RefusedError(
        "member-outside",
        f"The backup holds {member.name!r}, which is not unpacked: {why}.",
        evidence=[f"member {member.name!r} at byte {member.offset} of the tar"],
        hint="this is no backup of a volume that cutover wrote: find out where it comes from before you use it",
    )
