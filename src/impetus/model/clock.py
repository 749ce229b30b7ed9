"""Time is asked of a `Clock`, never of the system, so that exercises replay recorded hours through live code."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present moment, in UTC with offset."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start; never goes back, for measuring spans."""
        ...


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
