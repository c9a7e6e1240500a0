"""The facts, as values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutover.model import Colour, Container, ContainerState, Listener, PortBinding, Protocol

PORT = PortBinding("", 5570, 5571)
HOLDER = Container("c", "shop-old-1", "shop", "old", ContainerState.RUNNING, published=(PORT,), wanted=(PORT,))


@pytest.mark.parametrize(
    ("binding", "text"),
    [
        (PORT, "5570:5571"),
        (PortBinding("127.0.0.1", 80, 8080), "127.0.0.1:80:8080"),
        (PortBinding("::1", 80, 8080), "[::1]:80:8080"),
        (PortBinding("", 53, 53, Protocol.UDP), "53:53/udp"),
    ],
)
def test_a_binding_is_written_as_docker_takes_it(binding: PortBinding, text: str) -> None:
    """So that it can be copied into a command."""
    assert str(binding) == text


def test_colours_are_each_others_opposite() -> None:
    """There are two."""
    assert [c.other for c in (Colour.GREEN, Colour.BLUE)] == [Colour.BLUE, Colour.GREEN]


@pytest.mark.parametrize(
    ("container", "parked"),
    [
        (HOLDER, False),
        (replace(HOLDER, published=()), True),
        (replace(HOLDER, published=(), state=ContainerState.EXITED), False),
        (replace(HOLDER, published=(), wanted=()), False),
    ],
)
def test_parked_is_running_without_the_ports_that_it_wants(container: Container, parked: bool) -> None:
    """Neither stopped, nor without any wish."""
    assert container.parked is parked


def test_a_port_is_held_with_its_protocol() -> None:
    """5570/udp is another port than 5570/tcp."""
    assert HOLDER.publishes(5570)
    assert not HOLDER.publishes(5570, Protocol.UDP)
    assert not HOLDER.publishes(5571)


@pytest.mark.parametrize(
    ("state", "code", "completed"), [("exited", 0, True), ("exited", 1, False), ("created", 0, False)]
)
def test_completed_is_ended_well(state: str, code: int, completed: bool) -> None:
    """A job that succeeded; one that was never started did not."""
    assert replace(HOLDER, state=ContainerState(state), exit_code=code).completed is completed


@pytest.mark.parametrize(
    ("address", "alone"), [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("0.0.0.0", False), ("::", False)]
)
def test_a_loopback_listener_is_reached_by_nobody_outside(address: str, alone: bool) -> None:
    """The reason why a published port may answer nobody."""
    assert Listener(address, 5570).loopback_only is alone


def test_labels_stay_out_of_a_containers_repr() -> None:
    """They may hold anything."""
    assert "hunter2" not in repr(replace(HOLDER, labels={"x": "hunter2"}))
