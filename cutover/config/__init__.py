"""`cutover.yaml`: what cutover is told when the command line says nothing."""

from cutover.config.edge import Canary, Edge, Holding, ModeName, Sticky, ZeroMQ
from cutover.config.messages import Codec, Errors, Message, Socket
from cutover.config.parity import Case, Gate, Generator, Mode, Parity, Rule, RuleKind
from cutover.config.reading import read_yaml, validated
from cutover.config.settings import EXAMPLE_SUITE, NAME, Settings, Strategy, load, suite_named
from cutover.config.suites import Expect, NumberRange, Retry, Step, Suite
from cutover.config.surface import Recording, Surface

__all__ = [
    "EXAMPLE_SUITE",
    "NAME",
    "Canary",
    "Case",
    "Codec",
    "Edge",
    "Errors",
    "Expect",
    "Gate",
    "Generator",
    "Holding",
    "Message",
    "Mode",
    "ModeName",
    "NumberRange",
    "Parity",
    "Recording",
    "Retry",
    "Rule",
    "RuleKind",
    "Settings",
    "Socket",
    "Step",
    "Sticky",
    "Strategy",
    "Suite",
    "Surface",
    "ZeroMQ",
    "load",
    "read_yaml",
    "suite_named",
    "validated",
]
