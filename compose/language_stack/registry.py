"""The registry in redis: a hash of models with their order, a set of those to be loaded."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import TypeVar

import redis  # type: ignore[import-not-found]
from redis.backoff import NoBackoff  # type: ignore[import-not-found]
from redis.retry import Retry  # type: ignore[import-not-found]

from language_stack.protocol import RefusedError

MODELS = {"chars-2": 2, "chars-4": 4, "chars-6": 6}
MODELS_KEY = "language_stack:models"
WANTED_KEY = "language_stack:wanted"
TIMEOUT_S = 1.0
PING_EVERY_S = 1.0
FORGET_AFTER_S = 5.0

Value = TypeVar("Value")


class RedisRegistry:
    """Keeps one connection open; when it breaks, a second try makes a new one at once.

    A thread pings, so that a health check can be answered without waiting for redis.
    """

    def __init__(self, address: str) -> None:
        host, port = address.rsplit(":", 1)
        self._redis = redis.Redis(
            host,
            int(port),
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
            retry_on_error=[redis.ConnectionError, redis.TimeoutError],
            decode_responses=True,
        )
        self._answered = float("-inf")
        self._down = True

    def watch(self, first_contact: Callable[[], None]) -> Event:
        """Start to ping; `first_contact` is called once, the event is set after it."""
        met = Event()
        Thread(target=self._ping, args=(first_contact, met), daemon=True, name="registry").start()
        return met

    def reachable(self) -> bool:
        return not self._down and time.monotonic() - self._answered < FORGET_AFTER_S

    def orders(self) -> Mapping[str, int]:
        stored = self._ask(lambda: self._redis.hgetall(MODELS_KEY))
        return {name: int(order) for name, order in stored.items()}

    def wanted(self) -> set[str]:
        return set(self._ask(lambda: self._redis.smembers(WANTED_KEY)))

    def want(self, name: str) -> None:
        self._ask(lambda: self._redis.sadd(WANTED_KEY, name))

    def unwant(self, name: str) -> None:
        self._ask(lambda: self._redis.srem(WANTED_KEY, name))

    def _ask(self, question: Callable[[], Value]) -> Value:
        if self._down:  # the thread tries again; a request does not wait for it
            raise RefusedError("registry_unavailable", "redis does not answer")
        try:
            return question()
        except redis.RedisError as error:
            raise RefusedError("registry_unavailable", f"redis does not answer: {type(error).__name__}") from error

    def _ping(self, first_contact: Callable[[], None], met: Event) -> None:
        while True:
            try:
                if not met.is_set():
                    for name, order in MODELS.items():
                        self._redis.hsetnx(MODELS_KEY, name, order)
                self._redis.ping()
                self._answered, self._down = time.monotonic(), False
                if not met.is_set():
                    first_contact()
                    met.set()
            except (redis.RedisError, RefusedError) as error:
                if not self._down:
                    print(f"redis does not answer: {error}")
                self._down = True
            time.sleep(PING_EVERY_S if met.is_set() else 0.1)
