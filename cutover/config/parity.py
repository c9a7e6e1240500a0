"""Parity: the cases that green and blue are both asked, how their replies are compared, and the gate."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from cutover.config.base import Model, Texts
from cutover.config.messages import Codec, Message, Socket, Target
from cutover.config.paths import JSONPath
from cutover.config.suites import NumberRange


class RuleKind(StrEnum):
    """How two values at one place are compared."""

    IGNORE = "ignore"
    NUMBER = "number"
    UNORDERED = "unordered"
    KEYS = "keys"
    SIMILAR = "similar"
    TYPE = "type"


class Rule(Model):
    """How values at a JSONPath are compared.

    Several rules may name one place: `number`, `similar` and `unordered` hold together, of two of one kind the last one
    counts, and `ignore`, `type` and `keys`, below which nothing is looked at, count where nothing else comes after.
    `number` and `similar` hold for everything below their place as well, until a rule for a place below says otherwise.
    `unordered` holds for the list at its place, or for all lists in the object there; in the items of such a list the
    order of further lists counts, as [3, 4] is another point than [4, 3], unless a rule names them as well. `keys`
    looks at the keys of an object and not at what stands under them; two lists are to be as long, with items of the
    same types, and the objects in them with the same keys.
    """

    path: JSONPath = Field(description="JSONPath (RFC 9535): $.service, $.result.models, $..score")
    rule: RuleKind = Field(description="ignore, number, unordered, keys, similar, type; see above")
    abs: float = Field(0.0, ge=0, description="number: how far apart they may be; abs or rel has to hold")
    rel: float = Field(0.0, ge=0, description="number: how far apart, as a share of green's")
    by: str | None = Field(None, description="unordered: the key by which objects of the two lists are paired")
    at_least: float = Field(0.9, ge=0, le=1, description="similar: 1 is equal, 0 has nothing in common")

    @model_validator(mode="after")
    def _makes_sense(self) -> Rule:
        belongs = {"abs": RuleKind.NUMBER, "rel": RuleKind.NUMBER, "by": RuleKind.UNORDERED}
        for key, kind in {**belongs, "at_least": RuleKind.SIMILAR}.items():
            if key in self.model_fields_set and self.rule is not kind:
                raise ValueError(f"`{key}` belongs to rule {kind}, and this one is {self.rule}")
        if self.rule is RuleKind.NUMBER and not (self.abs or self.rel):
            raise ValueError("rule number says how far apart the numbers may be: `abs: 1e-6` or `rel: 0.01`")
        return self


class Case(Message):
    """One question to both. `expected` is for the accuracy of the answer, beside whether the two are equal."""

    rules: tuple[Rule, ...] = Field((), description="rules for this case, after those for all")
    expected: Any = Field(None, description="the right answer, found in the reply at `answer`")
    answer: JSONPath | None = Field(None, description="JSONPath of the answer in the reply; the gate's if left out")
    repeat: int = Field(1, ge=1, description="how often it is asked")
    tags: Texts = Field((), description="words by which `--tag` picks cases")


class CaseFile(Model):
    """A YAML file of cases: a list of them, or this mapping."""

    cases: tuple[Case, ...] = Field((), description="cases, as under `parity:`")


class Generator(Message):
    """Cases made by Hypothesis from a JSON Schema of the request; needs the extra `cutover[generate]`."""

    schema_: Any = Field(None, alias="schema", description="JSON Schema of the request")
    schema_file: str | None = Field(None, description="a JSON file with it, relative to cutover.yaml")
    count: int = Field(50, ge=1, le=100_000, description="how many cases, all different")
    rules: tuple[Rule, ...] = Field((), description="rules for these cases, after those for all")
    tags: Texts = Field((), description="words by which `--tag` picks these cases")

    @model_validator(mode="after")
    def _has_one_schema(self) -> Generator:
        if (self.schema_ is None) == (self.schema_file is None):
            raise ValueError("a generator needs either `schema:` or `schema_file:`")
        if self.request is not None:
            raise ValueError("a generator makes the `request` from its schema; leave it out")
        return self


class Mode(StrEnum):
    """In which order the two colours are asked."""

    PARALLEL = "parallel"
    TURN = "turn"


class Lenient(StrEnum):
    """Differences around the body of a reply, which no JSONPath names."""

    FRAMES = "frames-differ"
    LOCATION = "location-differs"
    CONTENT_TYPE = "content-type-differs"


class Gate(Model):
    """What must hold for parity to pass. Shares are from 0 to 1, durations are seconds."""

    equal: float = Field(1.0, ge=0, le=1, description="share of cases with equal answers, at least")
    p95_factor: float = Field(2.0, gt=0, description="blue's p95 may be this many times green's ...")
    p95_slack_s: float = Field(0.05, ge=0, description="... and this much more")
    regression: float = Field(0.05, ge=0, le=1, description="how much less accurate blue may be, as a share of green's")
    answer: JSONPath | None = Field(None, description="JSONPath of the answer whose accuracy counts")
    similar: float = Field(0.9, ge=0, le=1, description="similarity from which on a text counts as correct")
    tolerance: NumberRange = Field(NumberRange(), description="abs and rel within which a number counts as correct")


class Parity(Model):
    """The cases, the rules, the gate."""

    to: Target | None = Field(None, description="where the cases ask that do not say it")
    socket: Socket | None = Field(None, description="ZeroMQ socket of the cases that do not say it")
    codec: Codec | None = Field(None, description="codec of the cases that do not say it")
    timeout_s: float | None = Field(None, gt=0, description="seconds for a case that does not say it")
    cases: tuple[Case, ...] = Field((), description="cases, written here")
    files: Texts = Field((), description="YAML files with lists of cases, or recordings (.jsonl); * is allowed")
    generate: tuple[Generator, ...] = Field((), description="cases made from a JSON Schema")
    rules: tuple[Rule, ...] = Field((), description="how replies are compared; what no rule names must be equal")
    warn: tuple[Lenient, ...] = Field(
        (), description="what may differ around the body: ZeroMQ frames before it, a redirect's target, its media type"
    )
    mode: Mode = Field(Mode.TURN, description="parallel: both at once; turn: one after the other")
    workers: int = Field(1, ge=1, le=64, description="how many cases are under way at once")
    seed: int = Field(0, description="shuffles the cases; the same seed gives the same order and the same cases")
    gate: Gate = Field(Gate(), description="what must hold")

    @model_validator(mode="after")
    def _has_addresses(self) -> Parity:
        for kind, items in (("case", self.cases), ("generator", self.generate)):
            for number, item in enumerate(items, start=1):
                if not (item.to or self.to):
                    named = item.name or "no name"
                    raise ValueError(f"{kind} {number} ({named}) does not say `to:`, and neither does `parity:`")
        return self

    def complete(self, message: Case) -> Case:
        """Return a case with what is said for all."""
        ours = {"to": self.to, "socket": self.socket, "codec": self.codec, "timeout_s": self.timeout_s}
        missing = {k: v for k, v in ours.items() if v is not None and k not in message.model_fields_set}
        return message.model_copy(update=missing)
