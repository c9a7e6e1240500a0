"""The grammar of `ports:` entries: read, and read again from what it was written as."""

from __future__ import annotations

from cutover.document.interpolate import UnresolvedError, interpolate
from cutover.document.ports import PortSyntaxError, parse_short, split_short
from cutover.model import PortBinding
from tests.fuzz.target import Target, see, text_of

ENV = {"A": "80", "B": "", "C": "8000-8002"}
SEEDS = (
    b"80", b"80:80", b"127.0.0.1:80:80", b"[::1]:80:80/udp", b"8000-8002:9000-9002", b"8000-8010:80", b":80", b"0:80",
    b"${A}:80", b"${B:-81}:${A:?no}", b"${C}:9000-9002/sctp", b"::1:80:80", b"$$80:80", b"${A:-${B:-9}}:1",
)  # fmt: skip


def grammar(data: bytes) -> None:
    """Read an entry; a binding that is written comes back as it was."""
    text = text_of(data)
    see(":".join(split_short(text)) == text, "the parts are not the whole")
    for meant in {text, _interpolated(text)} - {None}:
        try:
            bindings, floating = parse_short(str(meant))
        except PortSyntaxError as error:
            see(str(error), "refused without a word")
            continue
        see(not (bindings and floating), "fixed and floating at once")
        for binding in bindings[:3]:
            _comes_back(binding)


def _comes_back(binding: PortBinding) -> None:
    if any(c.isspace() or c in "/[]" for c in binding.host_ip):
        return  # no address: Docker refuses it, as Compose does
    see(parse_short(str(binding)) == ((binding,), None), f"{binding} is read as something else")


def _interpolated(text: str) -> str | None:
    try:
        return interpolate(text, ENV)
    except UnresolvedError:
        return None


TARGETS = (
    Target("ports-grammar", grammar, lambda: SEEDS, (b":", b"-", b"/udp", b"${", b"}", b":-", b"[", b"]", b"65535")),
)
