"""Time is asked of a `Clock`, never of the system, so that exercises replay recorded hours through live code."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present moment, in UTC with offset."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start; never goes back, for measuring spans."""
        ...


@runtime_checkable
class PacedClock(Clock, Protocol):
    """A clock that runs at a speed of its own, so that a span of it takes another time to wait for."""

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` of this clock have gone by."""
        ...


async def sleep(clock: Clock, seconds: float) -> None:
    """Wait for `seconds` as the clock counts them: in an exercise they may take longer or shorter than real ones."""
    if isinstance(clock, PacedClock):
        await clock.sleep(seconds)
    else:
        await asyncio.sleep(seconds)


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved: for tests and for replay."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock starts at a time with offset; pass tzinfo=UTC")
        self._now = start.astimezone(UTC)
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`; a negative span sets the wall clock back and leaves the monotonic time alone."""
        self._now += timedelta(seconds=seconds)
        self._elapsed_s += max(seconds, 0.0)
