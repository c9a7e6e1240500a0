"""Which files of a source are read: Python, text, ours; the rest is named and left."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cutover.validate.surface.source.method import Skipped

MAX_FILES = 4000
MAX_FILE_BYTES = 2 << 20
# A tree takes about 35 times its text in memory: measured at 560 MiB for 16 MiB of text.
MAX_TOTAL_BYTES = 16 << 20
_NOT_OURS: Final = frozenset(
    {".tox", ".nox", ".venv", "venv", "env", "node_modules", "site-packages", ".eggs", "__pypackages__"}
)
_NO_SOURCE: Final = frozenset({"__pycache__", ".git", ".hg", ".svn", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_TESTS: Final = frozenset({"test", "tests", "testing"})


def read_trees(
    paths: list[Path], skipped: list[Skipped], relative_to: Path | None = None
) -> Iterator[tuple[str, ast.Module]]:
    """Yield each Python file as the name by which it is shown, and its tree; nothing is imported or run.

    What is not read is added to `skipped`: syntax errors, Python 2, odd encodings, links, trees too large to hold.
    """
    seen: set[Path] = set()
    taken = total = 0
    for path in _files(paths, relative_to, skipped):
        shown = _shown(path, relative_to)
        real = path.resolve()
        if real in seen:
            continue
        seen.add(real)
        if taken >= MAX_FILES or total >= MAX_TOTAL_BYTES:
            why = f"more than {MAX_FILES} files or {MAX_TOTAL_BYTES >> 20} MiB: name the folder of the service alone"
            skipped.append(Skipped(shown, f"and what comes after it: {why}"))
            return
        found = _tree(path, shown, skipped)
        if found:
            taken, total = taken + 1, total + found[1]
            yield shown, found[0]


def _files(paths: list[Path], relative_to: Path | None, skipped: list[Skipped]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from _below(path, relative_to, skipped)
        else:
            yield path


def _shown(path: Path, relative_to: Path | None) -> str:
    return str(path.relative_to(relative_to)) if relative_to and path.is_relative_to(relative_to) else str(path)


def _below(folder: Path, relative_to: Path | None, skipped: list[Skipped]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        skipped.append(Skipped(_shown(Path(error.filename), relative_to), f"cannot be read: {error.strerror}"))

    for name, folders, files in os.walk(folder, onerror=unreadable):
        here = Path(name)
        folders[:] = [f for f in sorted(folders) if _is_ours(here / f, _shown(here / f, relative_to), skipped)]
        for file in sorted(f for f in files if f.endswith(".py")):
            if file.startswith("test_") or file == "conftest.py":
                skipped.append(Skipped(_shown(here / file, relative_to), "a test"))
            else:
                yield here / file


def _is_ours(path: Path, shown: str, skipped: list[Skipped]) -> bool:
    if path.name in _NO_SOURCE:
        return False
    if path.is_symlink():  # a link to a folder above would go round for ever
        skipped.append(Skipped(shown, "a link to a folder; name its target if it belongs to the service"))
        return False
    if path.name in _NOT_OURS or (path / "pyvenv.cfg").exists():
        skipped.append(Skipped(shown, "not the service's own source"))
        return False
    if path.name in _TESTS:
        skipped.append(Skipped(shown, "tests"))
        return False
    return True


def _tree(path: Path, shown: str, skipped: list[Skipped]) -> tuple[ast.Module, int] | None:
    try:
        if not path.is_file():  # a FIFO would be waited for
            skipped.append(Skipped(shown, "no regular file" if path.exists() else "is not there"))
            return None
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            skipped.append(Skipped(shown, f"{size} bytes: larger than {MAX_FILE_BYTES >> 20} MiB"))
            return None
        content = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in their source is no news of ours
            return ast.parse(content, filename=shown), size
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        skipped.append(Skipped(shown, f"{where}not Python 3.{_minor()} or older: {error.msg}"))
    except (ValueError, RecursionError, MemoryError) as error:
        skipped.append(Skipped(shown, f"cannot be parsed: {str(error) or type(error).__name__}"))
    except OSError as error:
        skipped.append(Skipped(shown, f"cannot be read: {error.strerror}"))
    return None


def _minor() -> int:
    import sys  # noqa: PLC0415

    return sys.version_info.minor
