"""What the Engine's words about a GPU reservation mean; recorded from Engine 20.10 and the NVIDIA hook's own."""

from __future__ import annotations

import pytest

from cutover.engine.reservation import ENTRYPOINT, Device, Taken, classified, devices_of

_HOOK = "error running hook #0: error running hook: exit status 1, stdout: , stderr: "
_RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        (f'{_RUNC}exec: "{ENTRYPOINT}": stat {ENTRYPOINT}: no such file or directory: unknown', Taken.ACCEPTED),
        (f"crun: executable file `{ENTRYPOINT}` not found: No such file or directory", Taken.ACCEPTED),
        ('could not select device driver "nvidia" with capabilities: [[gpu]]', Taken.NO_RUNTIME),
        ('could not select device driver "" with capabilities: [[gpu]]', Taken.NO_RUNTIME),
        ("Unknown runtime specified nvidia", Taken.NO_RUNTIME),
        ("unknown or invalid runtime name: nvidia", Taken.NO_RUNTIME),
        (f"{_RUNC}{_HOOK}nvidia-container-cli: initialization error: nvml error: driver not loaded", Taken.FAILED),
        (f"{_RUNC}{_HOOK}libnvidia-ml.so.1: cannot open shared object file: no such file or directory", Taken.FAILED),
    ],
)
def test_the_words_of_a_refused_start(words: str, taken: Taken) -> None:
    """Only the entrypoint that does not exist says that the reservation was taken; a hook's lack of a file does not."""
    found = classified(words)
    assert (found.taken, found.words) == (taken, words)


def test_reservations_of_the_canonical_model() -> None:
    """`deploy` and the short `gpus` alike; devices that are no GPU are left out."""
    nvidia = {"driver": "nvidia", "count": -1, "capabilities": ["gpu"]}
    listed = {"device_ids": ["0", "1"], "capabilities": ["gpu", "compute"]}
    other = {"driver": "tpu", "count": 1, "capabilities": ["tpu"]}
    deploy = {"resources": {"reservations": {"devices": [nvidia, listed, other]}}}
    assert devices_of({"deploy": deploy}) == (
        Device("nvidia", -1),
        Device("", 0, ("0", "1"), ("gpu", "compute")),
    )
    assert devices_of({"gpus": [{"count": -1}]}) == (Device("", -1),)
    assert devices_of({"image": "x"}) == ()


def test_a_reservation_in_words() -> None:
    """As a person reads it in a refusal."""
    assert str(Device("nvidia", -1)) == "driver nvidia, all, capabilities gpu"
    assert str(Device("", 0, ("0", "3"))) == "driver any, devices 0, 3, capabilities gpu"
