"""The test stack: blue beside green, on test ports, ready or gone again. Green is not touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cutover.errors import CutoverError, NeedsHandsError, ProbeError, RefusedError
from cutover.events import Note, StepEvent, StepState
from cutover.flow.lock import locked
from cutover.flow.ready import Place, Wait, wait_ready
from cutover.flow.request import probes_of
from cutover.flow.session import Session
from cutover.flow.signals import Interrupted, deferred, interruptible
from cutover.flow.teststack_down import known_stacks, take_down
from cutover.flow.teststack_facts import gather
from cutover.flow.teststack_guard import see_harmless
from cutover.flow.teststack_names import known_as, meant
from cutover.flow.teststack_places import places_of, test_address
from cutover.flow.teststack_record import forget, is_damaged, read_record
from cutover.flow.teststack_start import PortGoneError, reserved, see_gpu, see_image, start
from cutover.flow.teststack_sure import Sure
from cutover.flow.teststack_target import OVERRIDES, Target, default_name, read_target
from cutover.flow.teststack_values import NotReadyError, TestStack, UpRequest
from cutover.flow.teststack_words import again
from cutover.model import TEST_OF_LABEL, Container, Finding, Severity
from cutover.ports.allocate import FreePorts
from cutover.ports.diagnose import diagnose

if TYPE_CHECKING:
    from cutover.flow.override import Derived

T = TypeVar("T")
__all__ = ["NotReadyError", "TestStack", "UpRequest", "down", "up"]
TRIES = 3
LOG_LINES = 8


def up(session: Session, derived: Derived | None = None, request: UpRequest | None = None) -> TestStack:
    """Start a test stack and wait until it is ready; whatever goes wrong, nothing of it stays.

    `derived` is an override that was written a moment ago, with its ports still held.

    Raises:
        UsageError, RefusedError: it cannot be started as it is described; nothing was.
        LockHeldError: another cutover works on this test stack.
        NotReadyError: it did not become ready; with findings and the end of its log.
        EngineError, ProbeError: Docker refused on the way, or a dependency failed.

    """
    request = request or UpRequest()
    with interruptible():
        return _Up(session, request, derived).run()


def down(session: Session, name: str | None = None, *, everything: bool = False) -> list[str]:
    """Take a test stack down, blue's if none is named, or all of the project; say what was removed.

    What is gone already is no mistake: then nothing was removed.

    Raises:
        LockHeldError: another cutover works on it at this moment.
        EngineError: the Engine does not answer, or refuses.

    """
    known = known_stacks(session)
    names = known if everything or len(known) < 2 else [default_name(session)]  # noqa: PLR2004
    if name is not None:
        names = [known_as(name, known)]
        if names[0] not in known:
            session.observer.tell(Note(f"there is no test stack {name}; there is: {', '.join(known) or 'none'}"))
    removed: list[str] = []
    for service in names:
        with _locked(session, service), deferred(lambda: session.observer.tell(Note("taking down; one moment"))):
            removed += take_down(session, service)
    return removed


def _locked(session: Session, service: str) -> Any:
    runs = session.runs()
    return locked(runs.state, f"{runs.folder.name}.{service}", session.clock)


@dataclass
class _Up:
    """One `up`: the ports that it holds, and whether it chose them (`ours`), so that it may choose others.

    `tries` is the service of the files that it tries where that is not blue.
    """

    session: Session
    request: UpRequest
    derived: Derived | None = None
    tries: str | None = None
    ours: bool = False
    done: int = 0
    held: FreePorts | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def run(self) -> TestStack:
        """Tell the story."""
        session, began = self.session, self.session.clock.monotonic()
        session.name_project()
        probes_of(session.options, session.settings)  # one that cannot be read is told before anything is made
        file, chosen = self._file()
        with self.stack:
            self.stack.callback(self._let_go)
            target = self._step("read", f"override {_short(file)}", lambda: self._target(file, chosen=chosen))
            self.stack.enter_context(_locked(session, target.service))
            if self._clear(target):
                target = self._target(file, chosen=False)
            self._see_possible(target)
            try:
                target, container = self._started(target)
                findings = self._ready(target, container)
            except BaseException as error:
                self._take_down(target.service, error)
                raise
        ports = {legacy: test_address(session, binding) for legacy, binding in target.ports.items()}
        seconds = session.clock.monotonic() - began
        return TestStack(target.service, target.of, container.name, target.file, ports, seconds, findings)

    def _file(self) -> tuple[Path, bool]:
        """Return the override file, and whether its ports are ours to choose again."""
        if self.derived is not None:
            return self.derived.path, True
        session, request = self.session, self.request
        if request.override is not None:
            return request.override, False
        name, self.tries = meant(session, request.name)
        self.request = replace(request, name=name if request.name else None)
        file = session.folder / OVERRIDES / f"{name}.yml"
        return file, not file.is_file()

    def _target(self, file: Path, *, chosen: bool) -> Target:
        if chosen and self.derived is None:
            self._derive()
        if self.derived is not None:
            self.held = self.derived.held
        return read_target(self.session, file, self.request.name, no_gpu=self.request.no_gpu)

    def _derive(self) -> None:
        from cutover.flow.override import OverrideRequest, derive, write  # noqa: PLC0415

        request = OverrideRequest(service=self.tries, name=self.request.name, no_gpu=self.request.no_gpu)
        self.derived, self.ours = derive(self.session, request), True
        self.held = self.derived.held
        write(self.derived)

    def _clear(self, target: Target) -> bool:
        """Take an earlier test stack of this name away, and say whether there was one."""
        session = self.session
        found = session.daemon.of_service(session.name_project(), target.service)
        record = read_record(session, target.service)
        damaged = is_damaged(session, target.service)
        if found and record is None and not all(TEST_OF_LABEL in c.labels for c in found):
            raise RefusedError(
                "not-ours",
                f"{found[0].name} is there already, and cutover did not make it.",
                evidence=[f"{found[0].name}: {found[0].state}"],
                hint=f"docker compose rm -s {target.service}; or give the test stack another name",
            )
        if not found and record is None and not damaged:
            return False
        self._step("clear", f"an earlier {target.service}", lambda: take_down(session, target.service))
        return True

    def _see_possible(self, target: Target) -> None:
        """See that it can be started at all, before anything is recorded or made."""
        try:
            see_harmless(self.session, target, run_jobs=self.request.run_jobs)
            self._step("image", target.image, lambda: see_image(self.session, target))
            if target.devices or target.entry.get("runtime"):
                asked = "; ".join(map(str, target.devices)) or f"runtime {target.entry['runtime']}"
                self._step("gpu", asked, lambda: see_gpu(self.session, target))
        except BaseException:
            forget(self.session, target.service)
            raise

    def _started(self, target: Target) -> tuple[Target, Container]:
        """Start it; where somebody takes a port that cutover chose just now, choose others."""
        for tries_left in reversed(range(TRIES)):
            if self.held is None:
                self.held = reserved(self.session, target)
            try:
                return target, self._step("start", _title(target), partial(start, self.session, target, self.held))
            except PortGoneError as error:
                if not self.ours or not tries_left:
                    raise
                self.session.observer.tell(Note(f"{error.message} Other ports are chosen."))
                self._step("clear", target.service, partial(take_down, self.session, target.service))
                self._let_go()
                target = self._target(target.file, chosen=True)
        raise AssertionError("unreachable")

    def _let_go(self) -> None:
        if self.held is not None:
            self.held.close()
        self.held = self.derived = None

    def _ready(self, target: Target, container: Container) -> tuple[Finding, ...]:
        """Wait until it is ready, and return what is worth knowing all the same."""
        session = self.session
        timeout_s = self.request.ready_timeout_s or session.settings.ready_timeout_s
        places = places_of(session, target)
        sure = Sure(lambda: gather(session, container, target.bindings, places, speech_s=0), session.clock)
        wait = Wait(session.daemon, container, session.clock, session.clock.monotonic() + timeout_s, sure)
        self._let_go()
        try:
            self._step("ready", f"{target.service} within {timeout_s:g} s", lambda: wait_ready(wait, places))
        except ProbeError as error:
            raise self._not_ready(error, target, container, places) from error
        found = map(_outwaited, diagnose(gather(session, container, target.bindings, places)))
        return tuple(f for f in found if f.severity is not Severity.INFO)

    def _not_ready(
        self, error: ProbeError, target: Target, container: Container, places: tuple[Place, ...]
    ) -> NotReadyError:
        facts = gather(self.session, container, target.bindings, places)
        flags = {"--keep": True, "--no-gpu": self.request.no_gpu, "--run-jobs": self.request.run_jobs}
        kept = again(self.session, target, *(flag for flag, given in flags.items() if given))
        findings = tuple(f if self.request.keep else _curable(f, kept) for f in diagnose(facts))
        evidence = [f"{f.code}: {f.message}" for f in findings if f.severity is not Severity.INFO]
        evidence += [e for e in error.evidence if not e.startswith("log: ")]
        evidence += [f"log: {line}" for line in facts.log[-LOG_LINES:]]
        look = f"docker logs {container.name}"
        cure = next((f.cure for f in findings if f.cure), look if self.request.keep else f"{kept}, then {look}")
        return NotReadyError(error, findings, evidence, cure)

    def _take_down(self, service: str, why: BaseException) -> None:
        """Take all of it away again, unless it is to be looked at; signals are only answered with a word meanwhile."""
        session, interrupted = self.session, isinstance(why, Interrupted)
        self._let_go()
        if self.request.keep and not interrupted:
            session.observer.tell(Note(f"{service} is kept as it is: {session.spoken(f'down {service}')}"))
            return
        title = f"{service}: {'interrupted' if interrupted else 'failed'}"
        try:
            with deferred(lambda: session.observer.tell(Note("taking the test stack down; one moment"))):
                self._step("down", title, lambda: take_down(session, service))
        except CutoverError as error:
            raise NeedsHandsError(
                "not-taken-down",
                f"{service} did not come up, and could not be taken down either: {error.message}",
                evidence=[*error.evidence, f"before that: {getattr(why, 'message', why)}"],
                hint=session.spoken(f"down {service}"),
            ) from why

    def _step(self, kind: str, title: str, act: Callable[[], T]) -> T:
        """Do one part of it and tell how it went."""
        self.done += 1
        with told(self.session, f"u{self.done:02}", kind, f"{kind} {title}"):
            return act()


@contextmanager
def told(session: Session, step: str, kind: str, title: str) -> Iterator[None]:
    """Tell the observer of a part that begins, and of how it ends."""
    began = session.clock.monotonic()
    state = StepState.FAILED
    session.observer.tell(StepEvent(step, kind, StepState.RUNNING, title))
    try:
        yield
        state = StepState.DONE
    finally:
        session.observer.tell(StepEvent(step, kind, state, title, session.clock.monotonic() - began))


def _curable(finding: Finding, kept: str) -> Finding:
    """Return a finding whose cure looks at a container with the command before it that keeps one to be looked at."""
    looks = finding.cure is not None and finding.cure.startswith("docker ")
    return replace(finding, cure=f"{kept}, then {finding.cure}") if looks else finding


def _outwaited(finding: Finding) -> Finding:
    """Return a finding on one that is ready: a port that nobody could wait for may open later."""
    return replace(finding, severity=Severity.WARNING) if finding.code == "nothing-listens" else finding


def _title(target: Target) -> str:
    ports = ", ".join(f"{legacy} -> {binding.host_port}" for legacy, binding in sorted(target.ports.items()))
    return f"{target.service}, {ports}"


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
