"""The next command, in words that work as they are copied: with the name, the file and the options that it needs."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from cutover.flow.session import Session
from cutover.flow.teststack_target import OVERRIDES, Target


def again(session: Session, target: Target, *flags: str) -> str:
    """Return the `cutover up` that starts this very test stack, with more flags."""
    usual = session.folder / OVERRIDES / f"{target.service}.yml"
    file = () if target.file == usual else ("-o", shlex.quote(_short(target.file)))
    return session.spoken(" ".join(["up", target.service, *file, *flags]))


def composed(session: Session, words: str, *files: Path) -> str:
    """Return a `docker compose` command for this project, of these files or naming what it would not find by itself."""
    source, options, settings = session.stack.source, session.options, session.settings
    files = files or (source.files if options.files or settings.files else ())
    said = [
        *(f"-f {shlex.quote(_short(f))}" for f in files),
        *([f"-p {shlex.quote(str(source.project))}"] if options.project or settings.project else []),
        *(f"--env-file {shlex.quote(str(f))}" for f in options.env_files),
    ]
    return " ".join(["docker compose", *said, words])


def _short(path: Path) -> str:
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near
