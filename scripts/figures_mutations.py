"""A compose file in other clothes: each mutation gives the same services and ports another text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from ruamel.yaml import YAML

Mutation = Callable[[str], str]

_ITEM = re.compile(r"""^(\s*)- (["']?)([\w.${}:/\[\]-]+)\2(\s*#.*)?$""")
_SHORT = re.compile(r"(?:(?P<ip>[\d.]+):)?(?P<host>\d+):(?P<target>\d+)(?:/(?P<protocol>udp|tcp))?")


def mutations() -> dict[str, Callable[[bytes], bytes]]:
    """Return the mutations by name; each takes and gives the bytes of a file."""
    plain: dict[str, Mutation] = {
        "crlf": lambda text: text.replace("\n", "\r\n"),
        "no final newline": lambda text: text.rstrip("\n"),
        "blank lines at the end": lambda text: text.rstrip("\n") + "\n\n\n\n",
        "trailing blanks": lambda text: _each(text, lambda line: line + "   " if line.strip() else line),
        "trailing tabs": lambda text: _each(text, lambda line: line + "\t" if line.rstrip().endswith('"') else line),
        "comments between": lambda text: _each(text, _comment_above),
        "comments behind": lambda text: _each(text, lambda line: line + "  # why" if _ITEM.match(line) else line),
        "commented-out keys": _commented_out,
        "unicode": lambda text: _each(text, lambda line: line + "  # Größe 模型 🙂" if _ITEM.match(line) else line),
        "double quotes": lambda text: _each(text, _requoted('"')),
        "single quotes": lambda text: _each(text, _requoted("'")),
        "no quotes": lambda text: _each(text, _requoted("")),
        "flow lists": lambda text: _ports(text, _flow),
        "flow lists, a line each": lambda text: _ports(text, _tall_flow),
        "long syntax": lambda text: _ports(text, _long),
        "long syntax within braces": lambda text: _ports(text, _long_flow),
        "host addresses, udp": lambda text: _each(text, _addressed),
        "variables": lambda text: _each(text, _variables),
        "dashes below the key": lambda text: _ports(
            text, lambda indent, items: [f"{indent}- {item}" for item in items]
        ),
        "wide dashes": lambda text: _ports(text, lambda indent, items: [f"{indent}    -   {item}" for item in items]),
        "double indentation": lambda text: _each(text, lambda line: " " * (len(line) - len(line.lstrip())) + line),
        "quoted keys": lambda text: re.sub(r"^(\s*)ports:", r'\1"ports":', text, flags=re.MULTILINE),
        "anchors": lambda text: re.sub(r"^(  )([\w-]+):[ ]*$", r"\1\2: &\2", text, flags=re.MULTILINE),
        "document marks": lambda text: "---\n" + text.rstrip("\n") + "\n...\n",
        "block scalars last": _block_scalars,
        "tight": lambda text: re.sub(r"\n\n+", "\n", text),
        "json": _json,
    }
    coded = {name: _coded(mutation) for name, mutation in plain.items()}
    return {"bom": lambda content: b"\xef\xbb\xbf" + content.removeprefix(b"\xef\xbb\xbf"), **coded}


def _coded(mutation: Mutation) -> Callable[[bytes], bytes]:
    return lambda content: mutation(content.decode("utf-8-sig").replace("\r\n", "\n")).encode()


def _each(text: str, change: Callable[[str], str]) -> str:
    return "\n".join(change(line) for line in text.split("\n"))


def _comment_above(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}# about the next line\n{line}" if line.strip() else line


def _commented_out(text: str) -> str:
    return re.sub(r"^(    )([\w-]+): (\S.*)$", r"\1\2: \3\n\1# \2: other\n\1#   - more", text, flags=re.MULTILINE)


def _requoted(quote: str) -> Mutation:
    def change(line: str) -> str:
        found = _ITEM.match(line)
        if not found or not _SHORT.fullmatch(found[3]):
            return line
        return f"{found[1]}- {quote}{found[3]}{quote}{found[4] or ''}"

    return change


def _addressed(line: str) -> str:
    found = _ITEM.match(line)
    if not found or not _SHORT.fullmatch(found[3]) or found[3].count(":") != 1:
        return line
    return f'{found[1]}- "[::1]:{found[3].partition("/")[0]}/udp"{found[4] or ""}'


def _variables(line: str) -> str:
    found = _ITEM.match(line)
    short = _SHORT.fullmatch(found[3]) if found else None
    if not found or not short or short["ip"] or short["protocol"]:
        return line
    return f"{found[1]}- ${{PORT_{short['host']}:-{short['host']}}}:{short['target']}{found[4] or ''}"


def _ports(text: str, render: Callable[[str, list[str]], list[str]]) -> str:
    """Write every block list of simple ports another way; `render` gets the key's indentation and the items."""
    lines, out, at = text.split("\n"), [], 0
    while at < len(lines):
        key = re.fullmatch(r"(\s*)ports:\s*", lines[at])
        found, past = [], at + 1
        while key and past < len(lines) and (item := _ITEM.match(lines[past])) and len(item[1]) >= len(key[1]):
            found.append(item)
            past += 1
        simple = bool(found) and all(_SHORT.fullmatch(item[3]) and not item[4] for item in found)
        if key and simple:
            new = render(key[1], [f'"{item[3]}"' for item in found])
            out += new if new[0].lstrip().startswith("ports:") else [lines[at], *new]
            at = past
        else:
            out.append(lines[at])
            at += 1
    return "\n".join(out)


def _flow(indent: str, items: list[str]) -> list[str]:
    return [f"{indent}ports: [{', '.join(items)}]  # all of them"]


def _tall_flow(indent: str, items: list[str]) -> list[str]:
    return [f"{indent}ports: [", *(f"{indent}  {item}, # one" for item in items), f"{indent}]"]


def _long(indent: str, items: list[str]) -> list[str]:
    out = []
    for item in items:
        short = _SHORT.fullmatch(item.strip('"'))
        assert short
        out += [
            f"{indent}  # an entry",
            f"{indent}  - target: {short['target']}",
            f'{indent}    published: "{short["host"]}"  # host',
        ]
        out += [f"{indent}    host_ip: {short['ip']}"] if short["ip"] else []
        out += [f"{indent}    protocol: {short['protocol'] or 'tcp'}"]
    return out


def _long_flow(indent: str, items: list[str]) -> list[str]:
    shorts = [_SHORT.fullmatch(item.strip('"')) for item in items]
    return [f"{indent}  - {{target: {s['target']}, published: '{s['host']}', mode: ingress}}" for s in shorts if s]


def _block_scalars(text: str) -> str:
    """Put a block scalar that keeps its blank lines behind the image of every service."""
    note = r"\1\2\n\1labels:\n\1  note: |+\n\1    kept\n\n"
    return re.sub(r"^(    )(image: \S+)$", note, text, flags=re.MULTILINE)


def _json(text: str) -> str:
    data = YAML(typ="safe", pure=True).load(text)
    return json.dumps(data, indent=2, ensure_ascii=False, default=str)
