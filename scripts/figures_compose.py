"""The second judge: what `docker compose config` makes of the files before and after a move."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from figures_cases import NEW, OVERRIDE, Tally, eligible, sample
from figures_mutations import mutations

from cutover.document import FileSet, judge_move, move_ports
from cutover.errors import EditRefusedError

ROW = "docker compose config"


class NotValidError(Exception):
    """Compose refuses the files as they were."""


def config(files: Mapping[str, bytes]) -> dict[str, object]:
    """Return the canonical model of a set of files, all profiles active.

    Raises:
        NotValidError: Compose refuses them.

    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["docker", "compose", "--project-directory", "/", "-p", "figures"]
        for name, content in files.items():
            path = Path(folder) / name
            path.write_bytes(content)
            command += ["-f", str(path)]
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        done = subprocess.run(
            [*command, "--profile", "*", "config", "--format", "json"],
            capture_output=True,
            check=False,
            env=kept,
            timeout=60,
        )
    if done.returncode:
        raise NotValidError(done.stderr.decode(errors="replace").strip().splitlines()[-1:])
    return json.loads(done.stdout)


def judge(content: bytes, name: str, most: int, *, mutated: bool = True) -> Tally:
    """Have Compose judge moves of one file: as it is, in one other dress, and with a second `-f` file."""
    tally = Tally()
    try:
        model = config({name: content})
    except NotValidError:
        tally.counts[ROW, "not valid by itself"] += 1
        return tally
    cases = sample(list(eligible(content, name)), most, name + ROW)
    for document, source, entry, target in cases:
        before = model if document.content == content else config({name: document.content})
        _judge_one(tally, name, (before, document.content), (source, target), entry.published)
    if cases and mutated:
        names = sorted(mutations())
        dress = names[sum(name.encode()) % len(names)]
        _judge_mutation(tally, mutations()[dress](content), name, dress)
        _judge_set(tally, content, name, cases[0][1], cases[0][2].published)
    return tally


def _judge_one(
    tally: Tally, name: str, before: tuple[dict, bytes], services: tuple[str, str], published: tuple
) -> None:
    model, content = before
    document = FileSet.parse({name: content}).documents[0]
    try:
        edit = move_ports(document, *services, published)
    except EditRefusedError:
        return
    tally.counts[ROW, "eligible"] += 1
    try:
        judge_move(
            lambda files: model if files[name] == content else config(files),
            {name: content},
            {name: edit.content},
            edit.move,
        )
        tally.counts[ROW, "done"] += 1
    except (EditRefusedError, NotValidError) as error:
        tally.wrong(ROW, f"{name} {published} {services}: {error} {getattr(error, 'evidence', '')}")


def _judge_mutation(tally: Tally, content: bytes, name: str, dress: str) -> None:
    try:
        model = config({name: content})
        cases = sample(list(eligible(content, name)), 1, name + dress)
    except (NotValidError, EditRefusedError):
        return
    for document, source, entry, target in cases:
        if document.content == content:
            _judge_one(tally, name, (model, content), (source, target), entry.published)


def _judge_set(tally: Tally, content: bytes, name: str, source: str, published: tuple) -> None:
    files = FileSet.parse({name: content, "override.yml": OVERRIDE})
    try:
        edit = files.move_ports(source, NEW, published)
    except EditRefusedError:
        return
    tally.counts[ROW, "eligible"] += 1
    try:
        judge_move(config, files.contents(), edit.files.contents(), edit.move)
        tally.counts[ROW, "done"] += 1
    except (EditRefusedError, NotValidError) as error:
        tally.wrong(ROW, f"{name} + override.yml {published}: {error} {getattr(error, 'evidence', '')}")
