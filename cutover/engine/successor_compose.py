"""What Compose would make of a service, made by Compose itself and read back: no other code knows all of it.

`up --no-start --no-recreate --scale web=2` creates a second container and leaves the first one as it is, but for one
thing: a network whose definition changed is made anew, and its containers are stopped for that (seen on 2.40.3). So its
dry run is read first.

Compose does not scale a service that has a `container_name`: then it reads the files without that line, and the hash
under which it knows the real ones is worked out apart. `config --hash` counts `env_file:` in and `up` does not (2.40.3:
two hashes for one service), so that hash is asked of the resolved model, and the method proven on the container that
was made.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cutover.engine.stack import Stack
from cutover.errors import RefusedError

_PROGRESS = re.compile(r"(Container|Network|Volume)\s+(\S+)\s+([A-Z][a-z]+)$")
_IDLE = {"Running", "Created", "Waiting", "Healthy", "Exited"}
_SECOND = ("up", "--no-start", "--no-recreate", "--no-deps", "--no-build", "--pull=never")
_NAMELESS = "services:\n  {service}:\n    container_name: !reset null\n"


def would_do(stack: Stack, *services: str) -> list[str]:
    """Return what `docker compose up -d` would still do to these services (all: none named), without what they need.

    Raises:
        EngineError: Compose failed.

    """
    words = ("up", "--detach", "--dry-run", "--no-build", "--pull=never", *(["--no-deps"] if services else []))
    return [line for kind, name, verb, line in _acts(stack, *words, *services) if verb not in _IDLE]


def make_second(stack: Stack, model: Mapping[str, Any], service: str) -> str:
    """Have Compose create a second container of a service that has one; return the hash of the service's definition.

    Raises:
        RefusedError: Compose would do more than that: `successor-disturbs`; or `successor-hash`.
        EngineError: Compose failed.

    """
    with _scalable(stack, model, service) as scalable:
        words = (*_SECOND, f"--scale={service}=2", service)
        _see_harmless(scalable, service, words)
        done = scalable.ask(*words, profiles=scalable.source.profiles, apart=True)
        if done.returncode != 0:
            raise stack.failed(f"docker compose up --no-start {service}", done.stderr)
        return _hash(stack, service) if scalable is not stack else ""


def hash_without_name(stack: Stack, model: Mapping[str, Any], service: str) -> str:
    """Return the hash that a service would have without its `container_name`."""
    with _scalable(stack, model, service) as scalable:
        return _hash(scalable, service)


@contextmanager
def _scalable(stack: Stack, model: Mapping[str, Any], service: str) -> Iterator[Stack]:
    """Give the stack as it can be scaled: without the `container_name` of the service."""
    if not model["services"][service].get("container_name"):
        yield stack
        return
    with tempfile.TemporaryDirectory(prefix="cutover-") as folder:
        file = Path(folder) / "nameless.yml"
        file.write_text(_NAMELESS.format(service=json.dumps(service)))
        source = stack.source
        yield stack.read_from(replace(source, files=(*source.files, file), directory=source.folder))


def _hash(stack: Stack, service: str) -> str:
    """Return what Compose's label says of the service's definition."""
    resolved = replace(stack.source, files=(Path("-"),), directory=stack.source.folder)
    told = stack.read_from(resolved).ask("config", "--hash", service, profiles=("*",), given=json.dumps(stack.config()))
    if told.returncode != 0:
        raise stack.failed("docker compose config --hash", told.stderr)
    return told.stdout.split()[-1]


def _see_harmless(stack: Stack, service: str, words: tuple[str, ...]) -> None:
    acts = list(_acts(stack, words[0], "--dry-run", *words[1:]))
    harm = [line for kind, _, verb, line in acts if verb.startswith(("Stop", "Remov", "Recreat", "Start", "Restart"))]
    if harm:
        raise RefusedError(
            "successor-disturbs",
            f"To create a second container of {service!r}, Docker Compose would disturb what runs.",
            evidence=harm,
            hint="a network's definition has changed: take that change apart, in a quiet hour",
        )


def _acts(stack: Stack, *words: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield what Compose says that it does: kind, name, verb, line. A question is something it would do, too."""
    done = stack.ask(*words, profiles=stack.source.profiles)
    if done.returncode != 0:
        raise stack.failed(f"docker compose {' '.join(words[:2])}", done.stderr)
    for line in done.stderr.splitlines():
        found = _PROGRESS.search(line.strip())
        if found:
            yield found[1], found[2], found[3], found[0]
    for question in re.findall(r'(Volume "[^"]+" exists but [^?]*\?)', done.stdout + done.stderr):
        yield "Volume", "", "Recreate", question
