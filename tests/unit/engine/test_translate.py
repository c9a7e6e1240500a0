"""Every exception of the docker library, and of those below it, becomes one of ours."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import docker.errors
import pytest
import requests.exceptions
import urllib3.exceptions

from cutover.engine.translate import translated
from cutover.errors import EngineError, EngineGoneError


def classes(module: object) -> Iterator[type[Exception]]:
    """Yield the exception classes that a module defines."""
    for _, found in inspect.getmembers(module, inspect.isclass):
        proxy = found is urllib3.exceptions.ProxySchemeUnsupported  # no HTTPError, and docker sets no proxy
        own = found.__module__ == getattr(module, "__name__", "")
        if own and issubclass(found, Exception) and not issubclass(found, Warning) and not proxy:
            yield found


def instance(kind: type[Exception]) -> Exception:
    """Make one without its library's arguments, which differ from class to class."""
    error = kind.__new__(kind)
    Exception.__init__(error, "words of the Engine")
    error.__dict__.update(
        explanation="words of the Engine",
        response=None,
        msg="m",
        message="m",
        name="n",
        param="p",
        length=1,
        partial=1,
        expected=1,
    )
    return error


@pytest.mark.parametrize(
    "kind",
    [
        *classes(docker.errors),
        *classes(requests.exceptions),
        *classes(urllib3.exceptions),
        ConnectionRefusedError,
        BrokenPipeError,
        TimeoutError,
        PermissionError,
        FileNotFoundError,
    ],
    ids=lambda kind: f"{kind.__module__}.{kind.__name__}",
)
def test_each_is_translated(kind: type[Exception]) -> None:
    """With what was being done, and the original as its cause."""
    original = instance(kind)
    with pytest.raises(EngineError) as caught, translated("Starting green"):
        raise original
    assert caught.value.message.startswith("Starting green: ")
    assert caught.value.__cause__ is original


def unanswered(words: str) -> Exception:
    """Return what the library makes of a socket on which nobody answers."""
    error = docker.errors.DockerException(words)
    error.__context__ = requests.exceptions.ConnectionError("no such file")
    return error


@pytest.mark.parametrize(
    ("error", "kind", "reference", "message", "evidence"),
    [
        (docker.errors.NotFound("404", explanation="No such container: x "), EngineError, "not-found",
         "Asking: No such container: x", ()),
        (docker.errors.ImageNotFound("404"), EngineError, "not-found", "Asking: 404", ()),
        (docker.errors.APIError("409", explanation="port is already allocated"), EngineError, "engine-refused",
         "Asking: the Engine refused.", ("port is already allocated",)),
        (unanswered("no socket"), EngineGoneError, "engine-gone",
         "Asking: no Docker Engine answers.", ("no socket",)),
        (ConnectionResetError(104, "reset"), EngineGoneError, "engine-gone",
         "Asking: no Docker Engine answers.", ("[Errno 104] reset",)),
    ],
)  # fmt: skip
def test_what_becomes_what(
    error: Exception, kind: type[EngineError], reference: str, message: str, evidence: tuple[str, ...]
) -> None:
    """Not there, refused, gone: the way back waits for the last one only."""
    with pytest.raises(EngineError) as caught, translated("Asking"):
        raise error
    assert type(caught.value) is kind
    assert (caught.value.reference, caught.value.message, caught.value.evidence) == (reference, message, evidence)


@pytest.mark.parametrize("error", [EngineError("exec-failed", "x"), ZeroDivisionError(), KeyboardInterrupt()])
def test_what_is_ours_or_nobodys_goes_through(error: BaseException) -> None:
    """A defect is not taken for an Engine that is gone."""
    with pytest.raises(type(error)) as caught, translated("Asking"):
        raise error
    assert caught.value is error
