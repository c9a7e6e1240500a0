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
from collections.abc import Iterator

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
_KNOWN = _PLAIN | {tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE}


def check_members(chunks: Iterator[bytes], *, devices: bool = False) -> int:
    """Read a tar stream to its end and return the number of its members.

    Raises:
        RefusedError: a member would leave the folder, is a device node and `devices` is not said, or it is no tar.

    """
    stream = Chunks(chunks)
    judge = Judge(devices=devices)
    count = 0
    try:
        with tarfile.open(fileobj=stream, mode="r:", errors="surrogateescape") as tar:
            while (member := tar.next()) is not None:
                judge.look(member)
                count += 1
                tar.members.clear()  # type: ignore[attr-defined]  # it would remember them all
    except (tarfile.TarError, EOFError, ValueError, OverflowError, IndexError, struct.error) as error:
        raise _no_tar(str(error)) from error
    if any(bytes(block).strip(b"\0") for block in stream.blocks()):
        raise _no_tar("something follows the end of the tar, where another program might go on reading")
    return count


def _no_tar(why: str) -> RefusedError:
    hint = "cutover backups --verify looks at every backup; another one may be whole"
    return RefusedError("backup-no-tar", "The stream in this backup is not a whole tar.", evidence=[why], hint=hint)


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
