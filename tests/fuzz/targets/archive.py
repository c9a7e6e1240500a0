"""Archives of `cutover backup`: their manifests, the members of their tars, what was sealed (tests/fuzz/targets/archive.py)."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from functools import cache

from cutover.backup import archive, manifest
from cutover.backup.members import check_members
from tests.fuzz.target import Target, file_with, see, told

HEX = "0" * 64
GOOD = {
    "format": 1, "cutover": "0.1.0", "id": "20250101T000000.000-aaaa", "made": "2025-01-01T00:00:00Z", "why": "asked",
    "project": "shop", "folder": "/srv", "files": ["compose.yml"], "sealed": None,
    "payloads": [{"kind": "file", "name": "/srv/a.yml", "file": "files/00-a.yml", "size_bytes": 3, "sha256": HEX,
                  "mode": 420, "uid": 0, "gid": 0, "stored_sha256": HEX}],
    "containers": [{"service": "a", "container": "a-1", "reference": "a:1", "image_id": "sha256:1"}],
    "git": {"top": "/srv", "commit": HEX[:40], "branch": "main", "dirty": ["?? x"]},
}  # fmt: skip


def read(data: bytes) -> None:
    """Read an archive whose manifest is anything, and look at what it holds."""
    path = file_with(data, "archives/20250101T000000.000-aaaa/manifest.json")
    told(lambda: manifest.read(path.parent), FileNotFoundError)
    for found in archive.archives(path.parent.parent):
        known = told(lambda found=found: found.known)
        told(lambda found=found: list(found.problems()))
        told(lambda found=found: (found.standing, found.verified, found.size_bytes, found.manifest))
        for payload in known.payloads if known else ():
            saved = found.saved(payload)
            see(saved.copy.resolve().is_relative_to(path.parent.resolve()), f"{saved.copy} is outside")


def signed(data: bytes) -> None:
    """Do the same where the checksum of the manifest holds."""
    try:
        body = json.loads(data)
        body.pop("manifest_sha256", None)
        body["manifest_sha256"] = hashlib.sha256(
            json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()
    except (ValueError, AttributeError, TypeError, RecursionError):
        return
    read(json.dumps(body).encode())


def members(data: bytes) -> None:
    """Look through a tar that anybody may have made."""
    told(lambda: check_members(iter([data[:700], data[700:]])))


@cache
def _tars() -> tuple[bytes, ...]:
    found = []
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
            for name, type_, link in (
                ("a", tarfile.REGTYPE, ""),
                ("d/b" * 30, tarfile.SYMTYPE, "../x"),
                ("c", tarfile.LNKTYPE, "a"),
            ):
                member = tarfile.TarInfo(name)
                member.type, member.linkname, member.mtime = type_, link, 1.5
                member.size = 3 if type_ == tarfile.REGTYPE else 0
                tar.addfile(member, io.BytesIO(b"abc"))
        found.append(out.getvalue())
    return tuple(found)


BODY = json.dumps(GOOD).encode()
WORDS = (
    b"null",
    b"[]",
    b"{}",
    b"1e999",
    b"9" * 400,
    b"[" * 5000,
    b"../",
    b"/etc/passwd",
    b"\\u0000",
    b"\\ud800",
    b'"format":2',
    b"true",
)
TARGETS = (
    Target("archive-manifest", read, lambda: (BODY,), WORDS),
    Target("archive-signed", signed, lambda: (BODY,), WORDS),
    Target(
        "archive-tar",
        members,
        _tars,
        (
            b"ustar\00000",
            b"\0" * 512,
            b"../",
            b"2",
            b"1",
            b"x",
            b"L",
            b"S",
            b"K",
            b"28 GNU.sparse.major=1\n",
            b"\x80\xff",
        ),
    ),
)
