"""The document editor: it refuses, or edits what was meant and nothing else."""

from __future__ import annotations

import json

from cutover.document import Document, FileSet, Inverse, SetEdit
from cutover.document.interpolate import interpolate
from cutover.document.meaning import meaning_of
from cutover.document.override.template import comes_to, moved, split
from tests.fuzz import judge
from tests.fuzz.corpus import compose_files
from tests.fuzz.target import Target, see, text_of, told

NAME = "compose.yml"
ENV = {"PORT": "81", "IMAGE": "third:2"}
MOST_SERVICES = 3
NEW_IMAGE = "registry.example:5000/new/image:v2"
WORDS = (
    b"services:", b"ports:", b"image:", b"extends:", b"include:", b"<<: *a", b"&a ", b"*a", b"!reset ", b"!override ",
    b'- "5570:5570"', b"published:", b"target:", b"\r\n", b"\r", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"---\n",
    b"...\n", b"? ", b": ", b"- ", b"|\n", b">-\n", b"{", b"}", b"[", b"]", b"#", b"%YAML 1.1\n", b"\t", b"\0", b"  ", b"'",
    b'"', b"${PORT:-80}", b"1" * 30, b"~", b"\n",
)  # fmt: skip


def edits(data: bytes) -> None:
    """Take ports, move them, set an image, and back: each proven by another loader and by the lines."""
    files = told(lambda: FileSet.parse({NAME: data}))
    if files is None:
        return
    before = judge.meaning(data)
    names = list(files.services())[:MOST_SERVICES]
    for name in names:
        _taken(files, name, before)
        _imaged(files, name, before)
    for source, target in zip(names, [*names[1:], *names[:1]], strict=True):
        _moved(files, source, target, before)


def texts(data: bytes) -> None:
    """Understand a file by both parsers, follow its aliases, and interpolate its text."""
    for pure in (False, True):
        document = told(lambda pure=pure: Document.parse(data, NAME, pure=pure))
        if document is not None:
            see(document.content == data, "the bytes are not those that were read")
            told(lambda document=document: meaning_of(document.root, NAME))
    text = text_of(data)[:2000]
    for call in (lambda: interpolate(text, ENV), lambda: comes_to(text, ENV), lambda: split(text)):
        told(call, ValueError)
    told(lambda: moved(text, text, (0, 2), 99, ENV))


def _taken(files: FileSet, name: str, before: judge.Node | None) -> None:
    edit = told(lambda: files.take_ports(name, None, env=ENV))
    if edit is None:
        return
    after = _proven(files, edit, before, ("services", name, "ports"))
    if before is not None and after is not None:
        had, left = (judge.items_at(node, "services", name, "ports") for node in (before, after))
        see(len(had) - len(left) == len(edit.take.places[0].entries), "another number of entries went")
        see(all(item in had for item in left), "an entry came out of nowhere")
        gone = judge.at(after, "services", name, "ports") is None
        see(not (gone and judge.merged(after, name, "ports")), "other ports came in from a merge key")
    back = edit.files.apply_inverse(Inverse(**json.loads(json.dumps(edit.take.inverse().as_dict()))), env=ENV)
    if all(place.before is not None for place in edit.take.places):  # else it shared its lines with something else
        see(back.files.contents() == files.contents(), "what was taken did not come back to the byte")


def _moved(files: FileSet, source: str, target: str, before: judge.Node | None) -> None:
    edit = told(lambda: files.move_ports(source, target, env=ENV))
    if edit is None:
        return
    places = ("services", source, "ports"), ("services", target, "ports")
    after = _proven(files, edit, before, *places)
    if before is None or after is None:
        return
    had, left = ([judge.items_at(node, *place) for place in places] for node in (before, after))
    see(sorted(map(repr, had[0] + had[1])) == sorted(map(repr, left[0] + left[1])), "entries were lost or doubled")
    see(len(left[1]) > len(had[1]), "the target got nothing")
    told(
        lambda: edit.files.move_ports(target, source, [(b.host_port, b.protocol) for b in edit.move.bindings], env=ENV)
    )


def _imaged(files: FileSet, name: str, before: judge.Node | None) -> None:
    edit = told(lambda: files.set_image(name, NEW_IMAGE, env=ENV))
    if edit is None:
        return
    after = _proven(files, edit, before, ("services", name, "image"))
    if after is not None:
        found = judge.at(after, "services", name, "image")
        see(found is not None and found.value == NEW_IMAGE, "the image is not the one that was asked for")
    back = told(lambda: edit.files.apply_inverse(Inverse(**json.loads(json.dumps(edit.image.inverse().as_dict())))))
    see(back is not None and back.files.contents() == files.contents(), "the image did not come back to the byte")


def _proven(files: FileSet, edit: SetEdit, before: judge.Node | None, *places: judge.Key) -> judge.Node | None:
    (old,), (new,) = files.contents().values(), edit.files.contents().values()
    Document.parse(new, NAME)
    edit.diff()
    see(old.startswith(b"\xef\xbb\xbf") == new.startswith(b"\xef\xbb\xbf"), "the byte order mark changed")
    if before is None:
        return None
    after = judge.meaning(new)
    see(after is not None, "another loader cannot read the result")
    judge.same_but(before, after, *places)  # type: ignore[arg-type]
    return after


TARGETS = (
    Target("document-edits", edits, compose_files, WORDS, 20_000),
    Target("document-texts", texts, compose_files, WORDS, 20_000),
)
