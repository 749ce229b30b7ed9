"""People counters of a venue: how many are there, and whether they leave all at once.

A square empties every evening, within an hour; at an alarm it empties within minutes. So a fall counts only if most of
it happened within the last minutes.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

WINDOW_S = 1_800.0
FALL_S = 300.0
LEAST_PEOPLE = 60.0
FALL_SHARE = 0.4
FALL_DEVIATIONS = 6.0


@dataclass
class Counter:
    """Readings of one counter of the last half hour."""

    readings: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, time_s: float, value: float) -> bool:
        """Takes a reading; False for one that is not newer."""
        if self.readings and time_s <= self.readings[-1][0]:
            return False
        self.readings.append((time_s, max(0.0, min(value, 1e6))))
        while self.readings and self.readings[0][0] < time_s - WINDOW_S:
            self.readings.popleft()
        return True

    def latest(self, now_s: float, age_s: float) -> float | None:
        """The newest count, if it is recent."""
        if not self.readings or now_s - self.readings[-1][0] > age_s:
            return None
        return self.readings[-1][1]

    def fall(self) -> tuple[float, float] | None:
        """(before, now) if the count fell within minutes far more than it scatters; None otherwise.

        >>> counter = Counter()
        >>> all(counter.add(60.0 * minute, 200.0 + minute % 3) for minute in range(25))
        True
        >>> counter.fall() is None and counter.add(1_500.0, 80.0) and counter.fall()
        (201.0, 80.0)
        """
        if len(self.readings) < 6:
            return None
        now_s, now = self.readings[-1]
        recent = [value for time_s, value in self.readings if time_s > now_s - FALL_S]
        earlier = [value for time_s, value in self.readings if time_s <= now_s - FALL_S]
        if len(earlier) < 4 or len(recent) < 1:
            return None
        before = sum(earlier) / len(earlier)
        scatter = math.sqrt(max(sum((value - before) ** 2 for value in earlier) / len(earlier), before, 1.0))
        just_before = [value for time_s, value in self.readings if now_s - 2 * FALL_S < time_s <= now_s - FALL_S]
        if not just_before or now > (1.0 - FALL_SHARE) * sum(just_before) / len(just_before):
            return None
        if before >= LEAST_PEOPLE and before - now >= FALL_SHARE * before and before - now >= FALL_DEVIATIONS * scatter:
            return before, now
        return None
