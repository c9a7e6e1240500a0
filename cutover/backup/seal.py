"""Encryption of what an archive holds, by `age` or `gpg`: programs that people have, know and can open it with alone.

Either runs as a filter beside cutover; the plain stream never touches the disk.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from cutover.backup.pipeline import apart
from cutover.errors import RefusedError, UsageError

CHUNK_BYTES = 1 << 20
PACKAGES = {"age": "age", "gpg": "gnupg"}
_LAST_LINES = 6


@dataclass(frozen=True, slots=True)
class Seal:
    """How payload files are closed, and opened: the program, for whom, and with which identity file (age only)."""

    program: str
    recipient: str | None = None
    identity: Path | None = None

    @classmethod
    def parse(cls, text: str, identity: Path | None = None) -> Self:
        """Return the seal that `age:RECIPIENT`, `age:RECIPIENTS-FILE` or `gpg:KEY` names; without any, to open only.

        Raises:
            UsageError: it names no program that is known, or its recipient could be taken for a flag.

        """
        program, _, recipient = text.partition(":")
        if program not in PACKAGES or recipient.startswith("-"):
            raise UsageError(
                "seal-unknown",
                f"'{text}' says neither how nor for whom to encrypt.",
                hint="write age:RECIPIENT, age:RECIPIENTS-FILE or gpg:KEY",
            )
        return cls(program, recipient or None, identity)

    @classmethod
    def of_file(cls, name: str, identity: Path | None = None) -> Self | None:
        """Return what opens a file of this name, None where it is not encrypted."""
        program = name.rpartition(".")[2]
        return cls(program, None, identity) if program in PACKAGES else None

    @property
    def suffix(self) -> str:
        """Return what is appended to the name of an encrypted file."""
        return f".{self.program}"

    def closing(self) -> list[str]:
        """Return the command that encrypts its standard input.

        Raises:
            RefusedError: the program is not there.
            UsageError: for whom is not said.

        """
        self.see_program()
        if self.recipient is None:
            raise UsageError(
                "seal-no-recipient", "For whom to encrypt is not said.", hint=f"write {self.program}:RECIPIENT"
            )
        if self.program == "gpg":
            flags = ["--batch", "--quiet", "--no-tty", "--trust-model", "always", "--compress-algo", "none"]
            return ["gpg", *flags, "--recipient", self.recipient, "--encrypt"]
        return ["age", "--encrypt", "-R" if Path(self.recipient).is_file() else "-r", self.recipient]

    def opening(self) -> list[str]:
        """Return the command that decrypts its standard input.

        Raises:
            RefusedError: the program is not there, or no identity was given.

        """
        self.see_program()
        if self.program == "gpg":
            return ["gpg", "--batch", "--quiet", "--no-tty", "--decrypt"]
        if self.identity is None:
            raise RefusedError(
                "seal-no-identity",
                "This backup is encrypted with age, and no identity file was given to open it.",
                hint="say it again with --identity FILE (the file that age-keygen made)",
            )
        return ["age", "--decrypt", "-i", str(self.identity)]

    def see_program(self) -> None:
        """See that the program is there.

        Raises:
            RefusedError: it is not.

        """
        if shutil.which(self.program) is None:
            raise RefusedError(
                "seal-no-program",
                f"Encryption with {self.program} was asked for, and there is no program {self.program}.",
                hint=f"apt-get install {PACKAGES[self.program]}",
            )


@contextmanager
def closed(seal: Seal | None, chunks: Iterator[bytes], stop: threading.Event) -> Iterator[Iterator[bytes]]:
    """Give the stream encrypted; as it is where there is no seal.

    Raises:
        RefusedError: the program is missing or failed.

    """
    if seal is None:
        yield chunks
        return
    with filtered(
        seal.closing(), chunks, f"look whom `{seal.program}` knows: is '{seal.recipient}' right?", stop
    ) as sealed:
        yield sealed


@contextmanager
def opened(seal: Seal | None, chunks: Iterator[bytes], stop: threading.Event) -> Iterator[Iterator[bytes]]:
    """Give the stream decrypted; as it is where there is no seal.

    Raises:
        RefusedError: the program is missing or failed, or the identity is not one that it was encrypted for.

    """
    if seal is None:
        yield chunks
        return
    key = "--identity FILE, one that it was encrypted for" if seal.program == "age" else "gpg --list-secret-keys"
    with filtered(seal.opening(), chunks, f"look for the right key: {key}", stop) as plain:
        yield plain


@contextmanager
def filtered(argv: list[str], chunks: Iterable[bytes], hint: str, stop: threading.Event) -> Iterator[Iterator[bytes]]:
    """Run a program as a filter of a stream, and give what comes out; it has ended when this is left.

    Raises:
        RefusedError: it failed; `hint` is what to do then.

    """
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        feeder = _Feeder(process, chunks)
        feeder.start()

        def drawn() -> Iterator[bytes]:
            assert process.stdout
            while chunk := process.stdout.read(CHUNK_BYTES):
                yield chunk
            status = process.wait()
            feeder.join()
            if feeder.trouble is not None:
                raise feeder.trouble
            if status != 0:
                raise _failed(argv[0], status, said, hint)

        try:
            with apart(drawn(), stop=stop, unblock=process.kill) as ready:
                yield ready
        finally:
            process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()


class _Feeder(threading.Thread):
    """Gives a program its input, and keeps what went wrong where the input comes from."""

    def __init__(self, process: subprocess.Popen[bytes], chunks: Iterable[bytes]) -> None:
        super().__init__(name="cutover-filter", daemon=True)
        self._process, self._chunks = process, chunks
        self.trouble: BaseException | None = None

    def run(self) -> None:
        """Feed it to the end of the input, or its own: then it says itself why."""
        assert self._process.stdin
        try:
            with suppress(BrokenPipeError):
                for chunk in self._chunks:
                    self._process.stdin.write(chunk)
        except BaseException as error:  # noqa: BLE001  (raised again by whoever draws)
            self.trouble = error
            self._process.kill()
        with suppress(OSError):
            self._process.stdin.close()


def _failed(program: str, status: int, said: IO[bytes], hint: str) -> RefusedError:
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
    return RefusedError("seal-failed", f"`{program}` failed with status {status}.", evidence=lines, hint=hint)
