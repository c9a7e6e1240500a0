"""The demonstration stack's code lives in compose/, as it does in its image; the bench's lives in scripts/."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "compose"), str(ROOT / "scripts")]
