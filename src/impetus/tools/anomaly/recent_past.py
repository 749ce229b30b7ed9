"""The last hours of each stream with the range that was expected: what the picture in an alert shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers, Singles
from impetus.tools.anomaly.compiled import compiled

POINTS = 48
SPACING_S = 300.0
"""Of readings closer than this the one furthest from what was expected is kept: four hours in all."""
LATEST_S = 2_147_483_647.0
"""Times are held in whole seconds of four bytes."""


@dataclass(frozen=True, slots=True)
class Past:
    """Points in order of time: seconds since 1970 (UTC), values, and what was usual then; all of one length."""

    time_s: Floats
    value: Floats
    low: Floats
    high: Floats


class RecentPast(ArrayState):
    """A ring of points for each stream, of 16 bytes each.

    >>> recent = RecentPast()
    >>> recent.grow(1)
    >>> row, low, high = np.array([0]), np.array([4.0]), np.array([6.0])
    >>> for minute in range(12):
    ...     value = np.array([9.0 if minute == 7 else 5.0])
    ...     recent.update(row, np.array([60.0 * minute]), value, low, high)
    >>> recent.of(0).time_s.tolist(), recent.of(0).value.tolist()
    ([0.0, 420.0, 600.0], [5.0, 9.0, 5.0])
    """

    time_s: Integers
    value: Singles
    low: Singles
    high: Singles
    newest: Integers
    begin_s: Floats

    def __init__(self) -> None:
        super().__init__(
            {
                "time_s": Column((POINTS,), 0, np.int32),
                "value": Column((POINTS,), np.nan, np.float32),
                "low": Column((POINTS,), np.nan, np.float32),
                "high": Column((POINTS,), np.nan, np.float32),
                "newest": Column((), -1, np.int64),
                "begin_s": Column((), -np.inf),
            }
        )

    def update(self, row: Integers, time_s: Floats, value: Floats, low: Floats, high: Floats) -> None:
        """Readings of distinct streams, later than those before; all of shape (readings,)."""
        points = (self.time_s, self.value, self.low, self.high)
        _update(row, time_s, value, low, high, *points, self.newest, self.begin_s)

    def of(self, row: int) -> Past:
        """What is kept of a stream, the oldest point first."""
        newest = int(self.newest[row])
        order = np.arange(max(newest + 1 - POINTS, 0), newest + 1) % POINTS
        columns = (self.time_s, self.value, self.low, self.high)
        return Past(*(column[row, order].astype(np.float64) for column in columns))


@compiled
def _update(
    rows: Integers,
    time_s: Floats,
    value: Floats,
    low: Floats,
    high: Floats,
    times: Integers,
    values: Singles,
    lows: Singles,
    highs: Singles,
    newest: Integers,
    begin_s: Floats,
) -> None:
    for number in range(len(rows)):
        row, now, reading = rows[number], time_s[number], value[number]
        if not abs(reading) < 1e30:
            continue
        place = newest[row] % POINTS
        since = now - begin_s[row]
        if since < 0.0 or since >= SPACING_S:
            newest[row] += 1
            place = newest[row] % POINTS
            begin_s[row] = now
        else:
            kept = values[row, place]
            before = max(lows[row, place] - kept, kept - highs[row, place])
            if not max(low[number] - reading, reading - high[number]) > before:
                continue
        times[row, place] = min(max(now, -LATEST_S), LATEST_S)
        values[row, place], lows[row, place], highs[row, place] = reading, low[number], high[number]
