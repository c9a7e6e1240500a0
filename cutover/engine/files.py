"""Which compose files make the project: `-f`, COMPOSE_FILE (also from `.env`), or the names Compose looks for.

Source: compose-go, `cli/options.go` (`DefaultFileNames`, `DefaultOverrideFileNames`, `WithConfigFileEnv`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cutover.errors import UsageError
from cutover.trust import kind_of

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = tuple(f"{stem}.override.{suffix}" for stem in ("compose", "docker-compose") for suffix in ("yml", "yaml"))


def compose_files(given: tuple[Path, ...], folder: Path, environ: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Return the absolute paths of the project's compose files, in the order in which Compose merges them.

    Raises:
        UsageError: a file does not exist, is none (`not-a-file`), or there is none to be found.

    """
    environ = os.environ if environ is None else environ
    paths = given or _from_environment(folder, environ) or _found_above(folder)
    if not paths:
        raise UsageError(
            "no-compose-file",
            f"There is no compose file in {folder} or above it.",
            hint="name it: cutover swap -f path/to/docker-compose.yml ...",
        )
    absolute = tuple(Path(os.path.abspath(folder / path)) for path in paths)  # noqa: PTH100  (links stay links)
    for path in absolute:
        see_files(path)
        if not path.is_file():
            raise UsageError("no-compose-file", f"There is no compose file {path}.", hint="check the path after -f")
    return absolute


def see_files(*paths: Path) -> None:
    """See that Compose can read these files again and again, where they are there at all.

    Raises:
        UsageError: one is a pipe, say: Compose would wait for ever, or find it empty the second time.

    """
    for path in paths:
        kind = kind_of(path.stat().st_mode) if path.exists() else None
        if kind is not None:
            raise UsageError(
                "not-a-file",
                f"{path} is {kind}, not a file: it is read several times, and saved.",
                hint="name a file; what a pipe gives can be written into one first, for its owner only (umask 077)",
            )


def _from_environment(folder: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    settings = {**dict(_dotenv(folder / ".env")), **environ}
    listed = settings.get("COMPOSE_FILE", "")
    separator = settings.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    return tuple(Path(name) for name in listed.split(separator) if name)


def _dotenv(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the COMPOSE_* settings of a `.env` file; Compose itself reads the rest."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip().startswith("COMPOSE_"):
            yield name.strip(), _unquoted(value.strip())


def _unquoted(value: str) -> str:
    if value[:1] in {"'", '"'}:
        return value[1:].partition(value[0])[0]
    return value.partition(" #")[0].rstrip()


def _found_above(folder: Path) -> tuple[Path, ...]:
    for place in (folder, *folder.parents):
        for name in NAMES:
            if (place / name).is_file():
                extra = [place / o for o in OVERRIDES if (place / o).is_file()]
                return (place / name, *extra[:1])
    return ()
