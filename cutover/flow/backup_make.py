"""Making a backup: look, see that there is room, save, and write the manifest last; a half one is taken away."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cutover import __version__
from cutover.backup.archive import CONFIG, DIFF, Archive, Draft
from cutover.backup.git import Git
from cutover.backup.images import save_images
from cutover.backup.manifest import SEALED, GitState, Kind, Manifest, SavedImages, SavedVolume
from cutover.backup.places import volumes_of_model
from cutover.backup.seal import Seal
from cutover.backup.volumes import VolumeFacts, save_volume, volume_facts
from cutover.clock import Clock
from cutover.engine.daemon import Daemon
from cutover.engine.images import sizes_of, tagged
from cutover.engine.writers import Writer, writers_of
from cutover.errors import RefusedError, UsageError
from cutover.events import Note, Observer, Progress
from cutover.flow.backup_look import Seen, Subject, look
from cutover.flow.backup_seal import closer
from cutover.flow.backup_writers import Hold, held

MEGA = 1_000_000
ROOM_BYTES = 64 * 1024 * 1024
"""What stays free on the disk besides what the backup takes: a full disk stops more than a backup."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a backup is to hold besides the files. `volumes`: True for all, or names as in the compose file.

    `rescue` are volumes that are saved whatever the model says, by their name in the compose file: the Engine's name.
    """

    why: str
    volumes: bool | tuple[str, ...] = False
    images: bool = False
    hold: Hold | None = None
    seal: Seal | None = None
    git_tag: bool = False
    git_branch: str | None = None
    warnings: tuple[str, ...] = ()
    rescue: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One volume to be saved: its name in the compose file, what is known of it, and who may write to it."""

    key: str
    facts: VolumeFacts
    writers: tuple[Writer, ...] = ()

    @property
    def volume(self) -> str:
        """Return the Engine's name of it."""
        return self.facts.name


@dataclass(frozen=True, slots=True)
class Making:
    """Where a backup is made, and who is told; `note` is where it is written down who is held."""

    folder: Path
    note: Path
    clock: Clock
    observer: Observer

    def tell(self, message: str) -> None:
        """Tell whoever looks on."""
        self.observer.tell(Note(message))

    def bar(self, title: str, expected: int) -> Callable[[int, int | None], None]:
        """Return what tells how many bytes of so many are done."""
        return bar(self.observer, title, expected)


def bar(observer: Observer, title: str, expected: int) -> Callable[[int, int | None], None]:
    """Return what tells an observer how many bytes of so many are done, in MB."""

    def tell(done: int, total: int | None) -> None:
        whole = max(done, total or expected)
        observer.tell(Progress(f"{title}, MB", done // MEGA, max(1, whole // MEGA)))

    return tell


def make(subject: Subject, wanted: Wanted, making: Making) -> Archive:
    """Make a backup of a project into the folder `making.folder`, whose name is its ID.

    Raises:
        UsageError: a volume is named that the project does not have, or a tag is wanted and there is no repository.
        RefusedError: there is no room, or Compose rejects the files.
        EngineError: the Engine does not answer.
        OSError: the disk refuses. What was made is removed, in each case.

    """
    seen = look(subject)
    _see_git(seen, wanted, subject)
    volumes = _chosen(subject, seen, wanted)
    references = _references(seen) if wanted.images else []
    _see_room(making.folder, volumes, _image_bytes(subject.daemon, references))
    draft = Draft(making.folder, closer(wanted.seal))
    try:
        return _made(subject, wanted, making, seen, draft, volumes=volumes, references=references)
    except BaseException:
        draft.discard()
        raise


def _made(
    subject: Subject,
    wanted: Wanted,
    making: Making,
    seen: Seen,
    draft: Draft,
    *,
    volumes: Sequence[Chosen],
    references: list[str],
) -> Archive:
    made = making.clock.now()
    for path in seen.found.files:
        draft.add_file(path)
    if seen.model:
        draft.add_content(Kind.CONFIG, CONFIG, json.dumps(seen.model, indent=1, sort_keys=True).encode())
    if seen.git.diff:
        draft.add_content(Kind.DIFF, DIFF, seen.git.diff)
    saved = _save_volumes(subject, wanted, making, volumes)
    images = _save_images(subject, wanted, making, references)
    git = _marked(seen, wanted, subject, making.folder.name)
    try:
        return draft.finish(
            Manifest(
                cutover=__version__,
                id=making.folder.name,
                made=made,
                why=wanted.why,
                project=subject.project,
                folder=str(subject.folder),
                files=tuple(map(str, subject.stack.source.files)),
                sealed=_program(wanted.seal),
                containers=seen.images,
                volumes=saved,
                images=images,
                git=git,
                warnings=(*wanted.warnings, *seen.warnings, *_torn(saved)),
            )
        )
    except BaseException:
        if git is not None and git.commit is not None:
            Git(subject.folder, subject.git_limit_s).unmark(git.commit, git.tag, git.new_branch)
        raise


# -- volumes and images ------------------------------------------------------------------------------------------------


def _chosen(subject: Subject, seen: Seen, wanted: Wanted) -> list[Chosen]:
    daemon = subject.daemon
    if daemon is None:
        return []
    found = []
    for key, name in (*_named(subject, seen, wanted), *wanted.rescue.items()):
        facts = volume_facts(daemon, name, project=subject.project, image=subject.tools)
        if facts.exists:
            found.append(Chosen(key, facts, tuple(writers_of(daemon, name))))
        elif wanted.volumes is not True:
            raise RefusedError("volume-missing", f"The volume {name} is not there yet.", hint="docker volume ls")
    return found


def _named(subject: Subject, seen: Seen, wanted: Wanted) -> Iterator[tuple[str, str]]:
    known = volumes_of_model(seen.model)
    if isinstance(wanted.volumes, bool):
        yield from known.items() if wanted.volumes else ()
        return
    by_name = {name: key for key, name in known.items()}
    for key in dict.fromkeys(by_name.get(n, n) for n in wanted.volumes):
        if key not in known:
            raise UsageError(
                "unknown-volume",
                f"There is no named volume {key!r} in project {subject.project}.",
                evidence=[f"volumes: {', '.join(known) or 'none'}"],
                hint="docker compose config --volumes",
            )
        yield key, known[key]


def _save_volumes(
    subject: Subject, wanted: Wanted, making: Making, volumes: Sequence[Chosen]
) -> tuple[SavedVolume, ...]:
    if not volumes or subject.daemon is None:
        return ()
    writers = {w.id: w for v in volumes for w in v.writers}
    saved = []
    with held(subject.daemon, making.note, list(writers.values()), wanted.hold, making.tell):
        for v in volumes:
            known = {} if wanted.hold else {w.id: w.name for w in v.writers}
            if known:
                names = ", ".join(known.values())
                making.tell(f"{v.volume}: {names} may write meanwhile; --pause or --stop makes them wait")
            began = making.clock.now()
            stored = save_volume(
                subject.daemon,
                v.volume,
                making.folder,
                project=subject.project,
                image=subject.tools,
                seal=wanted.seal,
                tell=making.bar(f"volume {v.key}", v.facts.used_bytes),
            )
            come = {w.id: w.name for w in writers_of(subject.daemon, v.volume)}  # whoever is held is not among them
            torn = tuple(dict.fromkeys((known | come).values()))
            saved.append(
                SavedVolume(
                    key=v.key,
                    volume=v.volume,
                    as_of=began,
                    driver=v.facts.driver,
                    options=dict.fromkeys(v.facts.options, SEALED) if wanted.seal else dict(v.facts.options),
                    labels=dict(v.facts.labels),
                    stored=stored,
                    torn=torn,
                )
            )
    return tuple(saved)


def _program(seal: Seal | None) -> Literal["age", "gpg"] | None:
    return None if seal is None else "age" if seal.program == "age" else "gpg"


def _torn(saved: Sequence[SavedVolume]) -> Iterator[str]:
    for v in saved:
        if v.torn:
            yield f"{v.key} may be torn: {', '.join(v.torn)} could write to it while it was copied"
        yield from (f"{v.key}: {note}" for note in v.stored.notes)


def _references(seen: Seen) -> list[str]:
    """Return by what the images are saved: by name where the name still means them, so that they have it again."""
    return list(dict.fromkeys(i.reference if tagged(i.reference) in i.tags else i.image_id for i in seen.images))


def _image_bytes(daemon: Daemon | None, references: list[str]) -> int:
    return sizes_of(daemon, references) if daemon and references else 0


def _save_images(subject: Subject, wanted: Wanted, making: Making, references: list[str]) -> SavedImages | None:
    if not references or subject.daemon is None:
        return None
    stored = save_images(subject.daemon, references, making.folder, seal=wanted.seal, tell=making.bar("images", 0))
    return SavedImages(references=tuple(references), stored=stored)


def _see_room(folder: Path, volumes: Sequence[Chosen], image_bytes: int) -> None:
    """See that the disk can take it, uncompressed: how small zstd makes it nobody knows before."""
    needed = sum(v.facts.used_bytes for v in volumes) + image_bytes
    there = next(p for p in folder.parents if p.exists())
    free = shutil.disk_usage(there).free
    if needed and needed + ROOM_BYTES > free:
        raise RefusedError(
            "no-room",
            f"{there} has {size_text(free)} free; the backup may need {size_text(needed)}.",
            evidence=[f"{v.volume}: {size_text(v.facts.used_bytes)}" for v in volumes]
            + ([f"images: {size_text(image_bytes)}"] if image_bytes else []),
            hint="cutover backup --to FOLDER puts it on another disk; cutover backups --prune makes room",
        )


def size_text(size_bytes: float) -> str:
    """Return a size as people read it: 1.5 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:  # noqa: PLR2004
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


# -- git ---------------------------------------------------------------------------------------------------------------


def _see_git(seen: Seen, wanted: Wanted, subject: Subject) -> None:
    if not (wanted.git_tag or wanted.git_branch):
        return
    if seen.git.state is None or seen.git.state.commit is None:
        why = seen.git.why or (
            "the repository has no commit yet" if seen.git.state else f"{subject.folder} is in no git work tree"
        )
        raise UsageError("no-repository", f"There is nothing to tag: {why}.", hint="git init; git commit")
    if wanted.git_branch:
        Git(subject.folder).see_branch(wanted.git_branch)


def _marked(seen: Seen, wanted: Wanted, subject: Subject, backup_id: str) -> GitState | None:
    state = seen.git.state
    if state is None or state.commit is None or not (wanted.git_tag or wanted.git_branch):
        return state
    git = Git(subject.folder, subject.git_limit_s)
    tag, branch = git.mark(state.commit, backup_id, wanted.git_branch, tag=wanted.git_tag)
    return state.model_copy(update={"tag": tag, "new_branch": branch})
