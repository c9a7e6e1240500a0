"""What Compose lets people write as a list or with keys: labels, networks, environment, profiles."""

from __future__ import annotations

from cutover.document.document import Document, Path
from cutover.document.edit import Edit
from cutover.document.render import Scalar
from cutover.document.source import Kind, Node
from cutover.document.values import append_item, delete, dotted, put, remove_item, set_scalar


def set_entry(document: Document, path: Path, key: str, value: Scalar = None) -> Edit:
    """Give the list or mapping at `path` the entry `key`, with a value (labels) or without (networks, profiles).

    Where nothing is there yet, a list is made.

    Raises:
        EditRefusedError: as `values.append_item` and `values.set_scalar`.

    """
    owner = document.find(path)
    text = key if value is None else f"{key}={_text(value)}"
    if owner is not None and owner.kind is Kind.MAPPING:
        return set_scalar(document, (*path, key), value) if value is not None else put(document, (*path, key), {})
    found = None if owner is None or value is None else _index(owner, key)
    if found is None:
        return append_item(document, path, text)
    return set_scalar(document, (*path, found), text)


def unset_entry(document: Document, path: Path, key: str) -> Edit:
    """Take the entry `key` out of the list or mapping at `path`.

    Raises:
        EditRefusedError: `item-unknown`, or as `values.remove_item` and `values.delete`.

    """
    owner = document.find(path)
    if owner is not None and owner.kind is Kind.MAPPING:
        return delete(document, (*path, key) if len(owner.pairs) > 1 else path)
    found = None if owner is None else _index(owner, key)
    if owner is None or found is None:
        raise document.refuse("item-unknown", f"{dotted(path)} has no entry {key!r}.", owner)
    return remove_item(document, path, owner.items[found].value)


def _index(owner: Node, key: str) -> int | None:
    return next(
        (i for i, item in enumerate(owner.items) if item.kind is Kind.SCALAR and item.value.partition("=")[0] == key),
        None,
    )


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
