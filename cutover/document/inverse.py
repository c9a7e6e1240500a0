"""Edits taken back on a file that may have changed elsewhere since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from cutover.document.document import Document, Path
from cutover.document.edit import Edit
from cutover.document.intent import Inverse
from cutover.document.move import move_ports
from cutover.document.services import remove_service
from cutover.document.values import append_item, delete, insert_source, set_source
from cutover.errors import EditRefusedError
from cutover.model import Protocol


def apply_inverse(document: Document, inverse: Inverse, *, env: Mapping[str, str] | None = None) -> Edit:
    """Return the edit that takes another one back; `inverse` may come out of a journal.

    Raises:
        EditRefusedError: the file has changed too much for it, or `inverse-unknown`.

    """
    given = inverse.arguments
    match inverse.operation:
        case "move_ports":
            source, target, published, retarget = move_arguments(inverse)
            return move_ports(document, source, target, published, env=env, retarget=retarget)
        case "remove_service":
            return remove_service(document, str(given["name"]))
        case "delete":
            return delete(document, _path(given))
        case "set_source":
            return set_source(document, _path(given), str(given["text"]))
        case "append_item":
            return append_item(document, _path(given), str(given["value"]))
        case "insert_source":
            return insert_source(document, _path(given), cast("list[str]", given["lines"]), str(given["after"]))
        case other:
            raise EditRefusedError("inverse-unknown", f"nobody knows how to do {other!r}.", file=document.name)


def move_arguments(inverse: Inverse) -> tuple[str, str, list[tuple[int, Protocol]], dict[int, int]]:
    """Return source, target, published ports and retargets of a move's inverse.

    Raises:
        EditRefusedError: `inverse-unknown`.

    """
    given = inverse.arguments
    if inverse.operation != "move_ports":
        raise EditRefusedError("inverse-unknown", f"{inverse.operation!r} moves no ports.")
    published = cast("list[tuple[int, str]]", given["published"])
    retarget = cast("list[tuple[int, int]]", given["retarget"])
    ports = [(int(port), Protocol(protocol)) for port, protocol in published]
    return str(given["source"]), str(given["target"]), ports, {int(old): int(new) for old, new in retarget}


def _path(given: Mapping[str, object]) -> Path:
    return tuple(cast("list[str | int]", given["path"]))
