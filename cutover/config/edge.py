"""`edge:` and `canary:` of `cutover.yaml`: what the edge cannot see by itself, and when a canary may go on."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from cutover.config.base import Model, Texts
from cutover.config.messages import Codec

ModeName = Literal["http", "tcp", "zmq", "zmq-rep", "zmq-router", "zmq-pub", "zmq-pull", "zmq-push"]
PortNumber = Annotated[int, Field(ge=1, le=65535)]


class Sticky(Model):
    """By what a client keeps its colour while a canary runs; nothing said: each request is dealt by itself."""

    header: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,128}$", description="HTTP header")
    cookie: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,128}$", description="HTTP cookie, set here")
    identity: bool = Field(False, description="a ZeroMQ client keeps its colour, by the identity of its socket")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.header and self.cookie:
            raise ValueError("sticky is by header or by cookie, not by both")
        return self


class Holding(Model):
    """How requests are held while no colour can answer (`--exclusive`)."""

    limit: int = Field(1000, ge=1, le=100_000, description="requests at most per port; more get the overflow reply")
    timeout_s: float = Field(120.0, gt=0, description="how long one request may wait")
    release_per_s: float = Field(500.0, gt=0, description="how many are let go per second afterwards")


class ZeroMQ(Model):
    """What the broker has to know of the messages to answer for a colour that died."""

    codec: Codec = Field(Codec.JSON, description="how requests are read for their method, and error replies written")
    method: str = Field("method", description="key of a request that names its method; a.b for one inside another")
    replay: Texts = Field((), description="methods that may be asked twice: asked again where a colour died over them")
    lost_reply: Any = Field(
        {"status": "error", "error": "${reason}", "code": "cutover-lost"},
        description="what a client gets whose request was lost with its colour; ${reason} is filled in",
    )
    overflow_reply: Any = Field(
        {"status": "error", "error": "${reason}", "code": "cutover-overflow"},
        description="what a client gets when too many wait, or it waited too long",
    )
    error_if: dict[str, Any] = Field({}, description="keys and values of a reply that is an error, for the canary")
    answer_timeout_s: float | None = Field(None, gt=0, description="a request unanswered for so long counts as lost")


class Edge(Model):
    """What the edge cannot see by itself. Durations are seconds."""

    ports: dict[PortNumber, ModeName] = Field({}, description="legacy port -> protocol, where it is seen wrongly")
    check_path: str | None = Field(
        None,
        pattern=r"^/[A-Za-z0-9/_.~%+,;:@=&?-]{0,1023}$",
        description="HAProxy's health question; the probe's if left out",
    )
    zmq: ZeroMQ = Field(ZeroMQ(), description="what the broker knows of messages")
    hold: Holding = Field(Holding(), description="how requests are held")
    sticky: Sticky = Field(Sticky(), description="by what a client keeps its colour while a canary runs")
    drain_s: float = Field(5.0, ge=0, description="how long requests in flight are waited for before a colour stops")
    cut_after_s: float = Field(5.0, ge=0, description="adoption: after so long a connection is cut that never rests")
    image: str | None = Field(None, description="the edge's image, if it is not the one that cutover edge build makes")
    base: str | None = Field(None, description="what cutover edge build builds on; debian:bookworm-slim if left out")


class Canary(Model):
    """When a canary may go on: compared with green's own figures in the same time. Durations are seconds."""

    steps: tuple[float, ...] = Field(
        (5.0, 25.0, 50.0, 100.0), min_length=1, description="shares of blue in per cent, rising"
    )
    every_s: float = Field(60.0, gt=0, description="how long each share is watched")
    min_requests: int = Field(100, ge=1, description="answers of blue without which nothing is decided")
    max_error_rate: float = Field(0.01, ge=0, le=1, description="error rate of blue above that of green, at most")
    max_p95_ratio: float = Field(1.5, gt=0, description="p95 of blue, as a multiple of that of green, at most")
    p95_slack_s: float = Field(0.01, ge=0, description="differences of p95 below this count as noise")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if any(not 0 < s <= 100 for s in self.steps) or list(self.steps) != sorted(set(self.steps)):  # noqa: PLR2004
            raise ValueError("steps are shares in per cent, above 0 to 100, each larger than the one before")
        return self
