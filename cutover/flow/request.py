"""What the user asked for, from the command line and `cutover.yaml`, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cutover.config import Settings, Strategy
from cutover.errors import UsageError
from cutover.probes import ProbeSpec, read


@dataclass(frozen=True, slots=True)
class PortRequest:
    """A legacy port, and the port on which blue listens inside where it is another one than green's."""

    host_port: int
    blue_target: int | None = None

    @classmethod
    def parse(cls, text: str | int) -> PortRequest:
        """Read `5570` or `5570:9901`.

        Raises:
            UsageError: it is neither.

        """
        first, colon, second = str(text).partition(":")
        try:
            numbers = (int(first), int(second) if colon else None)
        except ValueError:
            numbers = (0, None)
        if not all(n is None or 0 < n < 65536 for n in numbers):  # noqa: PLR2004
            raise UsageError(
                "bad-port",
                f"{text!r} is no port.",
                hint="--port 5570, or --port 5570:9901 where blue listens on 9901 inside",
            )
        return cls(*numbers)


@dataclass(frozen=True, slots=True)
class SwapRequest:
    """One swap as it was asked for. Durations are seconds; no ports means all that green publishes.

    `rolls`: blue is a new container of green's own service, and `image` a new one for it. `exclusive`: both colours do
    not fit at once. `share_percent` is the first step of a canary, None for a whole swap.
    """

    green: str
    blue: str
    ports: tuple[PortRequest, ...]
    strategy: Strategy
    probes: tuple[ProbeSpec, ...]
    observe_s: float
    ready_timeout_s: float
    commit: bool = False
    suites: tuple[str, ...] = ()
    exclusive: bool = False
    image: str | None = None
    share_percent: float | None = None
    rolls: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said; None and () where it said nothing."""

    files: tuple[Path, ...] = ()
    project: str | None = None
    profiles: tuple[str, ...] = ()
    env_files: tuple[Path, ...] = ()
    context: str | None = None
    green: str | None = None
    blue: str | None = None
    ports: tuple[str, ...] = ()
    strategy: str | None = None
    probes: tuple[str, ...] = ()
    observe_s: float | None = None
    ready_timeout_s: float | None = None
    commit: bool = False
    suites: tuple[str, ...] = ()
    no_suites: bool = False
    exclusive: bool = False
    service: str | None = None
    image: str | None = None
    share_percent: float | None = None


def swap_request(options: Options, settings: Settings) -> SwapRequest:
    """Join the command line with `cutover.yaml`; the command line wins.

    Raises:
        UsageError: green or blue is not named, or a port or a probe cannot be read.

    """
    _see_roll(options)
    exclusive = options.exclusive or settings.exclusive
    if exclusive and options.share_percent is not None:
        raise UsageError(
            "canary-exclusive",
            "A canary runs both at once, and exclusive says that they do not fit.",
            evidence=["--exclusive" if options.exclusive else "exclusive: true in cutover.yaml"],
            hint="cutover swap --exclusive, without a canary",
        )
    return SwapRequest(
        green=options.service or _named("green", options.green or settings.green),
        blue=options.service or _named("blue", options.blue or settings.blue),
        ports=_ports(options, settings),
        strategy=Strategy(options.strategy) if options.strategy else settings.strategy,
        probes=probes_of(options, settings),
        observe_s=settings.observe_s if options.observe_s is None else options.observe_s,
        ready_timeout_s=settings.ready_timeout_s if options.ready_timeout_s is None else options.ready_timeout_s,
        commit=options.commit or bool(options.service),
        suites=_suites(options, settings),
        exclusive=exclusive,
        image=options.image,
        share_percent=options.share_percent,
        rolls=options.service is not None,
    )


def _ports(options: Options, settings: Settings) -> tuple[PortRequest, ...]:
    """Return the ports that were named; those of cutover.yaml are for green and blue, not for a service that rolls."""
    named = options.ports or (() if options.service else settings.ports)
    return tuple(dict.fromkeys(PortRequest.parse(p) for p in named))


def _see_roll(options: Options) -> None:
    if options.service and (options.green or options.blue):
        raise UsageError(
            "service-and-colours",
            "--service replaces a service by itself; --green and --blue name two.",
            hint=f"cutover swap --service {options.service}",
        )
    if options.service and options.ports:
        raise UsageError(
            "service-and-ports",
            "--service hands over every port that the service keeps; --port chooses between two services.",
            hint=f"cutover swap --service {options.service}",
        )
    if options.image and not options.service:
        raise UsageError(
            "image-without-service", "--image is for one service.", hint=f"--service NAME --image {options.image}"
        )


def probes_of(options: Options, settings: Settings) -> tuple[ProbeSpec, ...]:
    """Return the probes that were given, those of the command line instead of those of `cutover.yaml`."""
    return tuple(read(p) for p in options.probes or settings.probes)


def _suites(options: Options, settings: Settings) -> tuple[str, ...]:
    """Return the suites that a swap runs: those named, else all of cutover.yaml that do not say `swap: false`."""
    if options.no_suites:
        return ()
    return options.suites or tuple(name for name, suite in settings.suites.items() if suite.swap)


def _named(colour: str, name: str | None) -> str:
    if not name:
        raise UsageError(
            f"no-{colour}",
            f"Which service is {colour}?",
            hint=f"cutover swap --green NAME --blue NAME, or write `{colour}: NAME` in cutover.yaml (cutover init)",
        )
    return name
