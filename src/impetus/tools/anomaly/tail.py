"""How rare a value is, learnt as values come: peaks over threshold with a generalised Pareto tail.

Siffer, Fouque, Termier & Largouet: Anomaly detection in streams with extreme value theory, KDD 2017 (SPOT), with the
tail fitted by moments (Hosking & Wallis, Technometrics 29(3), 1987) instead of maximum likelihood, which costs a few
operations a value; the threshold is a quantile tracked by stochastic approximation (Robbins & Monro, 1951).
"""

from __future__ import annotations

import math

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers, Rows, Singles
from impetus.tools.anomaly.compiled import compiled
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters

PRIOR_EXCEEDANCES = 10.0
PRIOR_MEAN = 0.5
PRIOR_SECOND = 2.5 * PRIOR_MEAN**2
"""Before exceedances were seen: a tail slightly heavier than exponential (there it is twice the squared mean)."""
LN_10 = math.log(10.0)
HEAVIEST = 0.45
"""Largest shape of the tail; from 0.5 on it would have no variance."""
LEAST_THRESHOLD = 0.2
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

    threshold: Singles
    exceedances: Singles
    mean: Singles
    second: Singles
    count: Floats

    def __init__(self, features: int, parameters: Parameters = PARAMETERS) -> None:
        shape = (features,)
        super().__init__(
            {
                # Seven digits are more than a tail is ever known to, and half the memory is half the time.
                "threshold": Column(shape, 2.0, np.float32),
                "exceedances": Column(shape, PRIOR_EXCEEDANCES, np.float32),
                "mean": Column(shape, PRIOR_MEAN, np.float32),
                "second": Column(shape, PRIOR_SECOND, np.float32),
                "count": Column(),
            }
        )
        self._share = 1.0 - parameters.tail_quantile
        self._memory = parameters.memory_readings
        self._extrapolation = parameters.extrapolation

    def rarity(self, rows: Rows, statistic: Floats) -> Floats:
        """-log10 of the probability that a statistic of shape (rows, features) is reached; learns nothing."""
        rarity = np.empty_like(statistic)
        everything = np.ones(len(statistic))
        rate(self._numbers(rows), statistic, everything, self.limits(), False, *self.state(), rarity)
        return rarity

    def update(self, rows: Rows, statistic: Floats, weight: Floats) -> Floats:
        """Rarity of each statistic by what came before it; then learn from it.

        `weight`, of shape (rows,), is how much of an independent reading it is, up to 1: what exceeds the threshold in
        a cluster counts about once (runs declustering: Smith & Weissman, J. R. Stat. Soc. B 56(3), 1994).
        """
        rarity = np.empty_like(statistic)
        rate(self._numbers(rows), statistic, weight, self.limits(), True, *self.state(), rarity)
        return rarity

    def _numbers(self, rows: Rows) -> Integers:
        return np.arange(self.streams)[rows] if isinstance(rows, slice) else rows

    def limits(self) -> tuple[float, float, float]:
        """The parameters, in the order in which compiled code takes them."""
        return self._share, self._memory, self._extrapolation

    def state(self) -> tuple[Singles, Singles, Singles, Singles, Floats]:
        """The arrays, in the order in which compiled code takes them."""
        return self.threshold, self.exceedances, self.mean, self.second, self.count


@compiled
def rate(
    rows: Integers,
    statistic: Floats,
    weight: Floats,
    limits: tuple[float, float, float],
    learning: bool,
    threshold: Singles,
    exceedances: Singles,
    mean: Singles,
    second: Singles,
    count: Floats,
    rarity: Floats,
) -> None:
    """The rarity of each statistic; then, if `learning`, learn it."""
    share, memory, extrapolation = limits
    body = -math.log10(share)
    for number in range(len(rows)):
        row, part = rows[number], weight[number]
        seen = count[row]
        pace = part * max(10.0 / (seen + part + 20.0), 0.02)
        for feature in range(statistic.shape[1]):
            begin, value = float(threshold[row, feature]), statistic[number, feature]
            excess = value - begin
            if value <= 0.0:
                # Half of them, where a statistic is told in both directions.
                rarity[number, feature] = 0.0
                if learning:
                    threshold[row, feature] = max(begin - pace * share, LEAST_THRESHOLD)
                continue
            average = 0.0
            if excess > 0.0:
                average = float(mean[row, feature])
                variance = max(second[row, feature] - average * average, 1e-12)
                shape = min(max(0.5 - 0.5 * average * average / variance, 0.01), HEAVIEST)
                scale = average * (1.0 - shape)
                rare = math.log1p(shape * excess / scale) / (shape * LN_10) + body
            else:
                rare = body * value / begin
            if rare > extrapolation:
                # What was seen n times cannot be known to be rarer than a certain multiple of n.
                rare = min(rare, math.log10(seen + 1.0) + extrapolation)
            rarity[number, feature] = rare
            if not learning:
                continue
            above = 0.0
            if excess > 0.0:
                above = 1.0
                exceeded = min(exceedances[row, feature] + part, memory * share)
                rate = part / exceeded
                excess = min(excess, WINSOR * average)
                mean[row, feature] = average + rate * (excess - average)
                second[row, feature] += rate * (excess * excess - second[row, feature])
                exceedances[row, feature] = exceeded
            threshold[row, feature] = max(begin + pace * (above - share), LEAST_THRESHOLD)
        if learning:
            count[row] = seen + part
