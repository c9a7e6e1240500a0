"""One target under atheris, in a process of its own: `python -m tests.fuzz.guided TARGET FOLDER LIBFUZZER-OPTION...`.

Findings are written to FOLDER, one file a fault; fuzzing goes on behind them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

OWN_CHANGES = 0.5
"""How often input is changed by lines and words, as people do; else by libFuzzer, which learns what leads where."""


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    import atheris  # noqa: PLC0415  (in the dependency group `fuzz` only)

    with atheris.instrument_imports(include=["cutover"], enable_loader_override=False):
        from tests.fuzz.finding import name_of, wrong_with  # noqa: PLC0415
        from tests.fuzz.mutate import mutated  # noqa: PLC0415
        from tests.fuzz.registry import TARGETS  # noqa: PLC0415

    target, folder = TARGETS[sys.argv[1]], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)

    def one(data: bytes) -> None:
        found = wrong_with(target, data)
        if found is not None and not (path := folder / name_of(found)).exists():
            path.write_bytes(data)
            print(f"found: {found}", file=sys.stderr, flush=True)

    def change(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < OWN_CHANGES:
            return mutated(data, random, target.words)[:most]
        return bytes(atheris.Mutate(data, most))

    atheris.Setup([sys.argv[0], *sys.argv[3:]], one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
