"""NVML readings: how much memory each GPU has, and how much of it is free."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as NVML describes it."""

    index: int
    name: str
    total_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        free, total = self.free_bytes / GIB, self.total_bytes / GIB
        return f"GPU {self.index} ({self.name}): {free:.1f} of {total:.1f} GiB free"


def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs of this machine; none where there is no NVIDIA driver."""
    import pynvml  # noqa: PLC0415  (only stacks that reserve a GPU need it)

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        return tuple(_read(index) for index in range(pynvml.nvmlDeviceGetCount()))
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def _read(index: int) -> Gpu:
    import pynvml  # noqa: PLC0415

    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(index, str(pynvml.nvmlDeviceGetName(handle)), int(memory.total), int(memory.free))
