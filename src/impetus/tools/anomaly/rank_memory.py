"""How rare a statistic is among its own last values: a rank, and a fitted tail beyond the largest of them.

The rank among earlier values is a conformal p-value (Laxhammar & Falkman, Inductive conformal anomaly detection, 2015);
beyond the `TAIL` largest a generalised Pareto distribution goes on, fitted by moments (Hosking & Wallis, Technometrics
29(3), 1987).
"""

from __future__ import annotations

import math

from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.compiled import compiled

TAIL = 40
"""Largest values that the tail is fitted to; a fifth of those seen while there are few."""
PRIOR_SHAPE, PRIOR_VALUES = 0.2, 10.0
"""Before values were seen the tail is a little heavier than exponential; the prior weighs as much as ten values."""
HEAVIEST = 0.45
"""Largest shape of the tail; from 0.5 on it would have no variance."""
TINY = 1e-9


@compiled
def position_of(ordered: Floats, count: int, value: float) -> int:
    """How many of the first `count` ordered values are smaller."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def remember(ordered: Floats, by_time: Floats, seen: int, value: float) -> None:
    """Put a value into a memory that has seen `seen` values before; where it is full, the oldest is forgotten.

    >>> import numpy as np
    >>> ordered, by_time = np.empty(3), np.empty(3)
    >>> for seen, value in enumerate([5.0, 1.0, 9.0, 4.0]):
    ...     remember(ordered, by_time, seen, value)
    >>> ordered.tolist()
    [1.0, 4.0, 9.0]
    """
    size = len(ordered)
    count = min(seen, size)
    place = position_of(ordered, count, value)
    gone = position_of(ordered, count, by_time[seen % size]) if count == size else count
    if place <= gone:
        for other in range(gone, place, -1):
            ordered[other] = ordered[other - 1]
    else:
        place -= 1
        for other in range(gone, place):
            ordered[other] = ordered[other + 1]
    ordered[place] = value
    by_time[seen % size] = value


@compiled
def rarity_of(ordered: Floats, count: int, value: float) -> float:
    """-log10 of the probability of a value as large, by `count` ordered values; 0 for fewer than ten.

    >>> import numpy as np
    >>> ordered = np.arange(100.0)
    >>> round(rarity_of(ordered, 100, 50.0), 1), rarity_of(ordered, 100, 500.0) > 4.0
    (0.3, True)
    """
    if count < 10:
        return 0.0
    tail = max(min(TAIL, count // 5), 2)
    threshold = ordered[count - tail - 1]
    if value <= threshold:
        reached = count - position_of(ordered, count, value)
        return -math.log10((reached + 1.0) / (count + 2.0))
    mean, second = 0.0, 0.0
    for place in range(count - tail, count):
        excess = ordered[place] - threshold
        mean += excess
        second += excess * excess
    mean = mean / tail + TINY
    variance = max(second / tail - mean * mean, 1e-12)
    trust = tail / (tail + PRIOR_VALUES)
    shape = trust * 0.5 * (1.0 - mean * mean / variance) + (1.0 - trust) * PRIOR_SHAPE
    shape = min(max(shape, 0.0), HEAVIEST)
    beyond = (value - threshold) / (mean * (1.0 - shape))
    if shape > 1e-3:
        beyond = math.log1p(shape * beyond) / shape
    return float(beyond / math.log(10.0) - math.log10((tail + 1.0) / (count + 2.0)))
