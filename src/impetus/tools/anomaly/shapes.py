"""Notices hours whose course no earlier day had, at values that are usual: a discord of the stream."""

from __future__ import annotations

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Floats, Integers, Singles
from impetus.tools.anomaly.compiled import compiled
from impetus.tools.anomaly.day_memory import DAYS, HOURS, DayMemory
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.tail import StreamingTail

COURSE_HOURS = 8
"""Hours whose course is compared: a working day, a night."""
FEWEST_HOURS = 6
"""Hours that two courses must have in common."""
FEWEST_DAYS = 7
"""Earlier days that must be known, so that each weekday was seen."""
SHIFTS = 1
"""Hours by which an earlier course may have been earlier or later."""


class ShapeWatch(ArrayState):
    """The distance of the last hours' course to the nearest of all earlier days.

    The left discord of a stream (Lu, Wu, Mueen, Zuluaga & Keogh: Matrix profile XXIV, DAMP, KDD 2022) on hourly means:
    a course is compared with the same hours, give or take one, of the days that the `DayMemory` holds. The means of
    both are taken off, as the level is other detectors' concern; the size is left, as a ripple at night is no shape.
    How rare a distance is, is learnt (`StreamingTail`). What is kept for it is nothing but that tail.

    >>> days, watch = DayMemory(), ShapeWatch()
    >>> days.grow(1), watch.grow(1)
    (None, None)
    >>> row, random, said = np.array([0]), np.random.default_rng(1), []
    >>> for hour in range(24 * 21):
    ...     first = 8 if hour < 24 * 20 else 15
    ...     value = 10.0 * (first <= hour % 24 < first + 8) + random.normal()
    ...     days.update(row, np.array([3600.0 * hour]), np.array([value]))
    ...     said.append(float(watch.update(row, np.array([hour]), np.ones(1), days)[0]))
    >>> max(said[-24:]) > 3, max(said[-24:]) > max(said[:-24])
    (True, True)
    """

    def __init__(self, parameters: Parameters = PARAMETERS) -> None:
        super().__init__({})
        self.tail = StreamingTail(1, parameters)

    def grow(self, streams: int) -> None:
        super().grow(streams)
        self.tail.grow(streams)

    def update(self, row: Integers, hour: Integers, spread: Floats, days: DayMemory) -> Floats:
        """Rarity of the course that ended with local hour `hour` (since 1970) of each stream; then learn it.

        `spread` is what readings usually deviate by, in the stream's unit. All of shape (stretches,); 0 where too
        little is known.
        """
        distance = np.empty(len(row))
        _nearest(row, hour, days.day, days.mean, distance)
        known = np.isfinite(distance)
        rarity = np.zeros(len(row))
        if known.any():
            statistic = (distance[known] / np.maximum(spread[known], 1e-12))[:, None]
            rarity[known] = self.tail.update(row[known], statistic, np.ones(len(statistic)))[:, 0]
        return rarity


@compiled
def _hour_of(day: Integers, mean: Singles, row: int, hour: int) -> float:
    number = hour // HOURS
    place = number % DAYS
    if day[row, place] != number:
        return np.nan
    return float(mean[row, place, hour % HOURS])


@compiled
def _nearest(rows: Integers, hours: Integers, day: Integers, mean: Singles, distance: Floats) -> None:
    """Root mean square distance to the nearest earlier course; not a number where too few are known."""
    course, other = np.empty(COURSE_HOURS), np.empty(COURSE_HOURS)
    for number in range(len(rows)):
        row, last = rows[number], hours[number]
        there = 0
        for place in range(COURSE_HOURS):
            course[place] = _hour_of(day, mean, row, last - COURSE_HOURS + 1 + place)
            there += np.isfinite(course[place])
        best, days_known = np.inf, 0
        if there >= FEWEST_HOURS:
            for back in range(1, DAYS):
                known = False
                for shift in range(-SHIFTS, SHIFTS + 1):
                    begin = last - COURSE_HOURS + 1 - HOURS * back + shift
                    count, total = 0, 0.0
                    for place in range(COURSE_HOURS):
                        other[place] = course[place] - _hour_of(day, mean, row, begin + place)
                        if np.isfinite(other[place]):
                            count += 1
                            total += other[place]
                    if count < FEWEST_HOURS:
                        continue
                    known = True
                    middle, squares = total / count, 0.0
                    for place in range(COURSE_HOURS):
                        if np.isfinite(other[place]):
                            squares += (other[place] - middle) ** 2
                    best = min(best, squares / count)
                days_known += known
        distance[number] = np.sqrt(best) if days_known >= FEWEST_DAYS else np.nan
