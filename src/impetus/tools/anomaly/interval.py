"""How often a stream reports, learnt from the gaps between its readings."""

from __future__ import annotations

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Rows

SMALLEST_STEP = 0.02
LONG_GAP_SHARE = 0.005
LONGEST_GAP_S = 7 * 86_400.0
"""A longer gap counts as this one: an absence is no rhythm."""


class ReportingInterval(ArrayState):
    """The usual (median) and the longest usual (99.5 %) time between readings of each stream.

    Quantiles by stochastic approximation on the logarithm of the gap (Robbins & Monro, Ann. Math. Stat. 22, 1951).

    >>> import numpy as np
    >>> interval = ReportingInterval()
    >>> interval.grow(1)
    >>> for gap in [60.0, 61.0, 59.0, 3600.0, 60.0, 60.0]:
    ...     interval.update(slice(0, 1), np.array([gap]))
    >>> bool(40 < interval.usual_s[0] < 90)
    True
    """

    usual_s: Floats
    long_s: Floats
    count: Floats

    def __init__(self) -> None:
        super().__init__({"usual_s": Column(), "long_s": Column(), "count": Column()})

    def update(self, rows: Rows, gap_s: Floats) -> None:
        """Learn from gaps (greater than 0) of shape (rows,)."""
        gap = np.minimum(gap_s, LONGEST_GAP_S)
        count = self.count[rows] + 1.0
        first = count == 1.0
        usual = np.where(first, gap, self.usual_s[rows])
        longest = np.where(first, 2.0 * gap, self.long_s[rows])
        step = np.maximum(1.0 / (count + 1.0), SMALLEST_STEP)
        self.usual_s[rows] = usual * np.exp(step * np.sign(gap - usual))
        self.long_s[rows] = longest * np.exp(0.1 * ((gap > longest) - LONG_GAP_SHARE))
        self.count[rows] = count
