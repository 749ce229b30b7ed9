"""Recognises, live, a stream that changed its unit."""

from __future__ import annotations

from collections import deque

import numpy as np

from impetus.tools.anomaly.arrays import Floats, Integers
from impetus.tools.anomaly.units import CLEAR_SPREADS, NEEDED, conversion

MOST_FOLLOWED = 2_000
"""Streams far from what is expected that are followed at once; of more at a time something else is the matter."""


class UnitWatch:
    """Follows streams while they are far from what is expected of them; only of those anything is kept.

    >>> watch, row = UnitWatch(), np.array([7])
    >>> for minute in range(12):
    ...     expected = np.array([15.0 + minute / 6.0])
    ...     found = watch.update(row, 1.8 * expected + 32.2, expected, np.array([0.4]))
    >>> found
    {7: 'degrees Celsius to Fahrenheit'}
    """

    def __init__(self) -> None:
        self._newest: dict[int, deque[tuple[float, float, float]]] = {}

    def update(self, row: Integers, value: Floats, expected: Floats, spread: Floats) -> dict[int, str]:
        """Readings of distinct streams; the change of unit that a stream's newest ones look like, by its row."""
        far = np.abs(value - expected) > CLEAR_SPREADS * spread
        if self._newest:
            for number in row[~far].tolist():
                self._newest.pop(number, None)
        found: dict[int, str] = {}
        for place in np.flatnonzero(far):
            number = int(row[place])
            newest = self._newest.get(number)
            if newest is None:
                if len(self._newest) >= MOST_FOLLOWED:
                    continue
                newest = self._newest[number] = deque(maxlen=NEEDED)
            newest.append((float(value[place]), float(expected[place]), float(spread[place])))
            if len(newest) == NEEDED:
                values, expectations, spreads = np.array(newest).T
                known = conversion(values, expectations, spreads)
                if known is not None:
                    found[number] = known.words
        return found
