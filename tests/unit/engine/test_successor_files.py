"""Configs and secrets that come from no file are found and packed."""

from __future__ import annotations

import io
import tarfile
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cutover.engine.daemon import Daemon
from cutover.engine.successor_files import Injected, inject, injected_files
from cutover.errors import RefusedError

MODEL: dict[str, Any] = {
    "services": {
        "web": {
            "configs": [{"source": "text"}, {"source": "mounted"}, {"source": "text", "target": "/etc/x/y"}],
            "secrets": [{"source": "token", "target": "t", "mode": "0400", "uid": "103"}, {"source": "file"}],
        },
        "bare": {},
    },
    "configs": {"text": {"content": "costs $$5"}, "mounted": {"file": "/f"}},
    "secrets": {"token": {"environment": "TOKEN"}, "file": {"file": "/s"}},
}


def test_what_compose_would_copy_is_found() -> None:
    """At the places where Compose puts it, with its mode and owner; files are mounted and left out."""
    found = injected_files(MODEL, "web", {"TOKEN": "s3cret"})
    assert found == (
        Injected("/text", b"costs $5"),
        Injected("/etc/x/y", b"costs $5"),
        Injected("/run/secrets/t", b"s3cret", 0o400, 103),
    )
    assert "s3cret" not in repr(found)
    assert injected_files(MODEL, "bare", {}) == ()


def test_a_variable_that_is_not_set_is_refused() -> None:
    """Compose would refuse it too."""
    with pytest.raises(RefusedError, match="TOKEN"):
        injected_files(MODEL, "web", {})


def test_they_are_packed_below_the_root() -> None:
    """One archive for all; none where there are none."""
    sent: list[tuple[str, str, bytes]] = []
    api = SimpleNamespace(put_archive=lambda *given: sent.append(given))
    daemon = cast("Daemon", SimpleNamespace(api=api))
    inject(daemon, "c", ())
    assert sent == []
    inject(daemon, "c", (Injected("/run/secrets/t", b"s3cret", 0o400, 103),))
    ((container, root, packed),) = sent
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        (entry,) = archive
        assert (entry.name, entry.mode, entry.uid, entry.size) == ("run/secrets/t", 0o400, 103, 6)
    assert (container, root) == ("c", "/")
