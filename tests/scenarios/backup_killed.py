"""Run cutover and SIGKILL it at a moment of a backup or a restore: `python -m tests.scenarios.backup_killed copy ...`.

`copy`: a volume is about to be copied, its writers held. `filled`: a restore has filled its volume, and no file yet.
"""

from __future__ import annotations

import os
import signal
import sys

from cutover.cli.main import main
from cutover.flow import backup_make, backup_restore

MOMENT = sys.argv.pop(1)


def die(*args, **named):
    """End at once."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if MOMENT == "copy":
        backup_make.save_volume = die
    else:
        backup_restore._write = die
    main()
