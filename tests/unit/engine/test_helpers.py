"""Talking with a helper container: frames as the Engine sends them, over a socket pair."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from cutover.engine.helpers import Helper, Talk, start_helper
from cutover.errors import EngineError

HELPER = Helper("cutover-redirect-shop", "shop", "redirect", "image", "module", "host")


@pytest.fixture
def ends() -> Iterator[tuple[Talk, socket.socket]]:
    """Give our end of a talk, and the Engine's."""
    ours, engines = socket.socketpair()
    with engines, Talk(HELPER, ours) as talk:
        yield talk, engines


def frame(content: bytes, stream: int = 1) -> bytes:
    """Return output as the Engine multiplexes it."""
    return struct.pack(">BxxxL", stream, len(content)) + content


def test_what_it_tells_is_heard_however_it_is_cut_up(ends) -> None:
    """A line in two frames, a frame in two pieces, two lines in one frame, with noise between."""
    talk, engine = ends
    sent = frame(b'{"event": "re') + frame(b"warning: noise\n", 2) + frame(b'ady"}\n{"event": "cut"}\n')
    for byte in sent:
        engine.sendall(bytes([byte]))
    assert [talk.hear(5)["event"], talk.hear(5)["event"]] == ["ready", "cut"]


def test_what_it_is_told_is_one_line(ends) -> None:
    """Of JSON."""
    talk, engine = ends
    talk.say({"do": "cut", "within_s": 5.0})
    assert json.loads(engine.recv(999)) == {"do": "cut", "within_s": 5.0}


def test_a_helper_that_ended_is_named_with_its_last_words(ends) -> None:
    """They say why, mostly."""
    talk, engine = ends
    engine.sendall(frame(b"Traceback\nKeyError: 'ports'\n", 2))
    engine.shutdown(socket.SHUT_RDWR)
    with pytest.raises(EngineError, match="cutover-redirect-shop") as caught:
        talk.hear(5)
    assert caught.value.evidence == ("it ended", "Traceback", "KeyError: 'ports'")
    with pytest.raises(EngineError):
        talk.say({"do": "cut"})


def test_a_silent_helper_is_not_waited_for_longer_than_agreed(ends) -> None:
    """And that is said."""
    talk, _ = ends
    with pytest.raises(EngineError) as caught:
        talk.hear(0.05)
    assert caught.value.evidence == ("it said nothing for 0.05 s",)


def test_hanging_up_ends_its_input(ends) -> None:
    """That is how it learns that nobody is there any more."""
    talk, engine = ends
    talk.close()
    assert engine.recv(1) == b""


def test_a_helper_has_no_right_that_it_was_not_given() -> None:
    """And none of the proxies of `~/.docker/config.json`, which may have passwords, in its environment."""
    ours, engines = socket.socketpair()
    api = MagicMock()
    api.create_host_config = lambda **how: how
    api.attach_socket.return_value = ours
    with engines, start_helper(SimpleNamespace(api=api), HELPER, {}):  # type: ignore[arg-type]
        made = api.create_container.call_args.kwargs
    host = made["host_config"]
    assert (host["cap_drop"], host["cap_add"]) == (["ALL"], ["NET_ADMIN"])
    assert (host["security_opt"], host["read_only"], host["binds"]) == (["no-new-privileges"], True, [])
    assert made["use_config_proxy"] is False
    assert "privileged" not in host
