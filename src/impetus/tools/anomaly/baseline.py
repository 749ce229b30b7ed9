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
SPREAD_PRIOR_VISITS = 2.0
"""Visits after which a slot's own value counts as much as what is known without it."""
LEAST_SPREAD = 0.2
"""A slot's spread is at least this share of the stream's."""
LEAST_WEIGHT = 1e-4
MOST_PERSISTENCE = 0.98
FINEST = 1e-6
"""Of its level: no stream is foretold more exactly."""
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
    """Where moments lie in the profiles; indices into the profiles of all streams laid end to end."""

    day: Integers
    """The two slots of the day that a moment lies between, shape (rows, 2)."""
    share: Floats
    """Weight of either, shape (rows, 2)."""
    week: Integers


def _slots(numbers: Integers, local_s: Floats) -> _Slots:
    position = local_s % DAY_S * (DAY_SLOTS / DAY_S) - 0.5
    floor = np.floor(position)
    share = position - floor
    before = floor.astype(np.int64) % DAY_SLOTS
    day = np.empty((len(numbers), 2), dtype=np.int64)
    day[:, 0] = before
    day[:, 1] = (before + 1) % DAY_SLOTS
    day += (numbers * DAY_SLOTS)[:, None]
    shares = np.empty((len(numbers), 2))
    shares[:, 0] = 1.0 - share
    shares[:, 1] = share
    # 1970-01-01 was a Thursday; where the week begins does not matter.
    week = (local_s % (7 * DAY_S) // 3600.0).astype(np.int64)
    return _Slots(day, shares, numbers * WEEK_SLOTS + week)


def _bounded(value: Floats, limit: Floats) -> Floats:
    """Within -limit to limit; several times faster than numpy.clip on short arrays."""
    bounded: Floats = np.minimum(np.maximum(value, -limit), limit)
    return bounded


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
    ...     seen = baseline.update(slice(0, 1), local_s, gap_s, np.ones(1), np.ones(1), value)
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
        slots = _slots(self._numbers(rows), local_s)
        visits = self._visits(slots)
        level = self.level[rows]
        middle = level + self._mix(self.expert_error[rows], self._day(slots, visits), self._week(slots))
        return middle, self._spread(self.spread[rows], level, slots, visits)

    def update(
        self, rows: Rows, local_s: Floats, gap_s: Floats, steps: Floats, weight: Floats, value: Floats
    ) -> Expectation:
        """The expectation of each reading by what came before it; then learn from it.

        `gap_s` is the time since the stream's reading before (0 for the first), `steps` the same in usual intervals,
        `weight` how much of an independent reading it is, up to 1. All arrays have the shape (rows,).
        """
        known = self._parameters
        slots = _slots(self._numbers(rows), local_s)
        visits = self._visits(slots)
        count = self.count[rows]
        first = count == 0
        level = np.where(first, value, self.level[rows])
        day, week = self._day(slots, visits), self._week(slots)
        expert_error = self.expert_error[rows]
        middle = level + self._mix(expert_error, day, week)
        residual = value - middle
        whole = self.spread[rows]
        spread = self._spread(whole, level, slots, visits)

        last, covariance, variance = self.last[rows], self.covariance[rows], self.variance[rows]
        persistence = np.minimum(np.maximum(covariance / np.maximum(variance, TINY), 0.0), MOST_PERSISTENCE)
        # What the reading before says fades with the time since.
        surprise = residual - persistence ** np.minimum(np.maximum(steps, 0.01), 100.0) * last
        surprise_whole = self.surprise_spread[rows]
        surprise_spread = surprise_whole * (spread / np.maximum(whole, TINY))
        surprise_spread = np.maximum(surprise_spread, TINY + FINEST * np.abs(level))
        outcome = Expectation(middle, spread, residual / spread, surprise / surprise_spread)

        # Until a few readings are known the spread is not, and nothing can be bounded by it.
        young = count < 5
        limit = np.where(young, np.inf, known.clip * spread)
        surprise_limit = np.where(young, np.inf, 2.0 * known.clip * surprise_spread)
        rate = weight / np.minimum(count + weight, known.memory_readings)
        bounded = _bounded(residual, limit)
        size = np.minimum(np.abs(residual), 2.0 * limit) * TO_DEVIATION
        surprise_size = np.minimum(np.abs(surprise), surprise_limit) * TO_DEVIATION
        self.spread[rows] = whole + rate * (size - whole)
        self.surprise_spread[rows] = surprise_whole + rate * (surprise_size - surprise_whole)
        self.covariance[rows] = covariance + rate * (bounded * last - covariance)
        self.variance[rows] = variance + rate * (bounded * bounded - variance)
        self.last[rows] = bounded

        without_day = value - level
        without_week = without_day - day
        errors = np.empty_like(expert_error)
        errors[:, 0], errors[:, 1], errors[:, 2] = without_day, without_week, without_week - week
        errors = np.minimum(np.abs(errors), 2.0 * limit[:, None])
        self.expert_error[rows] = expert_error + rate[:, None] * (errors - expert_error)
        self._learn_profiles(slots, visits, gap_s, _bounded(without_week, limit), size, without_week, limit)

        pace = np.maximum(-np.expm1(-gap_s / known.level_time_s), rate)
        self.level[rows] = level + np.where(first, 0.0, pace * bounded)
        self.count[rows] = count + weight
        return outcome

    def _learn_profiles(
        self,
        slots: _Slots,
        visits: Floats,
        gap_s: Floats,
        day_error: Floats,
        size: Floats,
        without_week: Floats,
        limit: Floats,
    ) -> None:
        # The weight of one reading in its slot is the share of the slot's time that it stands for.
        part = np.minimum(np.maximum(gap_s * (DAY_SLOTS / DAY_S), LEAST_WEIGHT), 1.0)
        share = part[:, None] * slots.share
        visits = visits + share
        pace = share / np.maximum(visits, TINY)
        day, day_spread = self.day.reshape(-1), self.day_spread.reshape(-1)
        day[slots.day] += pace * day_error[:, None]
        day_spread[slots.day] += pace * (size[:, None] - day_spread[slots.day])
        self.day_visits.reshape(-1)[slots.day] = np.minimum(visits, self._parameters.profile_visits)

        week, week_visits = self.week.reshape(-1), self.week_visits.reshape(-1)
        part = np.minimum(np.maximum(gap_s / 3600.0, LEAST_WEIGHT), 1.0)
        seen = week_visits[slots.week] + part
        week[slots.week] += part / seen * _bounded(without_week - week[slots.week], limit)
        week_visits[slots.week] = np.minimum(seen, self._parameters.profile_visits)

    def _numbers(self, rows: Rows) -> Integers:
        return np.arange(self.streams)[rows] if isinstance(rows, slice) else rows

    def _visits(self, slots: _Slots) -> Floats:
        visits: Floats = self.day_visits.reshape(-1)[slots.day]
        return visits

    def _day(self, slots: _Slots, visits: Floats) -> Floats:
        seen = visits[:, 0] + visits[:, 1]
        parts = self.day.reshape(-1)[slots.day] * slots.share
        return seen / (seen + SLOT_PRIOR_VISITS) * (parts[:, 0] + parts[:, 1])

    def _week(self, slots: _Slots) -> Floats:
        visits = self.week_visits.reshape(-1)[slots.week]
        return visits / (visits + WEEK_PRIOR_VISITS) * self.week.reshape(-1)[slots.week]

    def _mix(self, error: Floats, day: Floats, week: Floats) -> Floats:
        best = np.minimum(np.minimum(error[:, 0], error[:, 1]), error[:, 2])
        weight = np.exp((error - best[:, None]) * (-EXPERT_SHARPNESS / np.maximum(best, TINY))[:, None])
        with_week = weight[:, 2]
        with_day = weight[:, 1] + with_week
        mixed: Floats = (with_day * day + with_week * week) / (weight[:, 0] + with_day)
        return mixed

    def _spread(self, whole: Floats, level: Floats, slots: _Slots, visits: Floats) -> Floats:
        seen = visits[:, 0] + visits[:, 1]
        trust = seen / (seen + SPREAD_PRIOR_VISITS)
        parts = self.day_spread.reshape(-1)[slots.day] * slots.share
        spread = trust * (parts[:, 0] + parts[:, 1]) + (1.0 - trust) * whole
        return np.maximum(spread, LEAST_SPREAD * whole + TINY + FINEST * np.abs(level))
