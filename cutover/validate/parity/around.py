"""What is around the body of a reply: ZeroMQ's frames before it, the media type, where a redirect leads. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit, urlunsplit

from cutover.model import Severity
from cutover.validate.parity.difference import Difference
from cutover.validate.talk import Address, Response

Own = tuple[Sequence[Address], Sequence[Address]]
"""Under which addresses green knows itself, and blue."""
NOWHERE: Own = ((), ())
_REDIRECTS = range(300, 400)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def around_is_same(green: Response, blue: Response) -> bool:
    """Say whether nothing differs around the bodies, to the letter."""
    if green.frames != blue.frames:
        return False
    return green.code is None or (
        _media_type(green) == _media_type(blue) and _header(green, "location") == _header(blue, "location")
    )


def around(green: Response, blue: Response, own: Own) -> Iterator[Difference]:
    """Yield what differs around the bodies."""
    yield from _frames(green.frames, blue.frames)
    yield from _media_types(green, blue)
    yield from _locations(green, blue, own)


def _frames(green: Sequence[bytes], blue: Sequence[bytes]) -> Iterator[Difference]:
    if len(green) != len(blue):
        message = f"{len(green)} frames before the last in green, {len(blue)} in blue"
        yield Difference("frames-differ", "$", list(green), list(blue), message)
        return
    for number, (one, other) in enumerate(zip(green, blue, strict=True), start=1):
        if one != other:
            message = f"frame {number} of {len(green) + 1} is another"
            yield Difference("frames-differ", "$", one, other, message)


def _media_types(green: Response, blue: Response) -> Iterator[Difference]:
    """Yield another media type: an error where the body is a page or a text, whose meaning hangs on it.

    What both say as JSON is compared by itself, whatever it is called; nothing hangs on the type of no body.
    """
    one, other = _media_type(green), _media_type(blue)
    if one == other:
        return
    told = all(isinstance(r.value, dict | list) or not r.body for r in (green, blue))
    severity = Severity.ERROR if one and other and not told else Severity.WARNING
    message = f"content type {one or 'none'} in green, {other or 'none'} in blue"
    yield Difference("content-type-differs", "$", one, other, message, severity)


def _locations(green: Response, blue: Response, own: Own) -> Iterator[Difference]:
    both = [_header(r, "location") for r in (green, blue)]
    if green.code not in _REDIRECTS or blue.code not in _REDIRECTS or both[0] == both[1]:
        return
    one, other = (_target(location, known) for location, known in zip(both, own, strict=True))
    if one != other:
        message = f"redirected to {one or 'nowhere'} by green, to {other or 'nowhere'} by blue"
        yield Difference("location-differs", "$", one, other, message)


def _target(location: str, own: Sequence[Address]) -> str:
    """Return where a redirect leads, without scheme, host and port where they are the colour's own."""
    try:
        parts = urlsplit(location)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return location
    if not parts.hostname or not any(_named(parts.hostname) == _named(a.host) and port == a.port for a in own):
        return location
    return urlunsplit(("", "", parts.path or "/", parts.query, parts.fragment))


def _named(host: str) -> str:
    return "localhost" if host in _LOOPBACK else host.lower()


def _media_type(response: Response) -> str:
    """Return the media type without parameters, whatever the case of the header."""
    return _header(response, "content-type").partition(";")[0].strip().lower()


def _header(response: Response, name: str) -> str:
    if response.code is None:
        return ""
    return next((v.strip() for k, v in response.headers.items() if k.lower() == name), "")
