"""Where an override may be written: never over a file of the project, nor over one that is no test stack's override."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cutover.document import FileSet
from cutover.document.override import once_written, tries_only
from cutover.engine.files import NAMES, OVERRIDES
from cutover.errors import EditRefusedError, RefusedError
from cutover.files import write_atomic
from cutover.flow.override_origin import included
from cutover.flow.override_world import World, generated
from cutover.flow.session import Session

MODE = 0o644
PRIVATE = 0o600


def files_of(session: Session, world: World) -> dict[Path, str]:
    """Return the files that the project is made of, each with what it is to the project; some may not be there."""
    return dict(reversed([(path.resolve(), what) for path, what in _files(session, world)]))


def put(path: Path, content: bytes, reserved: Mapping[Path, str], *, force: bool, private: bool = False) -> bool:
    """Write an override, atomically, for its owner alone where it is private; return whether that changed anything.

    Raises:
        RefusedError: the path is one of the files of the project (`reserved`), or what is there is something else than
            an override of a test stack, or one that was edited (`force` writes over that), or it cannot be written.

    """
    mode = PRIVATE if private else MODE
    try:
        _see_reserved(path, reserved)
        present = _present(path)
        if present == content and not (private and path.stat().st_mode & 0o077):
            return False
        if present and generated(path) is None:
            _see_ours(path, present, force=force)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content, mode=mode)
    except OSError as error:
        raise _not_writable(path, error.strerror or str(error)) from error
    return True


def _files(session: Session, world: World) -> Iterator[tuple[Path, str]]:
    """Yield every file of the project, what matters most first."""
    source, folder = world.stack.source, world.folder
    yield from ((path, "one of the project's compose files") for path in source.files)
    yield from ((path, "a file that the project includes") for path in included(source.files, folder, world.env))
    with contextlib.suppress(EditRefusedError, OSError):
        extended = FileSet.open(source.files).extended
        yield from ((Path(name), "a file that the project's services extend") for name in extended)
    yield session.settings_path, "cutover's own configuration"
    for path in (*source.env_files, folder / ".env", *_env_files(world)):
        yield Path.cwd() / path, "an env file of the project"
    yield from ((folder / name, "a file that Compose reads of its own accord") for name in (*NAMES, *OVERRIDES))


def _env_files(world: World) -> Iterator[Path]:
    services: Mapping[str, Any] = world.written.get("services") or {}
    for service in services.values():
        files = service.get("env_file") or ()
        for file in [files] if isinstance(files, str) else files:
            yield world.folder / str(file.get("path") if isinstance(file, Mapping) else file)


def _see_reserved(path: Path, reserved: Mapping[Path, str]) -> None:
    what = reserved.get(path.resolve()) or next((w for p, w in reserved.items() if _same(p, path)), None)
    if what is not None:
        raise RefusedError(
            "override-is-project-file",
            f"{path} is {what}: a test stack's override is never written there, not with --force either.",
            hint="leave -o away, and it is written to overrides/; or name another file",
        )


def _same(one: Path, other: Path) -> bool:
    """Say whether two paths are one file, by a hard link say."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _present(path: Path) -> bytes | None:
    """Return what is there, None where nothing is."""
    if not path.exists():
        return None
    if not path.is_file():
        raise _not_writable(path, "it is a directory" if path.is_dir() else "it is no file, but a device or a pipe")
    return path.read_bytes()


def _see_ours(path: Path, present: bytes, *, force: bool) -> None:
    if not (once_written(present) or tries_only(present, str(path))):
        raise RefusedError(
            "override-not-ours",
            f"{path} is no override of a test stack; it was left as it is, and --force does not change that.",
            evidence=["it was not written by `cutover override`, and its services are not labelled cutover.test-of"],
            hint="cutover override -o FILE or --name NAME writes another file; --print shows it",
        )
    if not force:
        raise RefusedError(
            "override-not-ours",
            f"{path} was written or edited by hand; it was left as it is.",
            hint="cutover override -o FILE or --name NAME writes another file, --print shows it; --force writes over "
            "this one, and what was edited in it is lost",
        )


def _not_writable(path: Path, why: str) -> RefusedError:
    return RefusedError(
        "override-not-writable",
        f"{path} cannot be written: {why}.",
        hint="cutover override -o FILE writes it elsewhere; --print prints it",
    )
