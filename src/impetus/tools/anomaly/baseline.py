"""What a stream should read now: a slow level plus profiles of day and week, learnt robustly and causally."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers, Rows
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters

DAY_S = 86_400.0
DAY_SLOTS = 96
"""Quarters of an hour; a reading between two slot centres is read from and taught to both in proportion."""
WEEK_SLOTS = 168
EXPERTS = 3
"""Level alone, level and day, level and day and week."""
EXPERT_SHARPNESS = 20.0
SLOT_PRIOR_VISITS = 0.5
WEEK_PRIOR_VISITS = 1.0
TO_DEVIATION = 1.2533
"""Standard deviation of a normal distribution over its mean absolute deviation."""
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Expectation:
    """What was expected of readings before they were seen, one entry a reading.

    `middle` and `spread` (a standard deviation) are in the unit of the stream; `residual` and `surprise` are the
    reading's distance from the middle and from the middle corrected by the reading before, in spreads.
    """

    middle: Floats
    spread: Floats
    residual: Floats
    surprise: Floats


@dataclass(frozen=True, slots=True)
class _Slots:
    before: Integers
    after: Integers
    share: Floats
    """Weight of `after`."""
    week: Integers


def _slots(local_s: Floats) -> _Slots:
    position = np.mod(local_s, DAY_S) * (DAY_SLOTS / DAY_S) - 0.5
    floor = np.floor(position)
    before = floor.astype(np.int64) % DAY_SLOTS
    # 1970-01-01 was a Thursday; where the week begins does not matter.
    week = np.mod(local_s, 7 * DAY_S) // 3600.0
    return _Slots(before, (before + 1) % DAY_SLOTS, position - floor, week.astype(np.int64))


class SeasonalBaseline(ArrayState):
    """Level, profile of the day, profile of the week and spread of each stream.

    Every learning step is bounded by a multiple of the spread (Huber, Ann. Math. Stat. 35, 1964), so that an event does
    not become the norm at once. How far the profiles are trusted is learnt from their errors (Cesa-Bianchi & Lugosi,
    Prediction, Learning, and Games, 2006: exponentially weighted forecasters), so that a stream without rhythm is not
    given one.

    >>> import numpy as np
    >>> baseline = SeasonalBaseline()
    >>> baseline.grow(1)
    >>> for hour in range(24 * 14):
    ...     local_s, gap_s, value = np.array([hour * 3600.0]), np.array([3600.0]), np.array([10.0 + hour % 24])
    ...     seen = baseline.update(slice(0, 1), local_s, gap_s, np.ones(1), value)
    >>> bool(abs(baseline.expect(slice(0, 1), np.array([336 * 3600.0]))[0][0] - 10.0) < 1)
    True
    """

    level: Floats
    count: Floats
    day: Floats
    day_visits: Floats
    day_spread: Floats
    week: Floats
    week_visits: Floats
    expert_error: Floats
    spread: Floats
    surprise_spread: Floats
    last: Floats
    covariance: Floats
    variance: Floats

    def __init__(self, parameters: Parameters = PARAMETERS) -> None:
        super().__init__(
            {
                "level": Column(),
                "count": Column(),
                "day": Column((DAY_SLOTS,)),
                "day_spread": Column((DAY_SLOTS,)),
                "day_visits": Column((DAY_SLOTS,)),
                "week": Column((WEEK_SLOTS,)),
                "week_visits": Column((WEEK_SLOTS,)),
                "expert_error": Column((EXPERTS,)),
                "spread": Column(),
                "surprise_spread": Column(),
                "last": Column(),
                "covariance": Column(),
                "variance": Column(),
            }
        )
        self._parameters = parameters

    def expect(self, rows: Rows, local_s: Floats) -> tuple[Floats, Floats]:
        """Expected middle and spread of streams at local times (seconds since 1970), all of shape (rows,)."""
        numbers = self._numbers(rows)
        slots = _slots(local_s)
        day = self._day(numbers, slots)
        week = self._week(numbers, slots)
        return self.level[rows] + self._mix(rows, day, week), self._spread(rows, numbers, slots)

    def update(self, rows: Rows, local_s: Floats, gap_s: Floats, steps: Floats, value: Floats) -> Expectation:
        """The expectation of each reading by what came before it; then learn from it.

        `gap_s` is the time since the stream's reading before (0 for the first), `steps` the same in usual intervals.
        All arrays have the shape (rows,).
        """
        known = self._parameters
        numbers = self._numbers(rows)
        slots = _slots(local_s)
        count = self.count[rows]
        first = count == 0
        level = np.where(first, value, self.level[rows])
        day = self._day(numbers, slots)
        week = self._week(numbers, slots)
        offset = self._mix(rows, day, week)
        middle = level + offset
        residual = value - middle
        spread = self._spread(rows, numbers, slots)

        persistence = np.clip(self.covariance[rows] / np.maximum(self.variance[rows], TINY), 0.0, 0.98)
        # What the reading before says fades with the time since.
        surprise = residual - persistence ** np.clip(steps, 1.0, 100.0) * self.last[rows]
        whole = np.maximum(self.spread[rows], TINY)
        surprise_spread = np.maximum(self.surprise_spread[rows] * spread / whole, TINY + 1e-6 * np.abs(level))
        outcome = Expectation(middle, spread, residual / spread, surprise / surprise_spread)

        # Until a few readings are known the spread is not, and nothing can be clipped by it.
        limit = np.where(count < 5, np.inf, known.clip * spread)
        bounded = np.clip(residual, -limit, limit)
        rate = 1.0 / np.minimum(count + 1.0, known.memory_readings)
        self.spread[rows] += rate * (np.minimum(np.abs(residual), 2 * limit) * TO_DEVIATION - self.spread[rows])
        surprise_limit = np.where(count < 5, np.inf, 2 * known.clip * surprise_spread)
        self.surprise_spread[rows] += rate * (
            np.minimum(np.abs(surprise), surprise_limit) * TO_DEVIATION - self.surprise_spread[rows]
        )
        self.covariance[rows] += rate * (bounded * self.last[rows] - self.covariance[rows])
        self.variance[rows] += rate * (bounded * bounded - self.variance[rows])
        self.last[rows] = bounded

        errors = np.abs(np.stack([value - level, value - level - day, value - level - day - week], axis=-1))
        self.expert_error[rows] += rate[:, None] * (np.minimum(errors, 2 * limit[:, None]) - self.expert_error[rows])

        # The weight of one reading in its slot is the share of the slot that it stands for.
        weight = np.clip(gap_s * (DAY_SLOTS / DAY_S), 1e-4, 1.0)
        day_error = np.clip(value - level - day, -limit, limit)
        for slot, part in ((slots.before, 1.0 - slots.share), (slots.after, slots.share)):
            share = weight * part
            visits = self.day_visits[numbers, slot] + share
            pace = share / np.maximum(visits, TINY)
            self.day[numbers, slot] += pace * day_error
            error = np.minimum(np.abs(residual), 2 * limit) * TO_DEVIATION
            self.day_spread[numbers, slot] += pace * (error - self.day_spread[numbers, slot])
            self.day_visits[numbers, slot] = np.minimum(visits, known.profile_visits)
        share = np.clip(gap_s / 3600.0, 1e-4, 1.0)
        visits = self.week_visits[numbers, slots.week] + share
        week_error = np.clip(value - level - day - self.week[numbers, slots.week], -limit, limit)
        self.week[numbers, slots.week] += share / visits * week_error
        self.week_visits[numbers, slots.week] = np.minimum(visits, known.profile_visits)

        pace = np.maximum(-np.expm1(-gap_s / known.level_time_s), 1.0 / (count + 1.0))
        self.level[rows] = level + np.where(first, 0.0, pace * bounded)
        self.count[rows] = count + 1.0
        return outcome

    def _numbers(self, rows: Rows) -> Integers:
        return np.arange(self.streams)[rows] if isinstance(rows, slice) else rows

    def _day(self, numbers: Integers, slots: _Slots) -> Floats:
        before, after = self.day[numbers, slots.before], self.day[numbers, slots.after]
        visits = self.day_visits[numbers, slots.before] + self.day_visits[numbers, slots.after]
        trust = visits / (visits + SLOT_PRIOR_VISITS)
        return trust * (before + slots.share * (after - before))

    def _week(self, numbers: Integers, slots: _Slots) -> Floats:
        visits = self.week_visits[numbers, slots.week]
        return visits / (visits + WEEK_PRIOR_VISITS) * self.week[numbers, slots.week]

    def _mix(self, rows: Rows, day: Floats, week: Floats) -> Floats:
        error = self.expert_error[rows]
        best = error.min(axis=-1, keepdims=True)
        weight = np.exp(-EXPERT_SHARPNESS * (error - best) / np.maximum(best, TINY))
        weight /= weight.sum(axis=-1, keepdims=True)
        mixed: Floats = (weight[:, 1] + weight[:, 2]) * day + weight[:, 2] * week
        return mixed

    def _spread(self, rows: Rows, numbers: Integers, slots: _Slots) -> Floats:
        whole = self.spread[rows]
        before, after = self.day_spread[numbers, slots.before], self.day_spread[numbers, slots.after]
        visits = self.day_visits[numbers, slots.before] + self.day_visits[numbers, slots.after]
        trust = visits / (visits + 2.0)
        local = before + slots.share * (after - before)
        return np.maximum(trust * local + (1.0 - trust) * whole, 0.2 * whole + TINY + 1e-6 * np.abs(self.level[rows]))
