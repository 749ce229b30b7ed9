"""How rare a value is, learnt as values come: peaks over threshold with a generalised Pareto tail.

Siffer, Fouque, Termier & Largouet: Anomaly detection in streams with extreme value theory, KDD 2017 (SPOT), with the
tail fitted by moments (Hosking & Wallis, Technometrics 29(3), 1987) instead of maximum likelihood, which costs a few
operations a value; the threshold is a quantile tracked by stochastic approximation (Robbins & Monro, 1951).
"""

from __future__ import annotations

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Rows
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters

PRIOR_EXCEEDANCES = 10.0
PRIOR_MEAN = 0.5
PRIOR_SECOND = 2.5 * PRIOR_MEAN**2
"""Before exceedances were seen: a tail slightly heavier than exponential (there it is twice the squared mean)."""
HEAVIEST = 0.45
"""Largest shape of the tail; from 0.5 on it would have no variance."""
WINSOR = 8.0
"""Mean excesses beyond which an excess teaches the tail no more, so that one event does not hide the next."""


class StreamingTail(ArrayState):
    """Rarity of `features` statistics of each stream, as -log10 of the probability to be this large.

    >>> import numpy as np
    >>> tail = StreamingTail(features=1)
    >>> tail.grow(1)
    >>> random = np.random.default_rng(1)
    >>> for value in np.abs(random.normal(size=3000)):
    ...     rarity = tail.update(slice(None), np.array([[value]]), np.ones(1))
    >>> usual, rare = (float(tail.rarity(slice(None), np.array([[value]]))[0, 0]) for value in (1.0, 7.0))
    >>> usual < 1, rare > 4
    (True, True)
    """

    threshold: Floats
    exceedances: Floats
    mean: Floats
    second: Floats
    count: Floats

    def __init__(self, features: int, parameters: Parameters = PARAMETERS) -> None:
        shape = (features,)
        super().__init__(
            {
                "threshold": Column(shape, 2.0),
                "exceedances": Column(shape, PRIOR_EXCEEDANCES),
                "mean": Column(shape, PRIOR_MEAN),
                "second": Column(shape, PRIOR_SECOND),
                "count": Column(shape),
            }
        )
        self._share = 1.0 - parameters.tail_quantile
        self._memory = parameters.memory_readings
        self._extrapolation = parameters.extrapolation

    def rarity(self, rows: Rows, statistic: Floats) -> Floats:
        """-log10 of the probability that a statistic of shape (rows, features) is reached; learns nothing."""
        threshold = self.threshold[rows]
        excess = statistic - threshold
        mean = self.mean[rows]
        variance = np.maximum(self.second[rows] - mean * mean, 1e-12)
        shape = np.minimum(np.maximum(0.5 - 0.5 * mean * mean / variance, 0.01), HEAVIEST)
        scale = mean * (1.0 - shape)
        body = -np.log10(self._share)
        beyond = np.log1p(shape * np.maximum(excess, 0.0) / scale) / (shape * np.log(10.0)) + body
        inside = body * np.maximum(statistic, 0.0) / np.maximum(threshold, 1e-9)
        rarity = np.where(excess > 0, beyond, inside)
        # What was seen n times cannot be known to be rarer than a certain multiple of n.
        known: Floats = np.minimum(rarity, np.log10(self.count[rows] + 1.0) + self._extrapolation)
        return known

    def update(self, rows: Rows, statistic: Floats, weight: Floats) -> Floats:
        """Rarity of each statistic by what came before it; then learn from it.

        `weight`, of shape (rows,), is how much of an independent reading it is, up to 1: what exceeds the threshold in
        a cluster counts about once (runs declustering: Smith & Weissman, J. R. Stat. Soc. B 56(3), 1994).
        """
        weight = weight[:, None]
        rarity = self.rarity(rows, statistic)
        threshold = self.threshold[rows]
        mean = self.mean[rows]
        count = self.count[rows] + weight
        above = statistic > threshold
        exceedances = np.where(
            above, np.minimum(self.exceedances[rows] + weight, self._memory * self._share), self.exceedances[rows]
        )
        rate = np.where(above, weight / exceedances, 0.0)
        excess = np.minimum(statistic - threshold, WINSOR * mean)
        self.mean[rows] = mean + rate * (excess - mean)
        second = self.second[rows]
        self.second[rows] = second + rate * (excess * excess - second)
        self.exceedances[rows] = exceedances
        step = weight * np.maximum(10.0 / (count + 20.0), 0.02)
        self.threshold[rows] = np.maximum(threshold + step * (above - self._share), 0.2)
        self.count[rows] = count
        return rarity
