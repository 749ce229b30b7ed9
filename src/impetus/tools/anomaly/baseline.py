"""What a stream should read now: a slow level plus profiles of day and week, learnt robustly and causally."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers, Rows
from impetus.tools.anomaly.compiled import compiled
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


State: TypeAlias = tuple[
    Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats
]


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
                "day": Column((DAY_SLOTS,), by_slot=True),
                "day_spread": Column((DAY_SLOTS,), by_slot=True),
                "day_visits": Column((DAY_SLOTS,), by_slot=True),
                "week": Column((WEEK_SLOTS,), by_slot=True),
                "week_visits": Column((WEEK_SLOTS,), by_slot=True),
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
        middle, spread = np.empty(len(numbers)), np.empty(len(numbers))
        _expect(numbers, local_s, *self.state(), middle, spread)
        return middle, spread

    def update(
        self, rows: Rows, local_s: Floats, gap_s: Floats, steps: Floats, weight: Floats, value: Floats
    ) -> Expectation:
        """The expectation of each reading by what came before it; then learn from it.

        `gap_s` is the time since the stream's reading before (0 for the first), `steps` the same in usual intervals,
        `weight` how much of an independent reading it is, up to 1. All arrays have the shape (rows,).
        """
        numbers = self._numbers(rows)
        told = np.empty((4, len(numbers)))
        foretell(numbers, local_s, gap_s, steps, weight, value, self.limits(), *self.state(), told)
        return Expectation(told[0], told[1], told[2], told[3])

    def limits(self) -> tuple[float, float, float, float]:
        """The parameters, in the order in which compiled code takes them."""
        known = self._parameters
        return known.level_time_s, known.profile_visits, known.memory_readings, known.clip

    def _numbers(self, rows: Rows) -> Integers:
        return np.arange(self.streams)[rows] if isinstance(rows, slice) else rows

    def state(self) -> State:
        """The arrays, in the order in which compiled code takes them."""
        return (
            self.level,
            self.count,
            self.day,
            self.day_visits,
            self.day_spread,
            self.week,
            self.week_visits,
            self.expert_error,
            self.spread,
            self.surprise_spread,
            self.last,
            self.covariance,
            self.variance,
        )


@compiled
def _slots(local_s: float) -> tuple[int, int, float, int]:
    """The two slots of the day that a moment lies between, the share of the second, and the slot of the week."""
    position = (local_s % DAY_S) * (DAY_SLOTS / DAY_S) - 0.5
    floor = math.floor(position)
    before = int(floor) % DAY_SLOTS
    # 1970-01-01 was a Thursday; where the week begins does not matter.
    week = int(local_s % (7 * DAY_S) // 3600.0)
    return before, (before + 1) % DAY_SLOTS, position - floor, week


@compiled
def _weight(exponent: float) -> float:
    """exp(exponent) of a number of 0 or less; below a tenth of a thousandth nothing."""
    if exponent == 0.0:
        return 1.0
    return math.exp(exponent) if exponent > -9.0 else 0.0


@compiled
def _mix(best: float, error: Floats, day: float, week: float) -> float:
    """Profiles of day and week by how well the experts that use them foretold so far."""
    sharpness = -EXPERT_SHARPNESS / max(best, TINY)
    alone = _weight((error[0] - best) * sharpness)
    with_week = _weight((error[2] - best) * sharpness)
    with_day = _weight((error[1] - best) * sharpness) + with_week
    return (with_day * day + with_week * week) / (alone + with_day)


@compiled
def _bounded(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


@compiled
def _expect(
    rows: Integers,
    local_s: Floats,
    level: Floats,
    count: Floats,
    day: Floats,
    day_visits: Floats,
    day_spread: Floats,
    week: Floats,
    week_visits: Floats,
    expert_error: Floats,
    spread: Floats,
    surprise_spread: Floats,
    last: Floats,
    covariance: Floats,
    variance: Floats,
    middle_out: Floats,
    spread_out: Floats,
) -> None:
    for number in range(len(rows)):
        row = rows[number]
        first, second, share, hour = _slots(local_s[number])
        seen = day_visits[row, first] + day_visits[row, second]
        of_day = (1.0 - share) * day[row, first] + share * day[row, second]
        of_day *= seen / (seen + SLOT_PRIOR_VISITS)
        of_week = week[row, hour] * week_visits[row, hour] / (week_visits[row, hour] + WEEK_PRIOR_VISITS)
        error = expert_error[row]
        middle_out[number] = level[row] + _mix(min(error[0], error[1], error[2]), error, of_day, of_week)
        trust = seen / (seen + SPREAD_PRIOR_VISITS)
        of_day = (1.0 - share) * day_spread[row, first] + share * day_spread[row, second]
        least = LEAST_SPREAD * spread[row] + TINY + FINEST * abs(level[row])
        spread_out[number] = max(trust * of_day + (1.0 - trust) * spread[row], least)


@compiled
def foretell(
    rows: Integers,
    local_s: Floats,
    gap_s: Floats,
    steps: Floats,
    weight: Floats,
    value: Floats,
    limits: tuple[float, float, float, float],
    level: Floats,
    count: Floats,
    day: Floats,
    day_visits: Floats,
    day_spread: Floats,
    week: Floats,
    week_visits: Floats,
    expert_error: Floats,
    spread: Floats,
    surprise_spread: Floats,
    last: Floats,
    covariance: Floats,
    variance: Floats,
    told: Floats,
) -> None:
    """The expectation of each reading by what came before it, then learnt from it; `told` has a row each for middle,
    spread, residual and surprise."""
    level_time_s, profile_visits, memory_readings, clip = limits
    # Streams of one kind report alike: what depends on the time only is calculated once for all of them.
    same_s, first, second, share, hour = np.nan, 0, 0, 0.0, 0
    same_gap_s, level_pace = np.nan, 0.0
    for number in range(len(rows)):
        row = rows[number]
        if local_s[number] != same_s:
            same_s = local_s[number]
            first, second, share, hour = _slots(same_s)
        if gap_s[number] != same_gap_s:
            same_gap_s = gap_s[number]
            level_pace = -math.expm1(-same_gap_s / level_time_s)
        seen_before = count[row]
        height = value[number] if seen_before == 0 else level[row]
        visits_first, visits_second, visits_week = (
            day_visits[row, first],
            day_visits[row, second],
            week_visits[row, hour],
        )
        seen = visits_first + visits_second
        of_day = (1.0 - share) * day[row, first] + share * day[row, second]
        of_day *= seen / (seen + SLOT_PRIOR_VISITS)
        of_week = week[row, hour] * visits_week / (visits_week + WEEK_PRIOR_VISITS)
        error = expert_error[row]
        middle = height + _mix(min(error[0], error[1], error[2]), error, of_day, of_week)
        residual = value[number] - middle
        whole = spread[row]
        trust = seen / (seen + SPREAD_PRIOR_VISITS)
        scale = trust * ((1.0 - share) * day_spread[row, first] + share * day_spread[row, second])
        scale = max(scale + (1.0 - trust) * whole, LEAST_SPREAD * whole + TINY + FINEST * abs(height))

        persistence = min(max(covariance[row] / max(variance[row], TINY), 0.0), MOST_PERSISTENCE)
        # What the reading before says fades with the time since.
        step = min(max(steps[number], 0.01), 100.0)
        surprise = residual - (persistence if step == 1.0 else persistence**step) * last[row]
        surprise_whole = surprise_spread[row]
        surprise_scale = max(surprise_whole * (scale / max(whole, TINY)), TINY + FINEST * abs(height))
        told[0, number] = middle
        told[1, number] = scale
        told[2, number] = residual / scale
        told[3, number] = surprise / surprise_scale

        # Until a few readings are known the spread is not, and nothing can be bounded by it.
        young = seen_before < 5
        limit = np.inf if young else clip * scale
        surprise_limit = np.inf if young else 2.0 * clip * surprise_scale
        rate = weight[number] / min(seen_before + weight[number], memory_readings)
        bounded = _bounded(residual, limit)
        size = min(abs(residual), 2.0 * limit) * TO_DEVIATION
        spread[row] = whole + rate * (size - whole)
        surprise_size = min(abs(surprise), surprise_limit) * TO_DEVIATION
        surprise_spread[row] = surprise_whole + rate * (surprise_size - surprise_whole)
        covariance[row] += rate * (bounded * last[row] - covariance[row])
        variance[row] += rate * (bounded * bounded - variance[row])
        last[row] = bounded

        without_day = value[number] - height
        without_week = without_day - of_day
        error[0] += rate * (min(abs(without_day), 2.0 * limit) - error[0])
        error[1] += rate * (min(abs(without_week), 2.0 * limit) - error[1])
        error[2] += rate * (min(abs(without_week - of_week), 2.0 * limit) - error[2])

        # The weight of one reading in its slot is the share of the slot's time that it stands for.
        part = min(max(gap_s[number] * (DAY_SLOTS / DAY_S), LEAST_WEIGHT), 1.0)
        day_error = _bounded(without_week, limit)
        visits_first += part * (1.0 - share)
        visits_second += part * share
        pace = part * (1.0 - share) / max(visits_first, TINY)
        day[row, first] += pace * day_error
        day_spread[row, first] += pace * (size - day_spread[row, first])
        day_visits[row, first] = min(visits_first, profile_visits)
        pace = part * share / max(visits_second, TINY)
        day[row, second] += pace * day_error
        day_spread[row, second] += pace * (size - day_spread[row, second])
        day_visits[row, second] = min(visits_second, profile_visits)
        part = min(max(gap_s[number] / 3600.0, LEAST_WEIGHT), 1.0)
        visits_week += part
        week[row, hour] += part / visits_week * _bounded(without_week - week[row, hour], limit)
        week_visits[row, hour] = min(visits_week, profile_visits)

        pace = max(level_pace, rate)
        level[row] = height if seen_before == 0 else height + pace * bounded
        count[row] = seen_before + weight[number]
