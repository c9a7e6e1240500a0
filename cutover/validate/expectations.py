"""Is a response what a step expects? Whatever is not is a finding: where, what was expected, what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cutover.config import Expect, NumberRange, paths
from cutover.model import Finding
from cutover.validate.judge import Judge, same
from cutover.validate.leaks import leaks
from cutover.validate.paths import Location, find, spelt
from cutover.validate.results import error
from cutover.validate.shown import body, shown
from cutover.validate.talk import Response, ResponseKind
from cutover.validate.talk.codec import text_of

MOST = 10
_OK = "2xx"
_FIRST_ERROR_STATUS = 400
_SLACK = 1 + 1e-9  # 1.1 - 1.0 is a little more than 0.1


def findings(expect: Expect, response: Response, judge: Judge) -> list[Finding]:
    """Return all that is wrong with a response, [] where it is as expected.

    An error that nobody expected is told alone: what it lacks follows from it.

    Raises:
        UsageError: a JSONPath cannot be asked of this reply, or a regular expression takes too long for it.

    """
    if not response.answered:
        return [error("no-answer", f"no answer, {response.kind}: {response.detail}")]
    found = list(_whole(expect, response, judge))
    if not found:
        checks: tuple[Callable[[Expect, Any], Iterator[Finding]], ...] = (_json, _paths, _numbers, _matches, _absent)
        found = [f for check in checks for f in _few(check(expect, response.value))]
        found += _text(expect, response)
    leak = leaks(response.body)
    return [*([leak] if leak else []), *found, *_slow(expect, response)]


def _whole(expect: Expect, response: Response, judge: Judge) -> Iterator[Finding]:
    """Yield what makes the parts of a reply not worth a look."""
    if response.kind is ResponseKind.GARBLED:
        cure = "codec: raw takes any text; msgpack reads msgpack" if response.body else None
        yield error("garbled", f"the reply cannot be read: {response.detail}", body(response), cure=cure)
        return
    kind, code = judge.error_kind(response), response.code
    failed = code is not None and code >= _FIRST_ERROR_STATUS
    if expect.status is not None and code is not None and not _status_is(expect.status, code):
        told = f"HTTP status {code}, expected {expect.status}" + (f" ({kind})" if kind else "")
        yield error("status", told, body(response))
    elif expect.error and kind is None:
        yield error("error-expected", f"an answer where an error is expected{_code(code)}", body(response))
    elif kind is not None and not expect.error and not (failed and expect.status):
        cure = "`expect: {error: true}` where an error is right"
        yield error("error-reply", f"an error: {kind}{'' if failed else _code(code)}", body(response), cure=cure)
    elif expect.status is None and code is not None and not failed and not _status_is(_OK, code):
        yield error("status", f"HTTP status {code}, expected {_OK}", body(response))


def _code(code: int | None) -> str:
    return "" if code is None else f", with HTTP status {code}"


def _status_is(wanted: str, code: int) -> bool:
    seen = str(code)
    return len(seen) == len(wanted) and all(w in ("x", s) for w, s in zip(wanted, seen, strict=True))


def _json(expect: Expect, value: Any) -> Iterator[Finding]:
    if expect.names_json:
        for location, told in _differences(expect.json_, value, ()):
            yield error("json-differs", f"{spelt(location)}: {told}")


def _differences(wanted: Any, seen: Any, at: Location) -> Iterator[tuple[Location, str]]:
    """Yield where a value is not what is wanted: named keys have to be there, lists have to be as long."""
    if isinstance(wanted, dict) and isinstance(seen, dict):
        for key, part in wanted.items():
            if key in seen:
                yield from _differences(part, seen[key], (*at, key))
            else:
                keys = ", ".join(map(str, list(seen)[:MOST])) or "none"
                yield (*at, key), f"expected {shown(part, (*at, key))}, seen nothing (keys there: {keys})"
    elif isinstance(wanted, list | tuple) and isinstance(seen, list | tuple):
        if len(wanted) != len(seen):
            yield at, f"expected {len(wanted)} items, seen {len(seen)}: {shown(seen, at)}"
        else:
            for number, (part, other) in enumerate(zip(wanted, seen, strict=True)):
                yield from _differences(part, other, (*at, number))
    elif not same(wanted, seen):
        yield at, f"expected {shown(wanted, at)}, seen {shown(seen, at)}"


def _paths(expect: Expect, value: Any) -> Iterator[Finding]:
    for path, wanted in expect.paths.items():
        places = find(value, path)
        if not any(same(wanted, seen) for _, seen in places):
            at = places[0][0] if places else _last_key(path)
            yield error("value-differs", f"{path}: expected {shown(wanted, at)}, seen {_seen(value, places)}")


def _numbers(expect: Expect, value: Any) -> Iterator[Finding]:
    for path, wanted in expect.numbers.items():
        places = find(value, path)
        if not places:
            yield error("number-differs", f"{path}: expected {_range(wanted)}, seen {_seen(value, places)}")
        for location, seen in places:
            if not _in_range(wanted, seen):
                told = f"{spelt(location)}: expected {_range(wanted)}, seen {shown(seen, location)}"
                yield error("number-differs", told)


def _in_range(wanted: NumberRange, seen: Any) -> bool:
    if isinstance(seen, bool) or not isinstance(seen, int | float):
        return False
    if wanted.value is not None:
        allowed = max(wanted.abs, wanted.rel * abs(wanted.value)) * _SLACK
        if not abs(seen - wanted.value) <= allowed:  # NaN is near nothing
            return False
    return (wanted.min is None or seen >= wanted.min) and (wanted.max is None or seen <= wanted.max)


def _range(wanted: NumberRange) -> str:
    parts = []
    if wanted.value is not None:
        allowed = max(wanted.abs, wanted.rel * abs(wanted.value))
        parts.append(f"{wanted.value:g}" + (f" give or take {allowed:g}" if allowed else ""))
    parts += [f"at least {wanted.min:g}"] if wanted.min is not None else []
    parts += [f"at most {wanted.max:g}"] if wanted.max is not None else []
    return "a number: " + ", ".join(parts)


def _matches(expect: Expect, value: Any) -> Iterator[Finding]:
    for path, text in expect.matches.items():
        places = find(value, path)
        if not places:
            yield error("no-match", f"{path}: expected a match of /{text}/, seen {_seen(value, places)}")
        for location, seen in places:
            if not isinstance(seen, str) or not paths.is_found(text, seen):
                told = f"{spelt(location)}: expected a text with a match of /{text}/, seen {shown(seen, location)}"
                yield error("no-match", told)


def _absent(expect: Expect, value: Any) -> Iterator[Finding]:
    for path in expect.absent:
        for location, seen in find(value, path):
            yield error("not-absent", f"{spelt(location)}: expected nothing, seen {shown(seen, location)}")


def _text(expect: Expect, response: Response) -> Iterator[Finding]:
    if expect.text is not None and not paths.is_found(expect.text, text_of(response.body)):
        yield error("no-match", f"the reply: expected a match of /{expect.text}/, seen {body(response)}")


def _slow(expect: Expect, response: Response) -> Iterator[Finding]:
    if expect.within_s is not None and response.elapsed_s > expect.within_s:
        told = f"the answer took {response.elapsed_s:.3f} s, expected at most {expect.within_s:g} s"
        yield error("too-slow", told)


def _seen(value: Any, places: list[tuple[Location, Any]]) -> str:
    if places:
        return ", ".join(shown(seen, location) for location, seen in places[:3])
    return f"nothing there in {shown(value)}"


def _last_key(path: str) -> Location:
    """Return a place with the last name of a JSONPath: a value that is expected there may be a secret as well."""
    names = [n for n in path.replace("[", ".").replace("]", "").replace("'", "").replace('"', "").split(".") if n]
    return tuple(names[-1:])


def _few(found: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the first findings of a kind; the rest is told as a number."""
    every = list(found)
    yield from every[:MOST]
    if len(every) > MOST:
        yield error(every[0].code, f"and {len(every) - MOST} more like these")
