"""One question to one service, with one deadline, and who it was that answered."""

from cutover.probes.base import Probe, ask, wait_until_ok
from cutover.probes.grammar import from_mapping, parse, read
from cutover.probes.spec import Kind, ProbeSpec, SocketKind

__all__ = ["Kind", "Probe", "ProbeSpec", "SocketKind", "ask", "from_mapping", "parse", "read", "wait_until_ok"]
