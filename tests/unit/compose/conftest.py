"""The demonstration stack's code lives in compose/, as it does in its image."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "compose"))
