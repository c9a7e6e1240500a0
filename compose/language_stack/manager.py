"""What a model manager does, whoever it is: six methods over the models in memory and the registry in redis."""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from language_stack import ngram
from language_stack.protocol import Json, RefusedError, Request, encode, parse, text, whole


class Registry(Protocol):
    """What all managers share: which models exist, and which are to be loaded. Refuses while it is out of reach."""

    def reachable(self) -> bool: ...
    def orders(self) -> Mapping[str, int]: ...
    def wanted(self) -> set[str]: ...
    def want(self, name: str) -> None: ...
    def unwant(self, name: str) -> None: ...


class Manager:
    """Answers requests; never raises, whatever comes in."""

    def __init__(self, service: str, registry: Registry, build: ngram.Build, default_model: str) -> None:
        self.service = service
        self._registry = registry
        self._build = build
        self._default = default_model
        self._models: dict[str, ngram.Model] = {}
        self._started = time.monotonic()
        self._requests: Counter[str] = Counter()
        self.methods: dict[str, Callable[[Json], Json]] = {
            "load_model": self.load_model,
            "unload_model": self.unload_model,
            "list_models": self.list_models,
            "generate_text": self.generate_text,
            "get_status": self.get_status,
        }

    def answer(self, frames: list[bytes]) -> bytes:
        """Answer one message, given as its frames."""
        request = Request("?")
        try:
            request = parse(frames)
            body = self._do(request)
        except RefusedError as refusal:
            body = {"status": "error", "error": {"code": refusal.code, "message": str(refusal)}}
        except Exception:
            traceback.print_exc(file=sys.stderr)
            body = {"status": "error", "error": {"code": "internal", "message": "see the manager's log"}}
        named = {} if request.id is None else {"id": request.id}
        return encode({"service": self.service, **named, **body})

    def health(self) -> dict[str, Any]:
        """Say how it is, without waiting for anybody."""
        reachable = self._registry.reachable()
        return {
            "status": "ok" if reachable and self._models else "degraded",
            "service": self.service,
            "registry": "ok" if reachable else "unreachable",
            "models": sorted(self._models),
            "uptime_s": self._uptime_s(),
        }

    def take_over(self) -> None:
        """Load what the registry wants loaded; a new registry wants the default model."""
        wanted = self._registry.wanted()
        if not wanted:
            self._registry.want(self._default)
        for name in wanted or {self._default}:
            self._load(name)

    def load_model(self, params: Json) -> Json:
        name = text(params, "model", self._default)
        self._load(name)
        self._registry.want(name)
        return {"model": name, "loaded": sorted(self._models)}

    def unload_model(self, params: Json) -> Json:
        name = text(params, "model", self._default)
        if name not in self._models:
            raise RefusedError("not_loaded", f"{name!r} is not loaded")
        self._registry.unwant(name)
        self._models.pop(name, None)
        return {"model": name, "loaded": sorted(self._models)}

    def list_models(self, _params: Json) -> Json:
        orders = self._registry.orders()
        return {
            "models": [
                {"model": name, "order": orders[name], "loaded": name in self._models} for name in sorted(orders)
            ]
        }

    def generate_text(self, params: Json) -> Json:
        name = text(params, "model", self._default)
        prompt = text(params, "prompt", "")
        length = whole(params, "length", 80, low=1, high=2000)
        seed = whole(params, "seed", 0, low=0, high=2**63 - 1)
        model = self._models.get(name)
        if model is None:
            raise RefusedError("not_loaded", f"{name!r} is not loaded")
        written = model.generate(prompt, length, seed)
        return {"model": name, "seed": seed, "text": written.text, "mean_logprob": round(written.mean_logprob, 9)}

    def get_status(self, _params: Json) -> Json:
        return {**self.health(), "requests": dict(self._requests)}

    def _do(self, request: Request) -> dict[str, Any]:
        if request.method == "health_check":
            self._requests[request.method] += 1
            return self.health()
        method = self.methods.get(request.method)
        if method is None:
            known = ", ".join(sorted([*self.methods, "health_check"]))
            raise RefusedError("unknown_method", f"no method {request.method[:80]!r}; there are: {known}")
        self._requests[request.method] += 1
        return {"status": "ok", "result": method(request.params)}

    def _load(self, name: str) -> None:
        if name in self._models:
            return
        orders = self._registry.orders()
        if name not in orders:
            raise RefusedError("unknown_model", f"no model {name[:80]!r}; there are: {', '.join(sorted(orders))}")
        self._models[name] = self._build(ngram.train(ngram.corpus(), orders[name]), orders[name])

    def _uptime_s(self) -> float:
        return round(time.monotonic() - self._started, 1)
