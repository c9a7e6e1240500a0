"""Frames as the Engine sends them, however they arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cutover.engine.frames import HEAD, Frames

SENT = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=300)), max_size=8)


@given(sent=SENT, piece=st.integers(1, 400))
def test_frames_come_out_as_they_went_in(sent: list, piece: int) -> None:
    """Cut up in any way, empty ones included."""
    stream = b"".join(HEAD.pack(number, len(content)) + content for number, content in sent)
    frames = Frames()
    taken = [f for at in range(0, len(stream), piece) for f in frames.taken(stream[at : at + piece])]
    assert taken == sent


def test_a_frame_that_is_not_whole_waits() -> None:
    """For the rest of it."""
    frames = Frames()
    assert list(frames.taken(HEAD.pack(1, 4) + b"ab")) == []
    assert list(frames.taken(b"cd")) == [(1, b"abcd")]
