"""How unusual each reading is: surprise, residual and lasting residual, each by its own learnt tail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers, Rows
from impetus.tools.anomaly.baseline import TO_DEVIATION, Expectation, SeasonalBaseline
from impetus.tools.anomaly.compiled import compiled
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.tail import StreamingTail

FEATURES = ("high", "low", "jump up", "jump down", "high for long", "low for long")
"""Of two that are as rare, the first is named."""
HIGH, LOW = FEATURES.index("high"), FEATURES.index("low")
OUTLIER = 8.0
"""Spreads at which one reading's part in an average is cut."""
SMALLEST_SPREAD = 0.05
LARGEST_STATISTIC = 1e6
TOLD_RARITY = 1.0
"""Rarity from which on it is told which feature it belongs to."""


@dataclass(frozen=True, slots=True)
class Unusualness:
    """What is said of readings, one entry a reading.

    `rarity` is -log10 of how often a reading is this unusual (3: once in a thousand readings) and `feature` the number
    in `FEATURES` of what is (0 where nothing is); `novelty` is the rarity, or 0 where something as rare was reported
    shortly before. `low` and `high` bound what is usual: one reading in fifty lies above, one in fifty below.
    """

    expectation: Expectation
    low: Floats
    high: Floats
    rarities: Floats
    """Of each statistic, in the order of `FEATURES`; shape (readings, features)."""
    rarity: Floats
    novelty: Floats
    feature: Integers


class UnusualDetector(ArrayState):
    """Scores readings against the seasonal baseline of their stream; strictly causal.

    Three statistics, each in both directions: the jump from what baseline and last reading foretell, the distance from
    the baseline, and that distance averaged over an hour. Each has a tail of its own (`StreamingTail`), so that they
    are comparable; the rarest counts (Tippett, The Methods of Statistics, 1931). The damping of what follows an event
    is habituation: only what is rarer than the fading memory of it is news.

    >>> import numpy as np
    >>> detector = UnusualDetector()
    >>> detector.grow(1)
    >>> random = np.random.default_rng(1)
    >>> values = np.r_[random.normal(20.0, 1.0, 2000), 35.0]
    >>> for number, value in enumerate(values):
    ...     seen = detector.update(
    ...         slice(0, 1), np.array([300.0 * number]), np.array([300.0]), np.ones(1), np.array([value])
    ...     )
    >>> bool(seen.rarity[0] > 4), FEATURES[seen.feature[0]], bool(16 < seen.low[0] < 19 < 21 < seen.high[0] < 24)
    (True, 'high', True)
    """

    average: Floats
    average_spread: Floats
    count: Floats
    reported: Floats

    def __init__(self, parameters: Parameters = PARAMETERS) -> None:
        super().__init__(
            {
                "average": Column(),
                "average_spread": Column((), 0.3),
                "count": Column(),
                "reported": Column(),
            }
        )
        self.parameters = parameters
        self.baseline = SeasonalBaseline(parameters)
        self.tail = StreamingTail(len(FEATURES), parameters)

    def grow(self, streams: int) -> None:
        super().grow(streams)
        self.baseline.grow(streams)
        self.tail.grow(streams)

    def dump(self, prefix: str) -> dict[str, NDArray[Any]]:
        return super().dump(prefix) | self.baseline.dump(f"{prefix}.baseline") | self.tail.dump(f"{prefix}.tail")

    def load(self, prefix: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        super().load(prefix, arrays)
        self.baseline.load(f"{prefix}.baseline", arrays)
        self.tail.load(f"{prefix}.tail", arrays)

    def update(self, rows: Rows, local_s: Floats, gap_s: Floats, steps: Floats, value: Floats) -> Unusualness:
        """Score readings by what came before them; then learn from them.

        `local_s` is local time in seconds since 1970, `gap_s` the time since the stream's reading before (0 for the
        first), `steps` the same in usual intervals. All arrays have the shape (rows,).
        """
        known = self.parameters
        before = self.count[rows]
        weight = np.where(before > 0, np.minimum(gap_s / known.independent_s, 1.0), 1.0)
        expectation = self.baseline.update(rows, local_s, gap_s, steps, weight, value)
        numbers = np.arange(self.streams)[rows] if isinstance(rows, slice) else rows
        statistics = np.empty((len(value), len(FEATURES)))
        limits = (known.smooth_time_s, known.smooth_readings, known.memory_readings)
        state = (self.average, self.average_spread, self.count)
        measure(numbers, expectation.residual, expectation.surprise, gap_s, weight, limits, *state, statistics)
        threshold = self.tail.threshold[rows]
        low = expectation.middle - expectation.spread * threshold[:, LOW]
        high = expectation.middle + expectation.spread * threshold[:, HIGH]
        rarities = self.tail.update(rows, statistics, weight)
        told, feature = np.empty((2, len(value))), np.empty(len(value), dtype=np.int64)
        find_rarest(
            numbers, rarities, gap_s, known.habituation_s, known.warm_readings, self.count, self.reported, told, feature
        )
        return Unusualness(expectation, low, high, rarities, told[0], told[1], feature)


@compiled
def measure(
    rows: Integers,
    residual: Floats,
    surprise: Floats,
    gap_s: Floats,
    weight: Floats,
    limits: tuple[float, float, float],
    average: Floats,
    average_spread: Floats,
    count: Floats,
    statistics: Floats,
) -> None:
    """The statistics in the order of `FEATURES`, about one in size when all is usual; shape (rows, features)."""
    smooth_time_s, smooth_readings, memory_readings = limits
    same_gap_s, smooth_pace = np.nan, 0.0
    for number in range(len(rows)):
        row = rows[number]
        seen = count[row] + weight[number]
        rate = weight[number] / min(seen, memory_readings)
        if gap_s[number] != same_gap_s:
            same_gap_s = gap_s[number]
            smooth_pace = min(-math.expm1(-same_gap_s / smooth_time_s), 1.0 / smooth_readings)
        pace = max(smooth_pace, rate)
        mean = average[row]
        mean += pace * (min(max(residual[number], -OUTLIER), OUTLIER) - mean)
        spread = max(average_spread[row], SMALLEST_SPREAD)
        average[row] = mean
        # What one value says about the standard deviation, bounded so that an event says little.
        average_spread[row] += rate * (min(abs(mean) * TO_DEVIATION, 3.0 * spread) - average_spread[row])
        count[row] = seen
        for place in range(3):
            statistic = residual[number] if place == 0 else surprise[number] if place == 1 else mean / spread
            statistics[number, 2 * place] = min(max(statistic, 0.0), LARGEST_STATISTIC)
            statistics[number, 2 * place + 1] = min(max(-statistic, 0.0), LARGEST_STATISTIC)


@compiled
def find_rarest(
    rows: Integers,
    rarities: Floats,
    gap_s: Floats,
    habituation_s: float,
    warm_readings: int,
    count: Floats,
    reported: Floats,
    told: Floats,
    feature: Integers,
) -> None:
    """The largest rarity of each reading, the same where it is news, and the feature that it belongs to."""
    same_gap_s, fading = np.nan, 1.0
    for number in range(len(rows)):
        row, best, rarity = rows[number], 0, 0.0
        for place in range(rarities.shape[1]):
            rarity = max(rarity, rarities[number, place])
        # Which it was is asked only of what is rare: for all others the processor would guess wrong at every step.
        if rarity > TOLD_RARITY:
            while rarities[number, best] < rarity:
                best += 1
        if count[row] <= warm_readings:
            rarity = 0.0
        faded = reported[row]
        if gap_s[number] != same_gap_s:
            same_gap_s = gap_s[number]
            fading = math.exp(-same_gap_s / habituation_s)
        faded *= fading
        told[0, number] = rarity
        told[1, number] = rarity if rarity > faded else 0.0
        reported[row] = max(rarity, faded)
        feature[number] = best
