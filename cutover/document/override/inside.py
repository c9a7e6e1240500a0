"""What moves inside a service, and what is left alone: command, entrypoint, healthcheck, environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cutover.document.override.names import holds_secret, says_port, says_public
from cutover.document.override.places import Role
from cutover.document.override.template import moved
from cutover.document.override.texts import HEALTHCHECK, VARIABLE, Place, Text, places_of, texts_of
from cutover.document.override.values import OverrideRequest, Service, TestPort
from cutover.errors import UsageError

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[\w.*-]*|\[[\da-f:]*\]):\d+/?", re.IGNORECASE)
Move = tuple[Place, int]


@dataclass(frozen=True, slots=True)
class Change:
    """A text with other ports in it: `values` as Compose will compute it, `written` as it goes into the file."""

    key: str
    values: tuple[str, ...] = field(repr=False)
    written: tuple[str, ...] = field(repr=False)


@dataclass(slots=True)
class Inside:
    """What came of it: `targets` says which port inside became which; each change is by the key of its text.

    `stays` are ports inside that nothing in the file could move, with where they would have gone.
    """

    targets: dict[int, int] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    stays: list[tuple[int, int]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the helpers share. `env` is secret."""

    texts: Mapping[str, Text]
    env: Mapping[str, str] = field(repr=False)
    request: OverrideRequest


class _BlockedError(Exception):
    """A text cannot be written with another port in it; the text of the error says why, and `cure` what to do."""

    def __init__(self, why: str, cure: str = "") -> None:
        super().__init__(why)
        self.cure = cure


def move_inside(
    service: Service,
    written: Service,
    env: Mapping[str, str],
    ports: Sequence[TestPort],
    *,
    request: OverrideRequest,
    own_names: Sequence[str],
) -> Inside:
    """Decide where the service listens inside, and move every number that says so.

    A port inside moves only if something tells the service: a flag, a variable, an address to listen on. All numbers
    of one port move, or none: where one cannot (it would take a secret along), the port stays as it is.

    Raises:
        UsageError: `--also` names a place that has none of these ports.

    """
    texts = {text.key: text for text in texts_of(service, written, env)}
    places = places_of(service, list(texts.values()), own_names)
    targets, legacy = dict[int, int](), dict[int, int]()
    for port in ports:
        targets.setdefault(port.origin_target, port.published)
        legacy.setdefault(port.legacy, port.published)
    _see_also(request.also, places, {*targets, *legacy})
    scene = _Scene(texts, env, request)
    found, moves = Inside(), list[Move]()
    for target, new in targets.items():
        moves += _move_target(found, target, new, [p for p in places if p.spot.number == target], scene)
    moves += [
        (p, (targets | legacy)[p.spot.number])
        for p in places
        if p.spot.number in targets | legacy and says_public(p.spot.name) and p.key != HEALTHCHECK
    ]
    moves = list({(p.where, p.spot.start): (p, new) for p, new in moves}.values())
    found.notes += _staying(found.stays)
    found.changes = {c.key: c for c in _changes(moves, scene)}
    found.warnings += _left_alone(places, [p for p, _ in moves], targets, legacy, request)
    return found


def _staying(stays: Sequence[tuple[int, int]]) -> list[str]:
    if not stays:
        return []
    if len(stays) == 1:
        (target, new), *_ = stays
        return [f"nothing in the file tells the service to listen on {new}: it stays on {target} inside"]
    targets = ", ".join(str(t) for t, _ in stays)
    return [f"nothing in the file tells the service to listen on other ports: {targets} stay what they are inside"]


def _see_also(also: Iterable[str], places: Sequence[Place], numbers: set[int]) -> None:
    known = [p.where for p in places if p.spot.number in numbers]
    for name in also:
        if not any(_means(name, where) for where in known):
            raise UsageError(
                "unknown-place",
                f"--also {name}: there is none of the mapped ports.",
                evidence=[f"places with one: {', '.join(dict.fromkeys(known)) or 'none'}"],
                hint="name a place as it is written above",
            )


def _means(name: str, where: str) -> bool:
    return name == where or where.startswith((f"{name}[", f"{name}."))


def _named(place: Place, request: OverrideRequest) -> bool:
    return any(_means(name, place.where) for name in request.also)


def _move_target(
    found: Inside,
    target: int,
    new: int,
    here: Sequence[Place],
    scene: _Scene,
) -> list[Move]:
    """Return the moves for one port inside, none where it stays."""
    request = scene.request
    if request.keep_target:
        return []
    mine = [p for p in here if p.spot.role in {Role.LISTENS, Role.LOCAL} or _named(p, request)]
    tells = [p for p in mine if _tells(p, request)]
    if not tells:
        found.stays.append((target, new))
        return []
    moves = [(p, new) for p in mine]
    try:
        list(_changes(moves, scene))
    except _BlockedError as error:
        said = f"the service stays on {target} inside: {error}{error.cure}"
        (found.warnings if error.cure else found.notes).append(said)
        return []
    found.targets[target] = new
    places = ", ".join(dict.fromkeys(p.where for p in mine))
    found.notes.append(f"{target} inside becomes {new}, in {places}")
    return moves


def _tells(place: Place, request: OverrideRequest) -> bool:
    if place.key == HEALTHCHECK:
        return False
    return _named(place, request) or (place.spot.role is Role.LISTENS and not says_public(place.spot.name))


def _changes(moves: Iterable[Move], scene: _Scene) -> Iterator[Change]:
    by_text: dict[str, list[Move]] = {}
    for place, new in moves:
        by_text.setdefault(place.key, []).append((place, new))
    for key, wanted in by_text.items():
        yield _changed(scene.texts[key], wanted, scene)


def _changed(text: Text, moves: Sequence[Move], scene: _Scene) -> Change:
    values, written = list(text.parts), list(text.written)
    for place, new in sorted(moves, key=lambda m: (m[0].part, -m[0].spot.start)):
        at, span = place.part, (place.spot.start, place.spot.end)
        old, raw = values[at], written[at]
        values[at] = f"{old[: span[0]]}{new}{old[span[1] :]}"
        if span == (0, len(old)) or raw == old or (_ADDRESS.fullmatch(old) and raw is None):
            written[at] = values[at]
        elif raw is not None:
            known = moved(raw, old, span, new, scene.env)
            written[at] = known or (values[at] if _ADDRESS.fullmatch(old) else None)
    whole_text = [w for w in written if w is not None]
    if len(whole_text) < len(written):
        raise _BlockedError(f"{text.key} is put together from variables whose values would have to be written down")
    whole = " ".join(whole_text)
    numeric = not text.listed and whole.isdigit()
    if not numeric and holds_secret(whole) and text.key not in scene.request.also:
        why = f"{text.key} would be copied into the file, and looks as if it held a secret"
        raise _BlockedError(why, f"; if it holds none, --also {text.key} moves the port in it")
    return Change(text.key, tuple(values), tuple(whole_text))


def _left_alone(
    places: Sequence[Place],
    gone: Sequence[Place],
    targets: Mapping[int, int],
    legacy: Mapping[int, int],
    request: OverrideRequest,
) -> Iterator[str]:
    """Yield a warning for each place that looks like a port and was not moved."""
    done = {(p.where, p.spot.start) for p in gone}
    new = {*targets.values(), *legacy.values()}
    told = set()
    for place in places:
        number = place.spot.number
        if (place.where, place.spot.start) in done or number in new or (place.where, number) in told:
            continue
        told.add((place.where, number))
        if number in targets or number in legacy:
            why = _why(place, stays=request.keep_target and number in targets)
            if why:
                yield f"{place.where} has {number} in it and was left alone: {why}"
        elif place.spot.role is Role.LISTENS and says_port(place.spot.name):
            yield f"{_called(place)} is {number}, which is not mapped, and was left alone"


def _called(place: Place) -> str:
    named = place.spot.name and not place.key.startswith(VARIABLE)
    return f"{place.where} ({place.spot.name})" if named else place.where


def _why(place: Place, *, stays: bool) -> str:
    """Return why a place was left alone, "" where that is as it should be: the port inside stays."""
    match place.spot.role:
        case Role.REMOTE:
            return "it is the address of somebody else"
        case Role.PLAIN if not stays:
            return f"nothing says that it is a port to listen on (--also {place.where} moves it)"
        case Role.LOCAL if not stays and place.key.startswith(VARIABLE):
            return f"it is right inside, and wrong if it is given to clients (--also {place.where} moves it)"
    return ""


def numbers_inside(service: Service) -> set[int]:
    """Return every number in the command, the entrypoint, the healthcheck and the environment that could be a port."""
    return {place.spot.number for place in places_of(service, texts_of(service, {}, {}), ())}
