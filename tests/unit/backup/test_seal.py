"""Encryption through `age` and `gpg`: the real ones where they are there, and what is told where they are not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cutover.backup.seal import Seal
from cutover.backup.stream import reading, store
from cutover.errors import CutoverError, RefusedError, UsageError

CONTENT = [os.urandom(1 << 20), b"plain words " * 200_000]


def needs(program: str) -> pytest.MarkDecorator:
    """Mark what needs a program that not every machine has."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"there is no {program} on this machine")


@pytest.fixture
def age_key(tmp_path) -> tuple[str, Path]:
    """Give a recipient and the identity file that opens what is for it."""
    return made_key(tmp_path / "key")


def made_key(path: Path) -> tuple[str, Path]:
    """Make an age key."""
    subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    recipient = next(line for line in path.read_text().splitlines() if "public key" in line).split(": ")[1]
    return recipient, path


@pytest.fixture
def gpg_home(tmp_path_factory, monkeypatch) -> Path:
    """Give a key ring with a key without a passphrase."""
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    make = [
        "gpg",
        "--batch",
        "--quiet",
        "--passphrase",
        "",
        "--quick-generate-key",
        "backup@example.org",
        "ed25519/cv25519",
    ]
    if subprocess.run(make, check=False, capture_output=True).returncode:
        make[-1] = "default"
        subprocess.run(make, check=True, capture_output=True)
    yield home
    subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False)


def sealed(tmp_path: Path, seal: Seal, opener: Seal | None) -> bytes:
    """Store and read back."""
    stored = store(iter(CONTENT), tmp_path, "data.tar", seal=seal)
    assert stored.file == f"data.tar.zst{seal.suffix}"
    assert b"plain words" not in (tmp_path / stored.file).read_bytes()
    with reading(stored, tmp_path, seal=opener) as chunks:
        return b"".join(chunks)


@needs("age")
def test_age_closes_for_a_recipient_and_opens_with_the_identity(tmp_path, age_key) -> None:
    """A file of recipients does as well."""
    recipient, identity = age_key
    assert sealed(tmp_path, Seal.parse(f"age:{recipient}"), Seal.parse("age", identity)) == b"".join(CONTENT)
    (tmp_path / "recipients").write_text(recipient + "\n")
    assert sealed(tmp_path, Seal.parse(f"age:{tmp_path / 'recipients'}"), Seal("age", None, identity)) == b"".join(
        CONTENT
    )


@needs("age")
def test_the_wrong_identity_is_told(tmp_path, age_key) -> None:
    """With what age says."""
    other = made_key(tmp_path / "other")[1]
    with pytest.raises(RefusedError, match="`age` failed") as caught:
        sealed(tmp_path, Seal.parse(f"age:{age_key[0]}"), Seal("age", None, other))
    assert "no identity matched" in " ".join(caught.value.evidence)
    assert "--identity" in str(caught.value.hint)


@needs("age")
def test_no_identity_is_told(tmp_path, age_key) -> None:
    """Before anything runs."""
    with pytest.raises(RefusedError, match="no identity file"):
        sealed(tmp_path, Seal.parse(f"age:{age_key[0]}"), None)


@needs("age")
def test_a_wrong_recipient_leaves_no_file(tmp_path) -> None:
    """Nor a part of one."""
    with pytest.raises(RefusedError, match="`age` failed"):
        store(iter(CONTENT), tmp_path, "data.tar", seal=Seal.parse("age:age1nobody"))
    assert list(tmp_path.iterdir()) == []


@needs("age")
def test_a_file_that_was_tampered_with_is_told(tmp_path, age_key) -> None:
    """By age itself, or by the hash."""
    recipient, identity = age_key
    stored = store(iter(CONTENT), tmp_path, "data.tar", seal=Seal.parse(f"age:{recipient}"))
    content = bytearray((tmp_path / stored.file).read_bytes())
    content[-100_000] ^= 1
    (tmp_path / stored.file).write_bytes(content)
    with pytest.raises(CutoverError), reading(stored, tmp_path, seal=Seal("age", None, identity)) as chunks:
        assert b"".join(chunks)


@needs("gpg")
def test_gpg_closes_for_a_key_and_opens_with_it(tmp_path, gpg_home) -> None:
    """The key ring is the one of whoever runs it."""
    assert sealed(tmp_path, Seal.parse("gpg:backup@example.org"), None) == b"".join(CONTENT)


@needs("gpg")
def test_gpg_without_the_key_says_so(tmp_path, gpg_home, monkeypatch) -> None:
    """In either direction."""
    with pytest.raises(RefusedError, match="`gpg` failed"):
        store(iter(CONTENT), tmp_path, "no.tar", seal=Seal.parse("gpg:stranger@example.org"))
    stored = store(iter(CONTENT), tmp_path, "data.tar", seal=Seal.parse("gpg:backup@example.org"))
    empty = tmp_path / "h"
    empty.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(empty))
    with pytest.raises(RefusedError, match="`gpg` failed"), reading(stored, tmp_path) as chunks:
        assert b"".join(chunks)


@pytest.mark.parametrize("program", ["age", "gpg"])
def test_a_program_that_is_not_there_is_named_with_its_package(tmp_path, monkeypatch, program) -> None:
    """Before a byte is written."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefusedError, match=f"no program {program}") as caught:
        store(iter(CONTENT), tmp_path / "archive", "data.tar", seal=Seal.parse(f"{program}:somebody"))
    assert str(caught.value.hint).startswith("apt-get install ")
    assert not list((tmp_path / "archive").glob("*"))


@pytest.mark.parametrize("text", ["", "zip:me", "age:-o/etc/passwd", "gpg:--export-secret-keys"])
def test_what_names_no_seal_is_refused(text) -> None:
    """A recipient that looks like a flag would be one."""
    with pytest.raises(UsageError):
        Seal.parse(text)


def test_without_a_recipient_nothing_is_closed(tmp_path) -> None:
    """Such a seal opens only."""
    with pytest.raises(CutoverError):
        store(iter(CONTENT), tmp_path, "data.tar", seal=Seal.parse("age"))


def test_a_files_name_says_what_opens_it() -> None:
    """So that nobody has to remember."""
    assert Seal.of_file("volumes/data.tar.zst.age", Path("key")) == Seal("age", None, Path("key"))
    assert Seal.of_file("volumes/data.tar.zst") is None
