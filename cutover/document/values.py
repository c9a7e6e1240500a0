"""Single values of a compose file: set, deleted, appended to a list, taken out of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cutover.document import insertion, meaning, removal, render, tree
from cutover.document.document import Document, Path
from cutover.document.edit import Change, Edit, Splice, only_at, prove
from cutover.document.fragment import quoted
from cutover.document.intent import Inverse
from cutover.document.render import Data, Scalar
from cutover.document.source import Kind, Node
from cutover.errors import EditRefusedError


def set_scalar(document: Document, path: Path, value: Scalar) -> Edit:
    """Set the scalar at `path`, in the quotes that it has; make it, and the mappings above it, where it is not there.

    Raises:
        EditRefusedError: `not-a-scalar`, `tagged-value`, `shared-by-alias`, `value-is-alias`, `merged-value` or
            `edit-not-proven`.

    """
    node = document.find(path)
    if node is None:
        return put(document, path, value)
    text = _in_style(value, node.style)
    edit = set_source(document, path, text)
    return replace(edit, inverse=Inverse("set_source", {"path": list(path), "text": document.source_of(node)}))


def set_source(document: Document, path: Path, text: str) -> Edit:
    """Set the scalar at `path` to `text` as YAML source.

    Raises:
        EditRefusedError: as `set_scalar`.

    """
    node = document.find(path)
    if node is None or node.kind is not Kind.SCALAR:
        raise _no_scalar(document, path, node)
    if node.tag or node.anchor:
        raise document.refuse("tagged-value", f"{dotted(path)} carries a tag or an anchor.", node)
    begin = " " if node.start == node.end and text else ""
    splice = Splice(node.start, node.end, begin + text)
    # A block scalar that ends a file without a final newline lacks that newline in its value.
    news = [render.parsed(f"k: {text}{end}").pairs[0][1] for end in ("\n", "")]
    changes = [Change((splice,), _becomes(path, new)) for new in news]
    inverse = Inverse("set_source", {"path": list(path), "text": document.source_of(node)})
    return replace(prove(document, changes, [only_at(path)], where=node), inverse=inverse)


def put(document: Document, path: Path, data: Data) -> Edit:
    """Give `path`, which is not there yet, a value; the mappings above it that are missing are made.

    Raises:
        EditRefusedError: `path-taken`, `path-unknown`, `not-a-mapping`, `value-is-alias`, `merged-value`,
            `shared-by-alias` or `edit-not-proven`.

    """
    if path[:1] == ("services",) and len(path) > 2:  # noqa: PLR2004 - something of a service, which must be there
        document.service(str(path[1]))
    depth, parent = _deepest(document, path)
    here, key, rest = path[:depth], str(path[depth]), path[depth + 1 :]
    _forbid_merged(document, path[: depth + 1])
    for step in reversed(rest):
        data = {str(step): data}
    changes = _pair_changes(document, here, parent, key, data)
    edit = prove(document, changes, [only_at(path[: depth + 1])], where=parent)
    return replace(edit, inverse=Inverse("delete", {"path": list(path[: depth + 1])}))


def delete(document: Document, path: Path) -> Edit:
    """Delete the key or list item at `path`; a mapping or list that loses its last part stays, as `{}` or `[]`.

    Raises:
        EditRefusedError: `path-unknown`, `unusual-layout`, `anchor-in-use`, `shared-by-alias` or `edit-not-proven`.

    """
    node = document.find(path)
    if node is None or not path:
        raise document.refuse("path-unknown", f"there is no {dotted(path)}.")
    last = path[-1]
    if isinstance(last, int):
        return _delete_item(document, path[:-1], last)
    edit = prove(document, removal.remove_pair(document, path), [only_at(path)], where=node)
    return replace(edit, inverse=_put_back(document, path))


def append_item(document: Document, path: Path, value: Data) -> Edit:
    """Append an item to the list at `path`, which is made where it is not there.

    Raises:
        EditRefusedError: `item-exists`, `not-a-list`, or as `put`.

    """
    owner = document.find(path)
    if owner is None:
        return put(document, path, [value])
    fragment = render.item(value)
    if any(tree.difference(replace(fragment.node, style=item.style), item) is None for item in owner.items):
        raise document.refuse("item-exists", f"{dotted(path)} has {render.flow(value)} already.", owner)
    changes = insertion.append_items(document, path, [fragment])
    edit = prove(document, changes, [only_at(path)], where=owner)
    return replace(edit, inverse=Inverse("delete", {"path": [*path, len(owner.items)]}))


def remove_item(document: Document, path: Path, value: str) -> Edit:
    """Take the item that reads `value` out of the list at `path`; a list that loses its last item goes with its key.

    Raises:
        EditRefusedError: `item-unknown`, or as `delete`.

    """
    owner = document.find(path)
    items = owner.items if owner is not None else []
    found = [i for i, item in enumerate(items) if item.kind is Kind.SCALAR and item.value == value]
    if owner is None or not found:
        raise document.refuse("item-unknown", f"{dotted(path)} has no item {value!r}.", owner)
    if len(items) > 1:
        changes = removal.remove_items(document, path, found[:1])
    else:
        changes = [*removal.remove_pair(document, path), *removal.empty_value(document, path, "[]")]
    edit = prove(document, changes, [only_at(path)], where=items[found[0]])
    return replace(edit, inverse=Inverse("append_item", {"path": list(path), "value": value}))


def dotted(path: Path) -> str:
    """Return a path as people write it."""
    return ".".join(map(str, path))


def step_of(document: Document) -> int:
    """Return how many columns a level takes in this file: those between a service and its keys."""
    section = document.root.get("services")
    for key, value in section.pairs if section is not None and not section.flow else []:
        if value.pairs and not value.flow:
            step = document.lines.column(value.pairs[0][0].start) - document.lines.column(key.start)
            if step > 0:
                return step
    return 2


def _pair_changes(document: Document, here: Path, parent: Node, key: str, data: Data) -> list[Change]:
    if parent.is_null:
        return _opened(document, here, parent, key, data)
    if parent.flow:
        style = '"' if parent.pairs and parent.pairs[0][0].style == '"' else None
        name = quoted(key) if style else render.scalar_text(key)
        text = f"{name}: {render.flow(data)}"
        return insertion.add_flow_pair(document, here, render.parsed("{" + text + "}").pairs[0], text)
    lines = render.pair(
        key, data, step_of(document), insertion.dash_offset(document, parent, *document.first_services())
    )
    return insertion.add_pair(document, here, render.parsed("\n".join(lines)).pairs[0], indented(lines))


def indented(lines: list[str]) -> insertion.Render:
    """Return the rendering of lines at any column."""
    return lambda column, newline: "".join((" " * column + line if line.strip() else "") + newline for line in lines)


def _opened(document: Document, here: Path, parent: Node, key: str, data: Data) -> list[Change]:
    """Turn the empty value of a key into a mapping below it."""
    owner = document.find(here[:-1])
    name = next((found for found, value in owner.pairs if value is parent), None) if owner is not None else None
    if owner is None or owner.flow or name is None or parent.start != parent.end:
        raise document.refuse("not-a-mapping", f"{dotted(here)} is empty.", parent)
    step = step_of(document)
    lines = render.pair(key, data, step, insertion.dash_offset(document, owner))
    line = document.lines.number(parent.start)
    text = indented(lines)(document.lines.column(name.start) + step, document.lines.newline(line))
    at = document.lines.start(line + 1)
    value = render.parsed("\n".join(lines))
    return [Change((Splice(at, at, text),), lambda root: tree.changed_at(root, here, lambda _: value))]


def _deepest(document: Document, path: Path) -> tuple[int, Node]:
    """Return how much of `path` is there, and the node that the rest is to be put into."""
    node = document.root
    for depth, step in enumerate(path):
        if node.kind is Kind.ALIAS:
            raise document.refuse("value-is-alias", f"{dotted(path[:depth])} is the alias *{node.value}.", node)
        if isinstance(step, int):
            raise document.refuse("path-unknown", f"there is no {dotted(path)}.", node)
        found = node.get(step) if node.kind is Kind.MAPPING else None
        if found is None:
            if node.kind is not Kind.MAPPING and not node.is_null:
                raise document.refuse("not-a-mapping", f"{dotted(path[:depth])} is no mapping.", node)
            return depth, node
        node = found
    raise document.refuse("path-taken", f"{dotted(path)} is there already.", node)


def _forbid_merged(document: Document, path: Path) -> None:
    """Refuse to hide a value that comes from a merge key."""
    if not document.aliased:
        return
    value = meaning.meaning_of(document.root, document.name)
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return
        value = value[step]
    raise document.refuse(
        "merged-value",
        f"{dotted(path)} comes from a merge key; a value of its own would hide it.",
        document.find(path[:-1]),
        hint="change it where it is defined",
    )


def _delete_item(document: Document, path: Path, index: int) -> Edit:
    owner = document.find(path)
    if owner is None or owner.kind is not Kind.SEQUENCE:
        raise document.refuse("not-a-list", f"{dotted(path)} is no list.", owner)
    whole = len(owner.items) == 1
    changes = removal.empty_value(document, path, "[]") if whole else removal.remove_items(document, path, [index])
    item = owner.items[index]
    edit = prove(document, changes, [only_at(path)], where=item)
    if item.kind is not Kind.SCALAR:
        return edit
    return replace(edit, inverse=Inverse("append_item", {"path": list(path), "value": item.value}))


def _put_back(document: Document, path: Path) -> Inverse | None:
    """Return the edit that puts the text of a block pair back behind the key that it followed."""
    parent = document.find(path[:-1])
    index = parent.index(str(path[-1])) if parent is not None else None
    if parent is None or index is None or parent.flow:
        return None
    key, value = parent.pairs[index]
    if document.lines.before(key.start).strip():
        return None
    first, last = document.lines.number(key.start), document.lines.number(max(value.end - 1, key.start))
    column = document.lines.column(key.start)
    lines = [document.lines.content(line)[column:] for line in range(first, last + 1)]
    after = parent.pairs[index - 1][0].value if index else insertion.FIRST
    return Inverse("insert_source", {"path": list(path[:-1]), "lines": lines, "after": after})


def insert_source(document: Document, path: Path, lines: list[str], after: str) -> Edit:
    """Put `lines`, the source of one pair, into the mapping at `path`, behind the key `after` ("": first).

    Raises:
        EditRefusedError: `path-taken`, or as `put`.

    """
    # A block scalar that ends a file without a final newline lacks that newline in its value.
    pairs = [render.parsed("\n".join(lines) + end).pairs[0] for end in ("\n", "")]
    key, value = pairs[0]
    parent = document.find(path)
    if parent is None or parent.index(key.value) is not None:
        raise document.refuse("path-taken", f"{dotted((*path, key.value))} cannot be put back.", parent)
    if parent.flow:
        text = f"{key.value}: {render.flow_of(value, chr(10).join(lines))}"
        changes = insertion.add_flow_pair(document, path, (key, value), text)
    else:
        ways = [insertion.add_pair(document, path, pair, indented(lines), after=after) for pair in pairs]
        changes = [change for both in zip(*ways, strict=True) for change in both]
    edit = prove(document, changes, [only_at((*path, key.value))], where=parent)
    return replace(edit, inverse=Inverse("delete", {"path": [*path, key.value]}))


def _becomes(path: Path, new: Node) -> Callable[[Node], Node]:
    return lambda root: tree.changed_at(root, path, lambda _: new)


def _in_style(value: Scalar, style: str | None) -> str:
    if isinstance(value, str) and style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, str) and style:
        return quoted(value)
    return render.scalar_text(value)


def _no_scalar(document: Document, path: Path, node: Node | None) -> EditRefusedError:
    if node is not None and node.kind is Kind.ALIAS:
        return document.refuse("value-is-alias", f"{dotted(path)} is the alias *{node.value}.", node)
    return document.refuse("not-a-scalar", f"{dotted(path)} is no single value.", node)
