"""Published ports, moved from one service to another of the same file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import product

from cutover.document import insertion, removal, tree
from cutover.document.document import Document
from cutover.document.edit import Change, Edit, only_at, prove
from cutover.document.fragment import Fragment, item_fragment
from cutover.document.intent import PortMove
from cutover.document.origin import Origins
from cutover.document.ports import PortEntry
from cutover.document.retarget import retargeted
from cutover.document.selection import PublishedPort, forbid_clash, forbid_heirs, forbid_target, select
from cutover.document.source import Node


def move_ports(
    document: Document,
    source: str,
    target: str,
    published: Collection[PublishedPort] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    retarget: Mapping[int, int] | None = None,
) -> Edit:
    """Move the entries that publish these host ports (all of them: None) from `source` to `target`.

    The moved text is the entry's own: quotes, variables and trailing comment go along. `env` is what Compose would
    interpolate with. `retarget` maps the container ports of `source` to those of `target`, where they differ.

    Raises:
        EditRefusedError: the move cannot be made safely; nothing was changed. The references are listed in
            `cutover.document`.

    """
    env, retarget = env or {}, retarget or {}
    if source == target:
        raise document.refuse("same-service", f"{source!r} is both the source and the target.")
    entries = select(document, source, published, env)
    forbid_target(document, target)
    forbid_clash(document, source, entries, env)
    forbid_heirs(document, source, target, entries)
    fragments = fragments_of(document, source, entries, retarget, env)
    ways = product(take(document, source, entries), give(document, target, fragments, like=source))
    checks = [only_at(("services", source, "ports"), ("services", target, "ports"))]
    edit = prove(document, (one + other for one, other in ways), checks, where=entries[0].node)
    move = move_of(source, target, entries, retarget)
    return replace(edit, move=move, inverse=move.inverse())


def move_of(source: str, target: str, entries: Sequence[PortEntry], retarget: Mapping[int, int]) -> PortMove:
    """Return what moving these entries means."""
    bindings = tuple(binding for entry in entries for binding in entry.bindings)
    inside = {binding.target for binding in bindings}
    return PortMove(source, target, bindings, tuple((old, new) for old, new in retarget.items() if old in inside))


def fragments_of(
    document: Document,
    source: str,
    entries: Sequence[PortEntry],
    retarget: Mapping[int, int],
    env: Mapping[str, str],
) -> list[Fragment]:
    """Return the text of the entries, ready to be put elsewhere."""
    owner = _list(document, source)
    emptied = len(entries) == len(owner.items)
    with_line = emptied and not _alone(document, source) and not document.service(source).node.flow

    def fragment(entry: PortEntry) -> Fragment:
        changed = retargeted(document, entry, retarget, env)
        return item_fragment(document, owner, entry.index, changed=changed, emptied=emptied, with_line=with_line)

    return [fragment(entry) for entry in entries]


def take(document: Document, source: str, entries: Sequence[PortEntry]) -> list[Change]:
    """Return the ways to take the entries out of `source`; an empty list goes with its key, or stays as `[]`.

    It stays where a merge key has ports as well, which the service would get as soon as it had none of its own.
    """
    path = ("services", source, "ports")
    owner = _list(document, source)
    if len(entries) < len(owner.items):
        return removal.remove_items(document, path, [entry.index for entry in entries])
    dropped, empty = removal.remove_pair(document, path), removal.empty_value(document, path, "[]")
    if document.aliased and Origins(document).hidden(document.service(source), "ports") is not None:
        return empty
    keep_key = _alone(document, source) or removal.has_key_comment(document, path)
    return [*empty, *dropped] if keep_key else [*dropped, *empty]


def give(document: Document, target: str, fragments: Sequence[Fragment], *, like: str | None = None) -> list[Change]:
    """Return the ways to append the fragments to the ports of `target`; a new key goes where `like` has its own."""
    path = ("services", target, "ports")
    owner = document.find(path)
    if owner is not None and (owner.items or owner.flow):
        return insertion.append_items(document, path, fragments)
    return new_list(document, path[:-1], "ports", fragments, like=document.find(("services", like)) if like else None)


def new_list(
    document: Document,
    path: tuple[str | int, ...],
    key: str,
    fragments: Sequence[Fragment],
    *,
    like: Node | None = None,
) -> list[Change]:
    """Return the ways to give the mapping at `path` a new list `key`."""
    parent = document.find(path)
    if parent is not None and parent.flow:
        return _new_flow_list(document, path, parent, key, fragments)
    offset = insertion.dash_offset(document, parent, like, *document.first_services())
    value = tree.sequence([fragment.node for fragment in fragments])

    def render(column: int, newline: str) -> str:
        items = "".join(fragment.block(column + offset, newline) for fragment in fragments)
        return " " * column + key + ":" + newline + items

    return insertion.add_pair(document, path, (tree.scalar(key), value), render, after=_predecessor(parent, like, key))


def _new_flow_list(
    document: Document, path: tuple[str | int, ...], parent: Node, key: str, fragments: Sequence[Fragment]
) -> list[Change]:
    style = '"' if parent.pairs and parent.pairs[0][0].style == '"' else None
    quote = style or ""
    items = ", ".join(insertion.flow_text(document, fragment, parent) for fragment in fragments)
    comment = "  ".join(fragment.comment for fragment in fragments if fragment.comment)
    value = tree.sequence([fragment.flow_node for fragment in fragments])
    text = f"{quote}{key}{quote}: [{items}]"
    return insertion.add_flow_pair(document, path, (tree.scalar(key, style=style), value), text, comment)


def _predecessor(parent: Node | None, like: Node | None, key: str) -> str | None:
    """Return the key that stands before `key` in `like`, the nearest that `parent` has too."""
    at = like.index(key) if like is not None else None
    if like is None or at is None or parent is None:
        return None
    return next((found.value for found, _ in reversed(like.pairs[:at]) if parent.index(found.value) is not None), None)


def _alone(document: Document, service: str) -> bool:
    """Say whether the service has nothing but its ports: without them it would be `{}`, which Compose may reject."""
    return len(document.service(service).node.pairs) == 1


def _list(document: Document, service: str) -> Node:
    owner = document.service(service).ports
    if owner is None:
        raise document.refuse("port-not-declared", f"service {service!r} has no ports.")
    return owner
