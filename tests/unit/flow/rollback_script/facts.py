"""Facts of a run for each strategy, built by hand, and the fixed parts of a script by their names."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cutover.flow.rollback_script as package
from cutover.config import Strategy
from cutover.edge.shape import EdgePort, Mode, Slot
from cutover.engine.address import DEFAULT_SOCKET, EngineAddress
from cutover.engine.stack import ProjectFiles
from cutover.files import FileState
from cutover.flow.edge_plan import EdgePlan
from cutover.flow.plan import Move, Plan
from cutover.flow.rollback_script.facts import Facts, Kept, Was
from cutover.model import PortBinding
from tests.unit.flow.stage import PLAN
from tests.unit.flow.world import FILE, FOLDER, PORTS

SHELLCHECK = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or "shellcheck"
RUN = FOLDER / ".cutover" / "shop" / "20260301T120000.000-ab12"
KEPT = Kept(FILE, RUN / "files" / "00-compose.yaml", FileState("1" * 64, 0o644, 1000, 1000), "2" * 64)
DOTENV = Kept(FOLDER / ".env", RUN / "files" / "01-.env", FileState("3" * 64, 0o600, 1000, 1000))
EDGE_FILE = Kept(
    RUN.parent / "edge" / "edge.json", RUN / "edge" / "00-edge.json", FileState("4" * 64, 0o600, 1000, 1000)
)
GREEN = Was("g" * 64, "shop-old-1", "shop:1", f"sha256:{'5' * 64}", "unless-stopped", running=True)
EDGE = EdgePlan(
    adopt=True,
    redirect=True,
    generation=1,
    image="cutover-edge:1",
    networks=("shop_default",),
    ports=(EdgePort(5570, Mode.REP, (PORTS[0],)), EdgePort(6570, Mode.HTTP, (PORTS[1],), "/")),
    green_slot=Slot.A,
)
MOVES = tuple(Move(binding, binding.target) for binding in PORTS)


def facts(**changes: Any) -> Facts:
    """Return the facts of a swap of two services by `relink`, with some of them changed; `plan` is changes of it."""
    plan: Plan = replace(PLAN, moves=MOVES, **changes.pop("plan", {}))
    made = Facts(
        plan=plan,
        version="1.2.3",
        folder=RUN,
        state=FOLDER / ".cutover",
        address=EngineAddress(DEFAULT_SOCKET),
        source=ProjectFiles((FILE,), project="shop"),
        green=GREEN,
        files=(KEPT,),
        copies=(KEPT, DOTENV),
        edge_file=FOLDER / "overrides" / "shop-edge.yml" if plan.edge else None,
    )
    return replace(made, **changes)


def of_each() -> dict[str, Facts]:
    """Return facts for each way in which a script differs."""
    by_edge = {"strategy": Strategy.EDGE, "edge": EDGE}
    stands = {"strategy": Strategy.EDGE, "edge": replace(EDGE, adopt=False, redirect=False)}
    exclusive = {"strategy": Strategy.EDGE, "edge": replace(EDGE, adopt=False, redirect=False, exclusive=True)}
    rolls = {"green": "old", "blue": "old", "rolls": GREEN.id, "images": ("shop:1", "shop:2")}
    uid = {"UID": "1000"}
    context = EngineAddress("tcp://10.1.2.3:2376", "far away")
    said = ProjectFiles((FILE, FOLDER / "b c.yaml"), "shop", FOLDER, ("gpu",), (FOLDER / "prod.env",))
    was_there = Was("b" * 64, "shop-new-1", "shop:2", "sha256:6", "no", running=True)
    udp = (*MOVES, Move(PortBinding("", 5571, 5571, PORTS[0].protocol.UDP), 5571))
    return {
        "relink": facts(),
        "recreate": facts(plan={"strategy": Strategy.RECREATE}, blue=was_there),
        "options": facts(address=context, source=said, environment=RUN / "files" / "environment.sh", unsettable=uid),
        "roll": facts(plan=rolls),
        "roll-own-edit": facts(plan=rolls, files=(), pinned=RUN / "files" / "green.yml"),
        "adopt": facts(plan=by_edge),
        "edge": facts(plan=stands, files=(), edge_files=(EDGE_FILE,)),
        "edge-exclusive": facts(plan=exclusive, files=(), edge_files=(EDGE_FILE,)),
        "edge-roll": facts(plan=stands | rolls, edge_files=(EDGE_FILE,)),
        "udp": replace(facts(), plan=replace(facts().plan, moves=udp)),
    }


def folded(script: bytes) -> str:
    """Return a script with each of its fixed parts as one line that names the part."""
    text = script.decode()
    for part in sorted((Path(package.__file__).parent / "parts").glob("*.sh")):
        text = text.replace(part.read_text(), f"@@ {part.stem}\n")
    return re.sub(r"\n\n+", "\n\n", text)
