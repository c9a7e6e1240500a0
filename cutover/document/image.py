"""The image of a service, set where the file that wins says it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from cutover.document import kin, values
from cutover.document.document import Document
from cutover.document.intent import ImageChange, Inverse
from cutover.document.interpolate import UnresolvedError, interpolate
from cutover.document.origin import Origin, Origins
from cutover.document.setedit import SetEdit
from cutover.document.source import Kind, Node
from cutover.errors import EditRefusedError

if TYPE_CHECKING:
    from cutover.document.fileset import FileSet

# distribution/reference, regexp.go: [domain[:port]/]path[:tag][@digest], and an image's ID.
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
    r"(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{32,})?|sha256:[0-9a-f]{64}",
    re.ASCII,
)
_BARE = re.compile(r"[a-z][A-Za-z0-9._/-]*(?::[A-Za-z0-9._/-]+)*@sha256:[0-9a-f]{64}")
_LONGEST = 400
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)[^}$]*\}?")


def set_image(files: FileSet, service: str, image: str, env: Mapping[str, str]) -> SetEdit:
    """Set the image of a service; as `FileSet.set_image`."""
    document, node = _winner(files, service)
    if len(image) > _LONGEST or not _REFERENCE.fullmatch(image):
        raise document.refuse("image-invalid", f"{image!r} is no name of an image.", node)
    change = ImageChange(service, document.name, node.value, image, document.source_of(node))
    if "$" in node.value:
        if _interpolated(node.value, env) == image:
            return SetEdit(files, (), (replace(change, before=image),))
        raise _from_variable(document, node, service, image)
    if node.value == image:
        return SetEdit(files, (), (change,))
    _forbid_heirs(files, service)
    path = ("services", service, "image")
    # A digest needs no quotes that were not there: `@` means something only where a value begins.
    bare = node.plain and _BARE.fullmatch(image)
    edit = values.set_source(document, path, image) if bare else values.set_scalar(document, path, image)
    return SetEdit(files, (replace(edit, inverse=change.inverse()),), (change,))


def put_image_back(files: FileSet, change: ImageChange) -> SetEdit:
    """Set the image that a service had before a change, in the text that it had, where nobody set another since.

    Raises:
        EditRefusedError: `image-changed`, or as `FileSet.set_image`.

    """
    document, node = _winner(files, change.service)
    back = replace(change, before=change.after, after=change.before)
    if node.value == change.before:
        return SetEdit(files, (), (replace(back, before=change.before),))
    if node.value != change.after:
        raise document.refuse(
            "image-changed",
            f"the image of {change.service!r} is {node.value} by now; cutover had set {change.after}.",
            node,
            hint=f"set it to {change.before} by hand if that is what you want",
        )
    _forbid_heirs(files, change.service)
    edit = values.set_source(document, ("services", change.service, "image"), change.text)
    return SetEdit(files, (replace(edit, inverse=back.inverse()),), (back,))


def change_of(inverse: Inverse) -> ImageChange:
    """Return the change that an inverse, which may come out of a journal, takes back."""
    given = inverse.arguments
    return ImageChange(*(str(given[name]) for name in ("service", "file", "before", "after", "text")))


def _winner(files: FileSet, service: str) -> tuple[Document, Node]:
    """Return the last file that gives the service an image of its own, and that image as it is written."""
    definitions = files.definitions(service)
    for document in reversed(definitions):
        found = document.service(service)
        if found.node.kind is Kind.ALIAS:
            raise document.refuse("shared-by-alias", f"service {service!r} is an alias of another one.", found.node)
        origin, node = Origins(document).value(found, "image")
        if node is None or (node.is_null and not node.tag):
            continue
        if origin is Origin.MERGE:
            raise _merged(document, service, node)
        own = found.node.get("image")
        if own is None or own.kind is not Kind.SCALAR:
            what = f"the alias *{node.value}" if own is None else f"the alias *{own.value}"
            raise document.refuse("value-is-alias", f"the image of {service!r} is {what}.", own or node)
        return document, own
    raise _none(files, service, definitions)


def _merged(document: Document, service: str, node: Node) -> EditRefusedError:
    return document.refuse(
        "merged-value",
        f"{service!r} takes its image from a merge key, which other services may share.",
        node,
        hint=f"give {service!r} an image: of its own first",
    )


def _none(files: FileSet, service: str, definitions: tuple[Document, ...]) -> EditRefusedError:
    """Return the refusal that says why no file gives the service an image."""
    for document in definitions:
        for where, parent, base in kin.ancestors(files, document, service):
            return where.refuse(
                "image-from-extends",
                f"{service!r} takes its image from {parent.service!r} of {base.name if base else parent.file}.",
                where.line_start(parent.line),
                hint=f"give {service!r} an image: of its own first",
            )
    document = definitions[0]
    line = document.line_start(document.service(service).line)
    if any(d.find(("services", service, "build")) is not None for d in definitions):
        return document.refuse(
            "image-not-declared",
            f"{service!r} has build: and no image:, so that its image is what the build makes.",
            line,
            hint=f"docker compose build {service}, then cutover swap --service {service} without --image",
        )
    return document.refuse("image-not-declared", f"{service!r} has no image:.", line)


def _from_variable(document: Document, node: Node, service: str, image: str) -> EditRefusedError:
    """Return the refusal to write over a variable, with the value that it would have to get where that is clear."""
    found = _VARIABLE.findall(node.value)
    hint = f"set {', '.join(dict.fromkeys(found)) or 'it'} in .env, then cutover swap --service {service}"
    if len(found) == 1:
        before, after = _VARIABLE.split(node.value)[0::2]
        inner = image.removeprefix(before).removesuffix(after)
        if before + inner + after == image and inner:
            hint = f"write {found[0]}={inner} into .env, then cutover swap --service {service} without --image"
        else:
            hint += f"; {document.source_of(node)} cannot become {image} by that alone: write the image by hand"
    return document.refuse(
        "image-from-variable", f"the image of {service!r} is {document.source_of(node)}.", node, hint=hint
    )


def _interpolated(text: str, env: Mapping[str, str]) -> str | None:
    try:
        return interpolate(text, env)
    except UnresolvedError:
        return None


def _forbid_heirs(files: FileSet, service: str) -> None:
    """Refuse where a service without an image of its own extends this one: it would get the new image too."""
    for document in [*files.documents, *files.included.values()]:
        for heir in _heirs(files, document, service):
            line = document.line_start(document.services()[heir].line)
            raise document.refuse(
                "inherited-by-extends",
                f"service {heir!r} extends {service!r} and would get the new image too.",
                line,
                hint=f"give {heir!r} an image: of its own first",
            )


def _heirs(files: FileSet, document: Document, service: str) -> Iterator[str]:
    if "extends" not in document.text:
        return
    origins = Origins(document)
    for heir in origins.heirs(service) if service in document.services() else ():
        line = [heir, *takewhile(lambda name: name != service, origins.ancestors(heir))]
        if not any(_has_image(files, name) for name in line):
            yield heir
    for heir, _ in kin.heirs_elsewhere(files, document, {service}):
        if not _has_image(files, heir):
            yield heir


def _has_image(files: FileSet, service: str) -> bool:
    """Say whether any file gives the service an image that does not come by `extends:`."""
    definitions = [d for d in [*files.documents, *files.included.values()] if service in d.services()]
    return any(Origins(d).value(d.services()[service], "image")[1] is not None for d in definitions)
