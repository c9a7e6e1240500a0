"""Foreign exceptions become ours here, with the Engine's own words as evidence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import docker.errors
import requests.exceptions
import urllib3.exceptions

from cutover.errors import EngineError, EngineGoneError

NO_ENGINE_HINT = "see that the Engine runs (`systemctl start docker`) and that this user may use it (`docker info`)"

SILENCE = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What a connection raises on which nobody answers."""


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turn what the docker library raises during `action` into EngineError or EngineGoneError."""
    try:
        yield
    except docker.errors.NotFound as error:
        raise EngineError("not-found", f"{action}: {_words(error)}") from error
    except docker.errors.APIError as error:
        raise EngineError(
            "engine-refused", f"{action}: the Engine refused.", evidence=[_words(error)], hint="docker info"
        ) from error
    except (docker.errors.DockerException, docker.errors.StreamParseError) as error:
        if isinstance(error.__context__, SILENCE):  # "Error while fetching server API version"
            raise _gone(action, error) from error
        raise EngineError("engine-refused", f"{action}: {error}", hint="docker info") from error
    except SILENCE as error:
        raise _gone(action, error) from error


def _gone(action: str, error: Exception) -> EngineGoneError:
    return EngineGoneError(
        "engine-gone", f"{action}: no Docker Engine answers.", evidence=[str(error).strip()], hint=NO_ENGINE_HINT
    )


def _words(error: docker.errors.APIError) -> str:
    return str(error.explanation or error).strip()
