"""Texts that have a shape of their own: queries and forms, URLs, multipart, XML, Redis commands; each without secrets.

Where nothing in a text is secret it is returned as it was, to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Protocol
from urllib.parse import quote, unquote, unquote_plus

from cutover.probes.spec import MASK

LABELS: Final = frozenset(
    {
        "name", "key", "k", "n", "field", "header", "property", "prop", "param", "parameter", "variable", "var", "env",
        "attr", "attribute", "label", "option", "setting", "path", "id", "title", "arg", "argument", "flag", "column",
        "type", "kind",
    }
)  # fmt: skip
"""Keys under which a name stands, whose value stands beside it."""
_SAFE: Final = "/:@!$'()*,;~"
_VALUE: Final = re.compile(
    r"(?:\w*[_.-])?(?:v|vals?|values?|content|data|text|body|raw|default|str|string|number|plain)(?:[_.-]\w*)?|"
    r"[a-z]*(?:value|content|string)s?",
    re.IGNORECASE,
)
_PLAIN_LABEL: Final = re.compile(r"[A-Za-z]+(?:[_.-][A-Za-z]+)*")
_SCHEME: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<who>[^/?#]*)")
_PART_NAME: Final = re.compile(r"\bname\*?\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;\"]+))", re.IGNORECASE)
_BLANK_LINE: Final = re.compile(r"\r?\n\r?\n")
_ITEM: Final = re.compile(r"(\$\d+\r\n)(.*?)(?=\r\n(?:\$\d+\r\n|\*\d+\r\n|$))", re.DOTALL)
_TAGGED: Final = re.compile(r"(<(?:\w+:)?(?P<name>[\w.-]+)(?:\s[^<>]*)?>)(?P<value>[^<]*)(?=</)")
_ATTRIBUTE: Final = re.compile(r"(\b(?P<name>[\w:.-]+)\s*=\s*)(?:\"[^\"]*\"|'[^']*')")


class Masks(Protocol):
    """What knows which names are secret, and takes the secrets out of a text."""

    def named(self, name: str, text: str) -> str:
        """Return what stands under a name without its secrets."""
        ...

    def labels(self, text: object) -> bool:
        """Say whether a text is the secret name of what stands beside it."""
        ...

    def hidden(self, text: str) -> str:
        """Return the mask, and remember what was under it."""
        ...

    def text(self, text: str) -> str:
        """Return a text without its secrets."""
        ...


def is_value(key: str) -> bool:
    """Say whether a key is one whose value another key names: `value` beside `name`."""
    return bool(_VALUE.fullmatch(key))


def is_label(key: str, value: object, masks: Masks) -> bool:
    """Say whether a key holds the secret name of a value beside it; `type: token` means a piece of text."""
    plain = key.lower()
    if plain not in LABELS or not masks.labels(value):
        return False
    if plain == "key" and not _PLAIN_LABEL.fullmatch(str(value)):  # more like a key than like the name of one
        return False
    return plain not in {"type", "kind", "id", "title"} or "token" not in str(value).lower()


def masked_query(raw: str, masks: Masks) -> str:
    """Return a query or form without its secrets."""
    shown: list[str] = []
    labelled = False
    raw, end = raw.rstrip("\r\n"), raw[len(raw.rstrip("\r\n")) :]
    for part in re.split(r"([&;])", raw):
        name, equals, value = part.partition("=")
        plain_name, plain = unquote_plus(name), unquote_plus(value)
        if not equals:
            hidden = masks.text(plain_name)
            shown.append(part if hidden == plain_name else quote(hidden, safe=_SAFE))
            continue
        hidden = masks.hidden(plain) if labelled and is_value(plain_name) and plain else masks.named(plain_name, plain)
        if is_label(plain_name, plain, masks):
            labelled, hidden = True, plain
        safe_name = masks.text(plain_name)
        shown_name = name if safe_name == plain_name else quote(safe_name, safe=_SAFE)
        shown.append(f"{shown_name}={value if hidden == plain else quote(hidden, safe=_SAFE)}")
    return "".join(shown) + end


def masked_target(raw: str, masks: Masks) -> str:
    """Return a URL, or what of it HTTP asks for, without its secrets."""
    before, _, fragment = raw.partition("#")
    place, asks, query = before.partition("?")
    head = _SCHEME.match(place)
    start = ""
    if head:
        who, at, host = head["who"].rpartition("@")
        if at:
            masks.hidden(unquote(who.partition(":")[2]))
        start = f"{head['scheme']}{MASK + at if at else ''}{host}"
        place = place[head.end() :]
    shown = start + "/".join(_segment(part, masks) for part in place.split("/"))
    shown += asks + masked_query(query, masks)
    return f"{shown}#{masked_query(fragment, masks)}" if "#" in raw else shown


def _segment(raw: str, masks: Masks) -> str:
    first, semicolon, parameters = raw.partition(";")
    plain = unquote(first)
    hidden = masks.text(plain)
    shown = first if hidden == plain else quote(hidden, safe=_SAFE)
    return shown + semicolon + masked_query(parameters, masks)


def masked_multipart(text: str, masks: Masks) -> str:
    """Return a multipart body without its secrets."""
    boundary = text.lstrip().splitlines()[0].rstrip()
    shown = []
    for part in text.split(boundary):
        blank = _BLANK_LINE.search(part)
        if not blank:
            shown.append(part)
            continue
        head, body = part[: blank.end()], part[blank.end() :]
        found = _PART_NAME.search(head)
        name = unquote((found[1] or found[2] or "").rpartition("''")[2]) if found else ""
        value = body.rstrip("\r\n")
        shown.append(masks.text(head) + masks.named(name, value) + body[len(value) :])
    return boundary.join(shown)


def masked_redis(text: str, masks: Masks) -> str:
    """Return Redis commands without what follows a secret name; after AUTH, without all that follows in it."""
    all_of_it = after_name = False

    def shown(match: re.Match[str]) -> str:
        nonlocal all_of_it, after_name
        hide, item = all_of_it or after_name, match[2]
        all_of_it = (all_of_it or item.upper() == "AUTH") and "\r\n*" not in match.string[
            match.start() - 8 : match.start()
        ]
        after_name = masks.labels(item)
        return match[1] + (masks.hidden(item) if hide else masks.text(item))

    return _ITEM.sub(shown, text)


def masked_tags(text: str, masks: Masks) -> str:
    """Return what looks like XML, and cannot be read as such, without its secrets: HTML, pieces, several documents."""
    shown = _TAGGED.sub(lambda m: m[1] + masks.named(m["name"], m["value"]), text)
    shown = _ATTRIBUTE.sub(lambda m: f'{m[1]}"{MASK}"' if masks.labels(m["name"]) else m[0], shown)
    return re.sub(r"<[^<>]+>", lambda m: _labelled_tag(m[0], masks), shown)


def _labelled_tag(tag: str, masks: Masks) -> str:
    """Mask `value="x"` in `<input name="password" value="x">`."""
    found = [(m["name"], m[0][len(m[1]) :].strip("\"'")) for m in _ATTRIBUTE.finditer(tag)]
    if not any(is_label(name, value, masks) for name, value in found):
        return tag
    return _ATTRIBUTE.sub(lambda m: f'{m[1]}"{MASK}"' if is_value(m["name"]) else m[0], tag)


def masked_xml(text: str, masks: Masks) -> str:
    """Return XML without its secrets: by tag, by attribute, by the name that an element or attribute beside it says."""
    from xml.etree import ElementTree as ET  # noqa: PLC0415

    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities say the same in other words
        return masked_tags(text, masks)
    try:
        root = ET.fromstring(text)  # noqa: S314  (no entities: see above)
    except (ET.ParseError, ValueError):
        return masked_tags(text, masks)
    changed = [_mask_element(element, masks) for element in _with_children(root)]
    return ET.tostring(root, encoding="unicode") if any(changed) else text


def _with_children(root: Element) -> Iterator[Element]:
    stack = [root]
    while stack:
        found = stack.pop()
        yield found
        stack += list(found)


class Element(Protocol):
    """What we use of an element of the standard library's XML tree."""

    tag: str
    text: str | None
    tail: str | None
    attrib: dict[str, str]

    def __iter__(self) -> Iterator[Element]:
        """Yield its children."""
        ...


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def _mask_element(element: Element, masks: Masks) -> bool:
    """Mask an element's own text and attributes, and those of its children that it or a brother names."""
    before = (element.text, dict(element.attrib))
    labelled = any(is_label(_local(n), v, masks) for n, v in element.attrib.items())
    for name, value in element.attrib.items():
        hide = labelled and is_value(_local(name))
        if not is_label(_local(name), value, masks):
            element.attrib[name] = masks.hidden(value) if hide else masks.named(_local(name), value)
    changed = False
    if labelled or masks.labels(_local(element.tag)):
        changed = _hide_below(element, masks)
    else:
        element.text = masks.text(element.text) if element.text else element.text
        changed = _hide_labelled_children(element, masks)
    for child in element:
        if child.tail and child.tail.strip():
            shown = masks.hidden(child.tail) if labelled else masks.text(child.tail)
            changed, child.tail = changed or shown != child.tail, shown
    return changed or before != (element.text, dict(element.attrib))


def _hide_labelled_children(element: Element, masks: Masks) -> bool:
    hide = changed = False
    for child in element:
        if _local(child.tag).lower() in LABELS:
            hide = masks.labels((child.text or "").strip())
        elif hide:
            changed = _hide_below(child, masks) or changed
    return changed


def _hide_below(element: Element, masks: Masks) -> bool:
    changed = False
    for found in _with_children(element):
        if found.text and found.text.strip() and found.text != MASK:
            found.text, changed = masks.hidden(found.text), True
        for name, value in found.attrib.items():
            if found is not element and value != MASK:
                found.attrib[name], changed = masks.hidden(value), True
    return changed
