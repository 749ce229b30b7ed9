"""Cuts streams into stretches of an hour: how far each was from what was expected, and how much it scattered."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Booleans, Column, Floats, Integers
from impetus.tools.anomaly.compiled import compiled

HOUR_S = 3_600.0
FEWEST_READINGS = 8.0
"""Independent readings that a stretch has at least; of slow streams it takes several hours."""
OUTLIER = 8.0
"""Spreads beyond which a reading counts as being this far away."""
LONGEST_HOURS = 24
"""A stretch that took longer is left out: its few readings do not belong together."""


@dataclass(frozen=True, slots=True)
class Stretches:
    """Stretches that ended, one entry each.

    `place` is the position of the reading with which it ended, that belongs to the next; `hour` the number of its last
    hour in local time since 1970; `readings` how many independent readings it had; `mean` and `scatter` (a standard
    deviation about the mean) are in the spreads that were usual for each of its readings.
    """

    place: Integers
    hour: Integers
    readings: Floats
    mean: Floats
    scatter: Floats


class StretchClock(ArrayState):
    """Sums up each stream's present stretch, in 49 bytes a stream.

    >>> clock = StretchClock()
    >>> clock.grow(1)
    >>> for minute in range(0, 66, 6):
    ...     ended = clock.update(
    ...         np.array([0]), np.array([60.0 * minute]), np.array([minute / 12.0]), np.array([False])
    ...     )
    >>> ended.hour.tolist(), ended.mean.tolist(), ended.readings.tolist()
    ([0], [2.25], [10.0])
    """

    hour: Integers
    last_s: Floats
    readings: Floats
    weight: Floats
    total: Floats
    squares: Floats
    void: Booleans
    """Whether the present stretch is left out."""

    def __init__(self, independent_s: float = 60.0) -> None:
        super().__init__(
            {
                "hour": Column((), -1, np.int64),
                "last_s": Column((), -np.inf),
                "readings": Column(),
                "weight": Column(),
                "total": Column(),
                "squares": Column(),
                "void": Column((), 0, np.bool_),
            }
        )
        self._independent_s = independent_s

    def update(self, row: Integers, local_s: Floats, distance: Floats, told: Booleans) -> Stretches:
        """Readings of distinct streams: local time in seconds since 1970, distance from the expected in spreads.

        A stretch of which any reading was told of already is left out, as it would tell the same again. Readings closer
        than `independent_s` count as parts of one.
        """
        count = len(row)
        place, hour, sums = np.empty(count, np.int64), np.empty(count, np.int64), np.empty((3, count))
        state = (self.hour, self.last_s, self.readings, self.weight, self.total, self.squares, self.void)
        ended = _update(row, local_s, distance, told, self._independent_s, *state, place, hour, sums)
        return Stretches(place[:ended], hour[:ended], sums[0, :ended], sums[1, :ended], sums[2, :ended])


@compiled
def _update(
    rows: Integers,
    local_s: Floats,
    distance: Floats,
    told: Booleans,
    independent_s: float,
    hour: Integers,
    last_s: Floats,
    readings: Floats,
    weight: Floats,
    total: Floats,
    squares: Floats,
    void: Booleans,
    place_out: Integers,
    hour_out: Integers,
    sums: Floats,
) -> int:
    ended = 0
    for number in range(len(rows)):
        row = rows[number]
        now = math.floor(local_s[number] / HOUR_S)
        void[row] |= told[number]
        if now != hour[row]:
            enough, torn = weight[row] >= FEWEST_READINGS, now < hour[row] or now - hour[row] > LONGEST_HOURS
            if enough or torn or void[row]:
                if enough and not torn and not void[row]:
                    mean = total[row] / readings[row]
                    place_out[ended], hour_out[ended] = number, hour[row]
                    sums[0, ended], sums[1, ended] = weight[row], mean
                    sums[2, ended] = math.sqrt(max(squares[row] / readings[row] - mean * mean, 0.0))
                    ended += 1
                readings[row] = weight[row] = total[row] = squares[row] = 0.0
                void[row] = told[number]
            hour[row] = now
        far = min(max(distance[number], -OUTLIER), OUTLIER)
        part = (local_s[number] - last_s[row]) / independent_s
        last_s[row] = local_s[number]
        readings[row] += 1.0
        weight[row] += min(max(part, 0.0), 1.0)
        total[row] += far
        squares[row] += far * far
    return ended
