"""How much evidence is enough: the threshold that a sensor's own quiet past crosses about once in some years.

Peaks over a threshold (Davison & Smith, Models for exceedances over high thresholds, Journal of the Royal Statistical
Society B 52, 1990), as Siffer et al. use it on streams (Anomaly detection in streams with extreme value theory, KDD
2017). What is followed is half the square of the evidence: for normal noise its excesses are exponential with a mean of
1, for heavier tails the mean is greater. So quiet instruments find small releases, and restless ones stay quiet.
"""

from __future__ import annotations

import numpy as np

from impetus.tools.air.arrays import Booleans, Floats, Integers

_YEAR_S = 365.25 * 86_400.0
MEMORY_SAMPLES = 8_000.0
"""A month at five minutes: the season is followed, and what was seen while learning is forgotten."""
PRIOR_EXCURSIONS = 30.0
"""A sensor's own past counts against its network's as if that had so many excursions."""


class TailThreshold:
    """Follows excursions of a statistic above `base` for many rows; gives each the level of `per_year` excursions.

    `rate` (excursions a sample) and `excess` (mean of half the square beyond the base) are what is believed at first,
    as if seen in `PRIOR_EXCURSIONS` of them. Thresholds lie within `lowest` and `highest`.
    """

    def __init__(
        self, *, base: float, rate: float, excess: float, per_year: float, lowest: float, highest: float
    ) -> None:
        self._base, self._rate, self._first_excess = base, rate, excess
        self._per_year, self._lowest, self._highest = per_year, lowest, highest
        self._samples = np.zeros(0)
        self._count = np.zeros(0)
        self._excess = np.zeros(0)
        self._peak = np.zeros(0)
        self._spoiled = np.zeros(0, dtype=np.bool_)

    def grow(self, count: int) -> None:
        """Have at least so many rows."""
        more = count - len(self._count)
        if more > 0:
            empty = np.zeros(more)
            self._samples = np.concatenate([self._samples, empty])
            self._count = np.concatenate([self._count, empty])
            self._excess = np.concatenate([self._excess, empty])
            self._peak = np.concatenate([self._peak, empty])
            self._spoiled = np.concatenate([self._spoiled, empty.astype(np.bool_)])

    def learn(self, row: Integers, statistic: Floats, settled: Booleans, detected: Booleans) -> None:
        """Take the statistic of a round; rows that are not `settled` say nothing, and an excursion in which something
        was `detected` is not background."""
        above = settled & (statistic > self._base)
        self._peak[row] = np.where(above, np.maximum(self._peak[row], statistic), self._peak[row])
        self._spoiled[row] |= above & detected
        over = ~above & (self._peak[row] > 0)
        counted = over & ~self._spoiled[row]
        keep = np.where(settled, 1.0 - 1.0 / MEMORY_SAMPLES, 1.0)
        self._samples[row] = self._samples[row] * keep + (settled & ~detected)
        self._count[row] = self._count[row] * keep + counted
        gained = np.where(counted, 0.5 * (self._peak[row] ** 2 - self._base**2), 0.0)
        self._excess[row] = self._excess[row] * keep + gained
        self._peak[row] = np.where(over, 0.0, self._peak[row])
        self._spoiled[row] &= ~over

    def of(self, row: Integers, interval_s: float) -> Floats:
        """The thresholds of rows whose samples come every so many seconds."""
        prior = PRIOR_EXCURSIONS
        rate = (self._count.sum() + prior) / (self._samples.sum() + prior / self._rate)
        excess = (self._excess.sum() + prior * self._first_excess) / (self._count.sum() + prior)
        own_rate = (self._count[row] + prior) / (self._samples[row] + prior / rate)
        own_excess = (self._excess[row] + prior * excess) / (self._count[row] + prior)
        excursions = np.maximum(own_rate * _YEAR_S / max(interval_s, 1.0) / self._per_year, 1.0)
        level = np.sqrt(self._base**2 + 2 * own_excess * np.log(excursions))
        return np.asarray(np.clip(level, self._lowest, self._highest))
