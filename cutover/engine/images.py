"""Images: built from a context in memory, and pulled, with their progress told a line at a time."""

from __future__ import annotations

import io
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import docker.errors
import requests
from docker.utils import parse_repository_tag

from cutover.engine.daemon import Daemon
from cutover.engine.translate import translated
from cutover.errors import EngineError

SILENCE_S = 600
"""How long a build may say nothing: a package manager downloads without a word."""
LAST_LINES = 12
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

CHUNK_BYTES = 1 << 20
LOADED = re.compile(r"Loaded image(?: ID)?: (\S+)$")

Tell = Callable[[str], None]


def build(daemon: Daemon, context: bytes, tag: str, base: str, tell: Tell, *, cache: bool = True) -> None:
    """Build a context (a tar with a Dockerfile that takes `BASE`) and name the image `tag`.

    The classic builder: it is in every Engine, and over this API there is no other.

    Raises:
        EngineError: it could not be built; its last lines are the evidence.

    """
    with translated(f"Building {tag}"):
        answers = daemon.api.build(
            fileobj=io.BytesIO(context),
            custom_context=True,
            tag=tag,
            buildargs={"BASE": base},
            nocache=not cache,
            rm=True,
            forcerm=True,
            decode=True,
            timeout=SILENCE_S,
        )
        _follow(answers, f"{tag} could not be built on {base}.", tell)


def pull(daemon: Daemon, reference: str, tell: Tell) -> None:
    """Pull an image.

    Raises:
        EngineError: it cannot be had.

    """
    repository, tag = parse_repository_tag(reference)
    tell(f"pulling {reference}")
    with translated(f"Pulling {reference}"):
        try:
            # Without a tag the library would fetch all of them.
            answers = daemon.api.pull(repository, tag or "latest", stream=True, decode=True)
            _follow(answers, f"{reference} cannot be pulled.", lambda _: None)
        except docker.errors.APIError as error:
            raise _failed(f"{reference} cannot be pulled.", [str(error.explanation or error)]) from error


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image is called: by tags, and by digests under which a registry has it; every layer counts."""

    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size_bytes: int


def facts_of(daemon: Daemon, references: Iterable[str]) -> dict[str, ImageFacts]:
    """Return what images are called, by the reference asked for; one that is gone is left out."""
    found = {}
    for reference in references:
        told = daemon.image_details(reference)
        if told is not None:
            tags, digests = told.get("RepoTags") or (), told.get("RepoDigests") or ()
            found[reference] = ImageFacts(tuple(tags), tuple(digests), int(told.get("Size") or 0))
    return found


def tagged(reference: str) -> str:
    """Return an image's name with its tag, `latest` where it says none, as the Engine lists it."""
    repository, tag = parse_repository_tag(reference)
    return f"{repository}{'@' if ':' in (tag or '') else ':'}{tag or 'latest'}"


def sizes_of(daemon: Daemon, references: Iterable[str]) -> int:
    """Return the bytes of all these images together; layers that they share count for each."""
    return sum(facts.size_bytes for facts in facts_of(daemon, references).values())


def _follow(answers: Iterable[Mapping[str, Any]], failure: str, tell: Tell) -> None:
    """Tell each line, and raise what the Engine says went wrong: its status was 200 before it began."""
    last: deque[str] = deque(maxlen=LAST_LINES)
    for answer in answers:
        for line in _lines(answer):
            last.append(line)
            tell(line)
        if "error" in answer:
            problem = (answer.get("errorDetail") or {}).get("message") or answer["error"]
            raise _failed(failure, [*last, str(problem).strip()])


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    said = str(answer.get("stream") or answer.get("status") or "")
    yield from (line.rstrip() for line in COLOUR.sub("", said).splitlines() if line.strip())


def _failed(message: str, evidence: list[str]) -> EngineError:
    return EngineError("image-failed", message, evidence=evidence, hint="docker images; docker info")


def exported(daemon: Daemon, references: Sequence[str]) -> Iterator[bytes]:
    """Yield one tar of several images, as `docker save` writes it.

    Raises:
        EngineError: there is no such image, or the Engine failed.

    """
    what = f"Saving {', '.join(references)}"
    api = daemon.api
    with translated(what):  # the library's own call takes one image
        reply = api.get(
            f"{api.base_url}/v{api.api_version}/images/get", params={"names": list(references)}, stream=True
        )
        _raise(reply)
        with reply:
            yield from reply.iter_content(CHUNK_BYTES)


def imported(daemon: Daemon, chunks: Iterator[bytes]) -> list[str]:
    """Load a tar of images and return what the Engine says of each: its name with its tag, or its ID.

    Raises:
        EngineError: the Engine refuses.

    """
    said: list[str] = []
    api = daemon.api
    with translated("Loading images"):  # the library's own call gives up after a minute without an answer
        reply = api.post(f"{api.base_url}/v{api.api_version}/images/load", data=chunks, stream=True, timeout=SILENCE_S)
        _raise(reply)
        _follow(_answers(reply), "The images could not be loaded.", said.append)
    return [found[1] for line in said if (found := LOADED.match(line))]


def _raise(reply: requests.Response) -> None:
    """Raise as the library does where the Engine refused."""
    try:
        reply.raise_for_status()
    except requests.exceptions.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)


def _answers(reply: requests.Response) -> Iterator[Mapping[str, Any]]:
    with reply:
        yield from (json.loads(line) for line in reply.iter_lines() if line.strip())
