"""How unusual each reading is: surprise, residual and lasting residual, each by its own learnt tail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers, Rows
from impetus.tools.anomaly.baseline import TO_DEVIATION, Expectation, SeasonalBaseline
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.tail import StreamingTail

FEATURES = ("high", "low", "jump up", "jump down", "high for long", "low for long")
"""Of two that are as rare, the first is named."""
HIGH, LOW = FEATURES.index("high"), FEATURES.index("low")
OUTLIER = 8.0
"""Spreads at which one reading's part in an average is cut."""
SMALLEST_SPREAD = 0.05
LARGEST_STATISTIC = 1e6


@dataclass(frozen=True, slots=True)
class Unusualness:
    """What is said of readings, one entry a reading.

    `rarity` is -log10 of how often a reading is this unusual (3: once in a thousand readings) and `feature` the number
    in `FEATURES` of what is; `novelty` is the rarity, or 0 where something as rare was reported shortly before. `low`
    and `high` bound what is usual: one reading in fifty lies above, one in fifty below.
    """

    expectation: Expectation
    low: Floats
    high: Floats
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
        count = before + weight
        expectation = self.baseline.update(rows, local_s, gap_s, steps, weight, value)
        statistics = self._statistics(rows, expectation, gap_s, weight / np.minimum(count, known.memory_readings))
        threshold = self.tail.threshold[rows]
        low = expectation.middle - expectation.spread * threshold[:, LOW]
        high = expectation.middle + expectation.spread * threshold[:, HIGH]
        rarities = self.tail.update(rows, np.minimum(np.maximum(statistics, 0.0), LARGEST_STATISTIC), weight)
        feature = rarities.argmax(axis=-1)
        rarity = np.where(count > known.warm_readings, rarities.max(axis=-1), 0.0)
        reported = self.reported[rows] * np.exp(-gap_s / known.habituation_s)
        novelty = np.where(rarity > reported, rarity, 0.0)
        self.reported[rows] = np.maximum(rarity, reported)
        self.count[rows] = count
        return Unusualness(expectation, low, high, rarity, novelty, feature)

    def _statistics(self, rows: Rows, expectation: Expectation, gap_s: Floats, rate: Floats) -> Floats:
        """The statistics in the order of `FEATURES`, about one in size when all is usual; shape (rows, features).

        `rate` is the share of this reading in what is known.
        """
        known = self.parameters
        residual, surprise = expectation.residual, expectation.surprise
        pace = np.minimum(-np.expm1(-gap_s / known.smooth_time_s), 1.0 / known.smooth_readings)
        pace = np.maximum(pace, rate)

        average = self.average[rows]
        average = average + pace * (np.minimum(np.maximum(residual, -OUTLIER), OUTLIER) - average)
        spread = np.maximum(self.average_spread[rows], SMALLEST_SPREAD)
        lasting = average / spread
        self.average[rows] = average
        self.average_spread[rows] += rate * (_bounded_size(average, spread) - self.average_spread[rows])

        statistics = np.empty((len(residual), len(FEATURES)))
        for place, statistic in enumerate((residual, surprise, lasting)):
            statistics[:, 2 * place] = statistic
            statistics[:, 2 * place + 1] = -statistic
        return statistics


def _bounded_size(statistic: Floats, spread: Floats) -> Floats:
    """What one value of a statistic says about its standard deviation, bounded so that an event says little."""
    return np.minimum(np.abs(statistic) * TO_DEVIATION, 3.0 * spread)
