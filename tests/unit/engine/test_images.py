"""How a build's and a pull's answers are followed: each line is told, and a failure is an error with the last ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker.errors
import pytest

from cutover.engine.images import LAST_LINES, build, pull
from cutover.errors import EngineError, EngineGoneError


class Api:
    """Answers as the Engine does, and remembers what it was asked."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.answers = answers
        self.asked: dict[str, Any] = {}

    def build(self, **asked: Any) -> Iterator[dict[str, Any]]:
        """Answer line by line."""
        self.asked = asked
        return self._stream()

    def pull(self, repository: str, tag: str, **asked: Any) -> Iterator[dict[str, Any]]:
        """Answer line by line."""
        self.asked = {"repository": repository, "tag": tag, **asked}
        return self._stream()

    def _stream(self) -> Iterator[dict[str, Any]]:
        for answer in self.answers:
            if isinstance(answer, Exception):
                raise answer
            yield answer


class Stand:
    """Stands in for a Daemon."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.api: Any = Api(*answers)


FAILED = {"error": "short", "errorDetail": {"code": 100, "message": "returned a non-zero code: 100"}}


def test_each_line_of_a_build_is_told() -> None:
    """Without colours and empty lines; the Engine hears the base, the name and the context."""
    told: list[str] = []
    stand: Any = Stand({"stream": "Step 1/2 : FROM x\n"}, {"stream": "\x1b[91mE: two\n\x1b[0m\nthree  \n"}, {"aux": {}})
    build(stand, b"tar", "edge:1", "debian:12", told.append, cache=False)
    assert told == ["Step 1/2 : FROM x", "E: two", "three"]
    asked = stand.api.asked
    assert (asked["tag"], asked["buildargs"], asked["nocache"]) == ("edge:1", {"BASE": "debian:12"}, True)
    assert asked["fileobj"].read() == b"tar"


def test_a_build_that_fails_tells_its_last_lines() -> None:
    """And the Engine's own reason after them."""
    stand: Any = Stand({"stream": "\n".join(f"line {n}" for n in range(99))}, FAILED)
    with pytest.raises(EngineError, match=r"edge:1 could not be built on debian:12\.") as caught:
        build(stand, b"", "edge:1", "debian:12", lambda _: None)
    assert caught.value.reference == "image-failed"
    assert caught.value.evidence == (
        *(f"line {n}" for n in range(99 - LAST_LINES, 99)),
        "returned a non-zero code: 100",
    )


@pytest.mark.parametrize(
    "error", [{"error": "no such host"}, docker.errors.APIError("no such host")], ids=["late", "first"]
)
def test_a_pull_that_fails(error: dict[str, Any] | Exception) -> None:
    """Whether the Engine says so at once or on the way."""
    with pytest.raises(EngineError, match=r"x/y:1 cannot be pulled\.") as caught:
        pull(Stand(error), "x/y:1", lambda _: None)
    assert caught.value.evidence == ("no such host",)


@pytest.mark.parametrize(
    ("reference", "asked"),
    [
        ("debian", ("debian", "latest")),
        ("host:5000/a/b", ("host:5000/a/b", "latest")),
        ("host:5000/a/b:1", ("host:5000/a/b", "1")),
        ("a@sha256:0", ("a", "sha256:0")),
    ],
)
def test_one_tag_is_pulled(reference: str, asked: tuple[str, str]) -> None:
    """Not all of them, which is what the library takes no tag for."""
    stand: Any = Stand()
    pull(stand, reference, lambda _: None)
    assert (stand.api.asked["repository"], stand.api.asked["tag"]) == asked


def test_an_engine_that_goes_in_the_middle_is_told_as_gone() -> None:
    """Its silence is no fault of the image."""
    stand: Any = Stand({"stream": "Step 1/2 : FROM x"}, ConnectionResetError("peer"))
    with pytest.raises(EngineGoneError):
        build(stand, b"", "edge:1", "debian:12", lambda _: None)
