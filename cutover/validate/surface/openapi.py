"""OpenAPI as a source: which paths a colour says that it has."""

from __future__ import annotations

from collections.abc import Mapping

from cutover.config import Message
from cutover.validate.surface.source import route
from cutover.validate.surface.source.method import HTTP_VERBS
from cutover.validate.talk import Address, Line, question_of


def openapi_routes(url: str, addresses: Mapping[int, Address], *, verify: bool = True) -> tuple[dict[str, str], str]:
    """Return the routes that a colour's OpenAPI lists, each with what lists it; and what was wrong with it, or "".

    Raises:
        UsageError: its port leads nowhere.

    """
    with Line(addresses) as line:
        response = line.ask(question_of(Message(to=url, verify=verify, name="openapi")))
    if not response.answered:
        return {}, f"{url}: {response.kind} {response.detail}".rstrip()
    paths = response.value.get("paths") if isinstance(response.value, dict) else None
    if not isinstance(paths, dict):
        return {}, f"{url}: HTTP {response.code}, and no OpenAPI: it has no `paths`"
    base = _base(response.value)
    return {
        route(verb, base + path): f"OpenAPI at {url}"
        for path, item in paths.items()
        if isinstance(path, str) and isinstance(item, dict)
        for verb in item
        if str(verb).upper() in HTTP_VERBS
    }, ""


def _base(document: Mapping[str, object]) -> str:
    """Return what Swagger 2 puts before every path."""
    base = document.get("basePath")
    return base.rstrip("/") if isinstance(base, str) else ""
