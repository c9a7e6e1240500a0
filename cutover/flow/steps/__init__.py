"""One handler per kind of step."""

from __future__ import annotations

from collections.abc import Mapping

from cutover.flow.plan import StepKind
from cutover.flow.steps.base import Handler
from cutover.flow.steps.blue import CreateBlue, StartBlue, StartDependency, StartParked, StopGreen
from cutover.flow.steps.canary import WatchCanary
from cutover.flow.steps.edge import Adopt, MakeEdge
from cutover.flow.steps.files import BackUp, EditFiles
from cutover.flow.steps.green import RetireGreen, SettleGreen
from cutover.flow.steps.handover import Recreate, Relink
from cutover.flow.steps.park import ParkNetwork, RemoveParkNetwork
from cutover.flow.steps.prove import ProveInside, ProveOutside, Watch
from cutover.flow.steps.suites import SmokeInside, SmokeOutside
from cutover.flow.steps.switch import AimEdge, HoldRequests, ReleaseRequests, ShareEdge, SwitchEdge, TrustBlue

HANDLERS: Mapping[StepKind, Handler] = {
    StepKind.BACKUP: BackUp(),
    StepKind.DEPENDENCY: StartDependency(),
    StepKind.PARK_NETWORK: ParkNetwork(),
    StepKind.CREATE_BLUE: CreateBlue(),
    StepKind.START_PARKED: StartParked(),
    StepKind.START_BLUE: StartBlue(),
    StepKind.STOP_GREEN: StopGreen(),
    StepKind.MAKE_EDGE: MakeEdge(),
    StepKind.ADOPT: Adopt(),
    StepKind.AIM_EDGE: AimEdge(),
    StepKind.HOLD: HoldRequests(),
    StepKind.SWITCH_EDGE: SwitchEdge(),
    StepKind.SHARE_EDGE: ShareEdge(),
    StepKind.WATCH_CANARY: WatchCanary(),
    StepKind.RELEASE: ReleaseRequests(),
    StepKind.PROVE_INSIDE: ProveInside(),
    StepKind.SMOKE_INSIDE: SmokeInside(),
    StepKind.EDIT_FILES: EditFiles(),
    StepKind.RELINK: Relink(),
    StepKind.RECREATE: Recreate(),
    StepKind.PROVE_OUTSIDE: ProveOutside(),
    StepKind.SMOKE_OUTSIDE: SmokeOutside(),
    StepKind.WATCH: Watch(),
    StepKind.TRUST_BLUE: TrustBlue(),
    StepKind.SETTLE_GREEN: SettleGreen(),
    StepKind.RETIRE_GREEN: RetireGreen(),
    StepKind.REMOVE_PARK_NETWORK: RemoveParkNetwork(),
}
