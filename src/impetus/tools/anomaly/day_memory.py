"""The last four weeks of each stream by the hour: what is shown beside today as 'days like this'."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers, Singles
from impetus.tools.anomaly.compiled import compiled

DAYS, HOURS = 28, 24
DAY_S = 86_400.0
FEWEST_HOURS = 3
"""Hours that two days must have in common to be compared."""


@dataclass(frozen=True, slots=True)
class LikeDay:
    """A past day: its number since 1970, its hourly means (not a number where none is known), its distance from
    today's hours so far in the unit of the stream."""

    day: int
    hours: Floats
    distance: float


class DayMemory(ArrayState):
    """Hourly means of each stream's last `DAYS` days, in local time; a ring by the number of the day.

    >>> memory = DayMemory()
    >>> memory.grow(1)
    >>> for hour in range(24 * 5):
    ...     value = 10.0 * (hour // 24 % 2) + hour % 24
    ...     memory.update(np.array([0]), np.array([hour * 3600.0]), np.array([value]))
    >>> [(day.day, day.distance) for day in memory.like(0, 4, count=2)]
    [(2, 0.0), (0, 0.0)]
    """

    mean: Singles
    count: Singles
    day: Integers

    def __init__(self) -> None:
        super().__init__(
            {
                "mean": Column((DAYS, HOURS), np.nan, np.float32),
                "count": Column((DAYS, HOURS), 0, np.float32),
                "day": Column((DAYS,), -1, np.int64),
            }
        )

    def update(self, row: Integers, local_s: Floats, value: Floats) -> None:
        """Learn readings of distinct streams; `local_s` is local time in seconds since 1970. Shape (readings,)."""
        _update(row, local_s, value, self.mean, self.count, self.day)

    def hours(self, row: int, day: int) -> Floats:
        """Hourly means of one day, not a number where none is known; shape (24,)."""
        place = day % DAYS
        known = self.day[row, place] == day
        return self.mean[row, place].astype(np.float64) if known else np.full(HOURS, np.nan)

    def like(self, row: int, day: int, *, count: int = 3) -> list[LikeDay]:
        """The past days whose hours were nearest to what is known of `day`, the nearest first, of equals the newest."""
        today = self.hours(row, day)
        found = []
        for other in sorted((int(one) for one in self.day[row] if 0 <= one < day), reverse=True):
            hours = self.hours(row, other)
            both = np.isfinite(today) & np.isfinite(hours)
            if np.count_nonzero(both) >= FEWEST_HOURS:
                found.append(LikeDay(other, hours, float(np.mean(np.abs(today[both] - hours[both])))))
        return sorted(found, key=lambda one: one.distance)[:count]


@compiled
def _update(rows: Integers, local_s: Floats, value: Floats, mean: Singles, counts: Singles, days: Integers) -> None:
    for number in range(len(rows)):
        row = rows[number]
        day = int(np.floor(local_s[number] / DAY_S))
        hour = int((local_s[number] - day * DAY_S) // 3_600.0) % HOURS
        place = day % DAYS
        if days[row, place] != day:
            mean[row, place] = np.nan
            counts[row, place] = 0.0
            days[row, place] = day
        # Numbers at the ends of what can be held are no hour's mean.
        bounded = min(max(value[number], -1e30), 1e30)
        count = counts[row, place, hour] + 1.0
        before = np.float64(mean[row, place, hour])
        mean[row, place, hour] = before + (bounded - before) / count if count > 1.0 else bounded
        counts[row, place, hour] = count
