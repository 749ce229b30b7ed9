"""Time is asked of a `Clock`, never of the system, so that exercises replay recorded hours through live code."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, runtime_checkable

STEP_S: Final = 5.0
"""A clock that moves by so much at once was set."""
STEP_REMEMBERED_S: Final = 3_600.0


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


@dataclass(slots=True)
class ClockWatch:
    """Notices when the machine's clock is set: it is compared with one that nobody sets."""

    _offset_s: float = field(default_factory=lambda: _offset_s())
    _noticed_s: float | None = None
    _step_s: float = 0.0
    _net_s: float = 0.0

    def step_s(self) -> float:
        """By how much the clock was set last within an hour, forwards or (negative) backwards; 0 if it was not."""
        self._look()
        return self._step_s

    def behind_s(self) -> float:
        """By how much the clock was set back within the last hour, all taken together; 0 if it was not."""
        self._look()
        return max(0.0, -self._net_s)

    def ahead_s(self) -> float:
        """By how much the clock was set forwards within the last hour, all taken together; 0 if it was not."""
        self._look()
        return max(0.0, self._net_s)

    def _look(self) -> None:
        now_s = time.monotonic()
        step_s = _offset_s() - self._offset_s
        if abs(step_s) >= STEP_S:
            self._offset_s += step_s
            self._step_s, self._noticed_s = step_s, now_s
            self._net_s += step_s
        elif self._noticed_s is not None and now_s - self._noticed_s > STEP_REMEMBERED_S:
            self._noticed_s, self._step_s, self._net_s = None, 0.0, 0.0


def _offset_s() -> float:
    """The clock less one that counts since the machine was started, also while it sleeps."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
