"""How often a stream reports, learnt from the gaps between its readings."""

from __future__ import annotations

import math

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers, Rows
from impetus.tools.anomaly.compiled import compiled

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
        numbers = np.arange(self.streams)[rows] if isinstance(rows, slice) else rows
        learn_gaps(numbers, gap_s, self.usual_s, self.long_s, self.count)


@compiled
def learn_gaps(rows: Integers, gap_s: Floats, usual_s: Floats, long_s: Floats, count: Floats) -> None:
    """Learn from gaps greater than 0; what is no gap is passed over."""
    raised, lowered = math.exp(0.1 * (1.0 - LONG_GAP_SHARE)), math.exp(-0.1 * LONG_GAP_SHARE)
    for number in range(len(rows)):
        row, gap = rows[number], min(gap_s[number], LONGEST_GAP_S)
        if gap <= 0.0:
            continue
        count[row] += 1.0
        if count[row] == 1.0:
            usual_s[row], long_s[row] = gap, 2.0 * gap
        usual, longest = usual_s[row], long_s[row]
        if gap != usual:
            step = max(1.0 / (count[row] + 1.0), SMALLEST_STEP)
            usual_s[row] = usual * math.exp(step if gap > usual else -step)
        long_s[row] = longest * (raised if gap > longest else lowered)
