"""One look at everything that a test stack's override depends on, frozen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cutover.document.override import ports_in, published_by, untouched
from cutover.engine.stack import ProjectFiles, Stack
from cutover.errors import UsageError
from cutover.flow.observed import canonical
from cutover.flow.session import Session
from cutover.model import Container
from cutover.trust import read_file

FOLDER = "overrides"


@dataclass(frozen=True, slots=True)
class World:
    """The project without its test stacks, and what is on the host.

    `written` is the model before interpolation; `env` is what Compose interpolates with: secret. `avoided` are the
    host ports that other projects and other test stacks will want, each with who.
    """

    stack: Stack
    project: str
    model: Mapping[str, Any] = field(repr=False)
    written: Mapping[str, Any] = field(repr=False)
    env: Mapping[str, str] = field(repr=False)
    containers: tuple[Container, ...]
    avoided: Mapping[int, str]

    @property
    def folder(self) -> Path:
        """Return the project directory."""
        return self.stack.source.folder

    @property
    def services(self) -> Mapping[str, Any]:
        """Return the services of the canonical model."""
        services: Mapping[str, Any] = self.model.get("services") or {}
        return services

    def beside(self, own: Path) -> World:
        """Return the same with the ports of other test stacks avoided; `own` is the file of ours."""
        return replace(self, avoided={**dict(_of_tests(self.folder, own)), **self.avoided})


def look(session: Session, avoid: tuple[Path, ...]) -> World:
    """Look at Compose's model of the files, at the Engine, and at what else wants host ports.

    Raises:
        UsageError: a file to avoid is not there.
        RefusedError: Compose rejects a file.
        EngineError: the Engine does not answer.

    """
    stack = _without_tests(session.stack)
    with ThreadPoolExecutor(max_workers=4) as pool:
        modelled = pool.submit(canonical, stack)
        written = pool.submit(stack.as_written)
        environment = pool.submit(stack.environment)
        contained = pool.submit(session.daemon.containers)
        model = modelled.result()
        return World(
            stack=stack.named(str(model["name"])),
            project=str(model["name"]),
            model=model,
            written={"services": {}, **written.result()},
            env=dict(environment.result()),
            containers=tuple(contained.result()),
            avoided=dict(_of_files(stack, avoid)),
        )


def generated(path: Path) -> str | None:
    """Return the content of a file as it was written by `cutover override`, None where it is anything else."""
    try:
        content = read_file(path).decode()
    except (OSError, UnicodeDecodeError):
        return None
    return content if untouched(content) else None


def _without_tests(stack: Stack) -> Stack:
    """Leave out override files that were written here: COMPOSE_FILE may name them."""
    files = tuple(f for f in stack.source.files if generated(f) is None)
    return stack.read_from(replace(stack.source, files=files or stack.source.files, directory=stack.source.folder))


def _of_files(stack: Stack, files: tuple[Path, ...]) -> Iterator[tuple[int, str]]:
    for file in files:
        path = Path.cwd() / file
        if not path.is_file():
            raise UsageError(
                "no-compose-file", f"There is no compose file {path}.", hint="check the path after --avoid"
            )
        model = canonical(stack.read_from(ProjectFiles((path,))))
        yield from ((port, f"{file} wants it") for port in published_by((model.get("services") or {}).values()))


def _of_tests(folder: Path, own: Path) -> Iterator[tuple[int, str]]:
    for path in sorted((folder / FOLDER).glob("*.y*ml")):
        content = generated(path) if path != own else None
        if content is not None:
            yield from ((port, f"{FOLDER}/{path.name} has it") for port in ports_in(content).values())
