"""How a worker is doing: what troubles it, and what it says of that on the status board."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from impetus.bus import Bus
from impetus.model import SYSTEM_TENANT, Clock, Envelope, Health, HealthState, Unavailable

HEALTH_INTERVAL_S = 2.0
FAILURE_SHOWN_S = 60.0
"""A failure that is over, such as a message set aside, shows on the status board for this time."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0

Result = TypeVar("Result")

log = structlog.get_logger("worker")


class Condition:
    """Collects what is wrong and reports it."""

    def __init__(self, part: str, bus: Bus, clock: Clock) -> None:
        self._part = part
        self._bus = bus
        self._clock = clock
        self._problems: dict[str, str] = {}
        self._failure = ""
        self._failed_s: float | None = None
        self.state = HealthState.STARTING
        self.handled = 0
        self.dead_letters = 0
        self.lag_s: float | None = None

    def note(self, key: str, text: str | None) -> None:
        """Remember a problem, or that it is over (None)."""
        if text:
            self._problems[key] = text
        else:
            self._problems.pop(key, None)

    def knows(self, key: str, text: str) -> bool:
        """Whether this problem is noted already, in these words."""
        return self._problems.get(key) == text

    def show_failure(self, text: str) -> None:
        """Show something that is over already for a while."""
        self._failure = text
        self._failed_s = self._clock.monotonic_s()

    async def with_patience(
        self, what: str, call: Callable[[], Awaitable[Result]], waiting: Callable[[], None] = lambda: None
    ) -> Result:
        """Repeat a call for as long as something that it needs is away; `waiting` is called before each pause."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                result = await call()
            except Unavailable as error:
                waiting()
                self.note(f"waiting {what}", f"{what}: {error}")
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                self.note(f"waiting {what}", None)
                return result

    async def report(self) -> None:
        """Say how it is every now and then, until cancelled."""
        while True:
            await self.publish(self.state)
            await asyncio.sleep(HEALTH_INTERVAL_S)

    async def publish(self, state: HealthState) -> None:
        """Say how it is, once."""
        problems = list(self._problems.values())
        if self._failed_s is not None and self._clock.monotonic_s() - self._failed_s < FAILURE_SHOWN_S:
            problems.append(self._failure)
        if problems and state is HealthState.RUNNING:
            state = HealthState.DEGRADED
        now = self._clock.now()
        health = Health(
            part=self._part,
            state=state,
            text="; ".join(problems)[:2_000],
            time=now,
            handled=self.handled,
            dead_letters=self.dead_letters,
            lag_s=self.lag_s,
        )
        envelope = Envelope.wrap(health, kind="health", tenant=SYSTEM_TENANT, origin=self._part, time=now)
        try:
            await self._bus.publish([envelope])
        except Unavailable as error:
            log.warning("health not published", error=str(error))
